"""The system's Chromium without a screen, and what is looked at in its pages."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Page, ViewportSize, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS_PX: Final = {"desktop": 1280, "phone": 375}
SCREENSHOTS: Final = "TAPELOG_SCREENSHOTS"
"""Folder for pictures of every page; unset is none."""

CONTRAST: Final = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = (value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const groundOf = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(one).backgroundColor);
      layers.unshift([r, g, b, alpha]);
    }
    return layers.reduce((below, [r, g, b, alpha]) =>
      [r, g, b].map((value, index) => value * alpha + below[index] * (1 - alpha)), [255, 255, 255]);
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest("svg, .visually-hidden, .skip, option")) continue;
    if (!element.checkVisibility()) continue;
    const ink = luminance(parse(getComputedStyle(element).color)), ground = luminance(groundOf(element));
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (ratio < 4.5) bad.push([walker.currentNode.textContent.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return bad;
}"""
"""Texts whose contrast with what is behind them is under 4.5 (WCAG 2.2, 1.4.3)."""


def chromium_path() -> str:
    """Return where Chromium is; skips the test where it is not."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip("needs Chromium, such as Debian's package chromium")


@contextlib.asynccontextmanager
async def chromium(*, javascript: bool = True) -> AsyncIterator[BrowserContext]:
    """Run Chromium with a fresh profile."""
    path = chromium_path()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            viewport = ViewportSize(width=WIDTHS_PX["desktop"], height=800)
            yield await browser.new_context(viewport=viewport, java_script_enabled=javascript)
        finally:
            await browser.close()


def strictly(page: Page) -> list[str]:
    """Collect what a page complains about: errors of scripts, refused content."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return complaints


async def look(page: Page, name: str) -> None:
    """Check what every page must keep, and take its pictures if a folder for them is named."""
    for width, width_px in WIDTHS_PX.items():
        await page.set_viewport_size({"width": width_px, "height": 800})
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            await page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360, f"{name} scrolls sideways on a phone"
    await page.set_viewport_size({"width": WIDTHS_PX["desktop"], "height": 800})
    assert await page.evaluate(CONTRAST) == [], name
