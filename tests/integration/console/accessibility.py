"""What a page must keep for people who do not see it, or do not use a mouse: what axe and WCAG 2.2 look for first.

Names and roles are those that Chromium computes for screen readers; contrast and sizes those that it draws.
"""

from typing import Any, Final

from playwright.async_api import Page

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

STRUCTURE: Final = """() => {
  const bad = [];
  const shown = (element) => element.checkVisibility();
  const all = (selector) => [...document.querySelectorAll(selector)];
  if (!document.documentElement.lang) bad.push("no language (3.1.1)");
  if (!document.title.trim()) bad.push("no title (2.4.2)");
  for (const landmark of ["main", "header"]) {
    if (all(landmark).length !== 1) bad.push(`${all(landmark).length} of <${landmark}>`);
  }
  const levels = all("h1, h2, h3, h4").filter(shown).map((one) => Number(one.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) bad.push("not one h1");
  levels.forEach((level, index) => {
    if (index && level > levels[index - 1] + 1) bad.push(`h${level} after h${levels[index - 1]} (1.3.1)`);
  });
  const ids = all("[id]").map((one) => one.id);
  bad.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `id ${id} twice`));
  for (const name of ["for", "aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const one of all(`[${name}]`)) {
      for (const id of one.getAttribute(name).split(/\\s+/)) {
        if (!document.getElementById(id)) bad.push(`${name}=${id} leads nowhere`);
      }
    }
  }
  if (all("[tabindex]").some((one) => one.tabIndex > 0)) bad.push("tabindex over 0 (2.4.3)");
  for (const one of all("ul > *, ol > *")) {
    if (!["LI", "SCRIPT", "TEMPLATE"].includes(one.tagName)) bad.push(`<${one.tagName}> in a list`);
  }
  for (const one of all("fieldset")) if (!one.querySelector("legend")) bad.push("a fieldset without legend");
  for (const one of all("[role=group]")) if (!one.ariaLabel) bad.push("a group without a name");
  for (const one of all("table")) {
    if (!one.querySelector("caption")) bad.push("a table without caption");
    if ([...one.querySelectorAll("th")].some((cell) => !cell.scope)) bad.push("a heading of a table without scope");
  }
  for (const one of all("img:not([alt]), svg:not([aria-hidden]):not([role]):not(svg svg)")) {
    bad.push(`${one.tagName} without words`);
  }
  if (all("form[data-inline]").length && !document.querySelector("[role=status][aria-live]")) {
    bad.push("forms without a place that says what became of them (4.1.3)");
  }
  return bad;
}"""
"""Structure: landmarks, headings, ids and what refers to them, lists, tables, pictures."""

TARGETS: Final = """() =>
  [...document.querySelectorAll("button, select, input:not([type=hidden]), summary, [role=slider]")]
  .filter((one) => one.checkVisibility() && !one.closest(".skip"))
  .map((one) => [one.closest("label.tick, label.match") ?? one, one])
  .map(([target, one]) => [target.getBoundingClientRect(), one])
  .filter(([box]) => box.width < 24 || box.height < 24)
  .map(([box, one]) => `${one.tagName} ${one.textContent.trim().slice(0, 30)}: ${box.width} x ${box.height}`)"""
"""What fingers have to hit and cannot: under 24 by 24 px (WCAG 2.2, 2.5.8)."""

NAMED: Final = {"button", "link", "textbox", "combobox", "checkbox", "radio", "slider", "progressbar", "image"}
"""Roles that say nothing to a screen reader without a name; `details` are groups of their own accord."""


async def faults(page: Page, *, is_phone: bool = False) -> list[str]:
    """Return everything that is wrong with the page as it stands, each with what it is about."""
    found = [f"contrast {ratio}: {text}" for text, ratio in await page.evaluate(CONTRAST)]
    found += await page.evaluate(STRUCTURE)
    if is_phone:
        found += await page.evaluate(TARGETS)
    return [*found, *await _nameless(page)]


async def _nameless(page: Page) -> list[str]:
    """Return the things that Chromium tells a screen reader about by their role alone."""
    session = await page.context.new_cdp_session(page)
    try:
        nodes: list[dict[str, Any]] = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    finally:
        await session.detach()
    return [
        f"{role} without a name"
        for node in nodes
        if not node.get("ignored")
        and (role := node.get("role", {}).get("value")) in NAMED
        and not str(node.get("name", {}).get("value", "")).strip()
    ]
