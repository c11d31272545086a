"""Figures of the review page: first load and A/B switch in Chromium, and the console's memory with fifty open pages."""

import asyncio
import contextlib
import re
import statistics
import sys
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from .chromium import chromium
from .site import PEOPLE, START_S, Browser, Site, own_console, produce

pytestmark = pytest.mark.bench

LENGTH_S = 30.0
LOADS = 7
SWITCHES = 40
PAGES = 50
LONG_S = 120.0
LISTENERS = 16
STALL_S = 3
"""Until every connection's buffers are full."""
LISTENER_BYTES_MAX = 8 * 2**20
"""A few blocks of 1 MiB and the windows of both connections."""

PAINT = """async () => {
  const [navigation] = performance.getEntriesByType("navigation");
  const paint = await new Promise((resolve) => new PerformanceObserver((list) => {
    const [first] = list.getEntriesByName("first-contentful-paint");
    if (first) resolve(first);
  }).observe({ type: "paint", buffered: true }));
  return [navigation.responseEnd, paint.startTime, navigation.domComplete];
}"""


async def test_first_load_and_switch(site: Site, tmp_path: Path) -> None:
    """A song of half a minute with two mixes: cold loads, each with an empty cache, and switches while it plays."""
    async with site.api() as api:
        made = await produce(api, tmp_path, "Measured", length_s=LENGTH_S)
        mixing = api.as_party("pty-mixing")
        await api.versions.request_changes(made.mix.name, "again")
        mix = await mixing.versions.propose_mix(made.song, made.recipe(delay=False, gain_db=-2.0))
        await mixing.versions.wait_rendered(mix.name)
    loads = []
    switches: list[float] = []
    for number in range(LOADS):
        async with chromium() as context:
            page = await context.new_page()
            await page.goto(site.link("pty-producer"))
            await page.wait_for_url(f"{site.url}/")
            await (await context.new_cdp_session(page)).send("Network.clearBrowserCache")
            await page.goto(f"{site.url}/{made.song}")
            loads.append(await page.evaluate(PAINT))
            if number == 0:
                await expect(page.locator("[data-ready=Engine]")).to_be_attached()
                await page.locator("h1").click()
                await page.keyboard.press("Space")
                for count in range(SWITCHES):
                    await page.keyboard.press("ab"[(count + 1) % 2])
                    switches.append(float(await page.locator("[data-player]").get_attribute("data-switch-ms") or "nan"))
    for name, column in zip(("page read", "first paint", "complete"), zip(*loads, strict=True), strict=True):
        sys.stdout.write(
            f"\nfirst load, {name}: median {statistics.median(column):.0f} ms, worst {max(column):.0f} ms of {LOADS}\n"
        )
    sys.stdout.write(
        f"A/B switch, key to scheduled crossfade: median {statistics.median(switches):.2f} ms, worst "
        f"{max(switches):.2f} ms of {SWITCHES}; the crossfade itself is 6 ms\n"
    )


async def test_memory_with_fifty_open_pages(site: Site, tmp_path: Path) -> None:
    """A console process of its own: resident memory idle, with fifty live pages, and after a change reached all."""
    async with site.api() as api, own_console(site, tmp_path) as (url, process):
        made = await produce(api, tmp_path, "Crowded")
        before = process.memory_info().rss
        seen = (await api.songs.get(made.song)).sequence
        async with contextlib.AsyncExitStack() as stack:
            streams = []
            for number in range(PAGES):
                party = list(PEOPLE)[number % len(PEOPLE)]
                jar = aiohttp.CookieJar(unsafe=True)
                browser = Browser(await stack.enter_async_context(aiohttp.ClientSession(url, cookie_jar=jar)))
                await browser.get("/sign-in")
                assert (await browser.post("/sign-in", code=site.link(party).replace(site.url, url))).status == 303
                assert (await browser.get(f"/{made.song}")).status == 200
                path = f"/{made.song}/events?after={seen}"
                streams.append(await stack.enter_async_context(browser.session.get(path)))
            opened = process.memory_info().rss
            await api.notes.add(made.mix.name, "to everybody")
            await asyncio.gather(*(_until_changed(stream) for stream in streams))
            told = process.memory_info().rss
    sys.stdout.write(
        f"\nconsole: {before / 2**20:.1f} MiB idle, {opened / 2**20:.1f} MiB with {PAGES} live pages, "
        f"{told / 2**20:.1f} MiB after a change reached all; {(told - before) / PAGES / 1024:.0f} KiB a page\n"
    )


async def test_memory_with_stalled_listeners(site: Site, tmp_path: Path) -> None:
    """Browsers that ask for a long file and then take nothing: what waits for them is blocks, not files."""
    async with site.api() as api, own_console(site, tmp_path) as (url, process), site.browser("pty-producer") as reader:
        made = await produce(api, tmp_path, "Long", length_s=LONG_S)
        found = re.search(r'data-url="([^"]+)"', (await reader.get(f"/{made.song}")).text)
        assert found is not None
        async with contextlib.AsyncExitStack() as stack:
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(url, cookie_jar=jar, connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**14)
            )
            browser = Browser(session)
            await browser.get("/sign-in")
            await browser.post("/sign-in", code=site.link("pty-producer").replace(site.url, url))
            before = process.memory_info().rss
            for _ in range(LISTENERS):
                await stack.enter_async_context(session.get(found[1]))
            await asyncio.sleep(STALL_S)
            after = process.memory_info().rss
        size_bytes = made.mix.audio[0].size_bytes
    sys.stdout.write(
        f"\n{LISTENERS} stalled listeners of a file of {size_bytes / 2**20:.0f} MiB: {before / 2**20:.1f} MiB before, "
        f"{after / 2**20:.1f} MiB with them, {(after - before) / LISTENERS / 2**20:.2f} MiB each\n"
    )
    assert after - before < LISTENERS * LISTENER_BYTES_MAX


async def _until_changed(stream: aiohttp.ClientResponse) -> None:
    async with asyncio.timeout(START_S):
        async for line in stream.content:
            if line.startswith(b"event: changed"):
                return
