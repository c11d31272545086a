"""The report of a version, from the page: made by the command that people have at their desks, for the one who asks."""

import asyncio
import re

from .site import Production, Site


async def test_a_version_has_its_report(site: Site, production: Production) -> None:
    """Linked from the song; it loads nothing and runs nothing; asked for by two at once, and again, it is one page."""
    async with site.browser("pty-producer") as browser, site.browser("pty-outsider") as stranger:
        song = (await browser.get(f"/{production.song}")).text
        link = re.search(r'href="([^"]+/report/mix-1)" target="_blank" rel="noopener"', song)
        assert link is not None
        first, second = await asyncio.gather(browser.get(link[1]), browser.get(link[1]))
        refused = await stranger.get(link[1])
        missing = await browser.get(link[1].replace("mix-1", "mix-9"))
        no_delivery = await browser.get(link[1].replace("mix-1", "delivery"))
    assert (first.status, first.body == second.body) == (200, True), first.text
    assert "sandbox" in first.headers["Content-Security-Policy"]
    assert "script-src" not in first.headers["Content-Security-Policy"]
    for words in ("LUFS", "tracks[lead].chain[0].delay", "No delay on my lead", "<svg"):
        assert words in first.text
    assert not re.search(r"<script|<link|src=\"(?!data:)|@import|url\((?!#|data:)", first.text)
    assert refused.status in (403, 404)
    assert "No delay" not in refused.text
    assert (missing.status, no_delivery.status) == (404, 404)
