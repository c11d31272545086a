"""The system's Chromium without a screen, and what is looked at in its pages."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Page, ViewportSize, async_playwright

from .accessibility import faults

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
    found = await faults(page, is_phone=True)
    assert not found, (name, found)
    await page.set_viewport_size({"width": WIDTHS_PX["desktop"], "height": 800})
    found = await faults(page)
    assert not found, (name, found)
