"""Server-sent events: nothing is missed, limits hold, and nobody hears of what is not theirs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tapelog_console.live.seats import PAGES_PERSON_MAX

from .site import Browser, Production, Site

WAIT_S = 20


@dataclass
class Told:
    """One event of a stream."""

    event: str
    cursor: str
    data: dict[str, object]


@contextlib.asynccontextmanager
async def listening(browser: Browser, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Told]]:
    """Open a stream and yield what it tells."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with browser.session.get(path, headers=named) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"

        async def events() -> AsyncIterator[Told]:
            fields: dict[str, str] = {}
            async for raw in response.content:
                line = raw.decode().rstrip("\n")
                if not line and "event" in fields:
                    yield Told(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
                if not line:
                    fields = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value

        yield events()


async def _until_changed(events: AsyncIterator[Told], sequence: int) -> Told:
    async with asyncio.timeout(WAIT_S):
        async for told in events:
            if told.event == "changed" and int(told.cursor) >= sequence:
                return told
    raise AssertionError("the stream ended")


async def test_a_page_hears_of_every_change_and_resumes_after_a_break(site: Site, lively: Production) -> None:
    """Live it hears of a note; what happens while it is away it hears at once when it comes back with its cursor."""
    async with site.api() as api, site.browser("pty-producer") as browser:
        seen = (await api.songs.get(lively.song)).sequence
        async with listening(browser, f"/{lively.song}/events?after={seen}") as events:
            await api.notes.add(lively.mix.name, "now")
            after = (await api.songs.get(lively.song)).sequence
            told = await _until_changed(events, after)
        await api.notes.add(lively.mix.name, "while away")
        missed = (await api.songs.get(lively.song)).sequence

        async with listening(browser, f"/{lively.song}/events?after={seen}", Last_Event_ID=told.cursor) as events:
            again = await _until_changed(events, missed)

    assert int(told.cursor) == after
    assert int(again.cursor) == missed


async def test_a_stream_that_is_up_to_date_says_nothing(site: Site, lively: Production) -> None:
    """The first thing it tells is the next change, not the state the page has."""
    async with site.api() as api, site.browser("pty-producer") as browser:
        seen = (await api.songs.get(lively.song)).sequence
        async with listening(browser, f"/{lively.song}/events?after={seen}") as events:
            await api.notes.add(lively.mix.name, "first")
            async with asyncio.timeout(WAIT_S):
                first = await anext(events)

    assert (first.event, int(first.cursor)) == ("changed", seen + 1)


async def test_render_progress_is_told_to_its_end(site: Site, lively: Production) -> None:
    """A mix that is proposed while the page is open reports progress, and that it ended."""
    async with site.api() as api, site.browser("pty-producer") as browser:
        await api.versions.request_changes(lively.mix.name, "again")
        seen = (await api.songs.get(lively.song)).sequence
        async with listening(browser, f"/{lively.song}/events?after={seen}") as events:
            recipe = lively.recipe(delay=False, gain_db=-1.0)
            mix = await api.as_party("pty-mixing").versions.propose_mix(lively.song, recipe)
            progress = []
            async with asyncio.timeout(WAIT_S):
                async for told in events:
                    if told.event == "progress":
                        progress.append(told.data)
                        if told.data["ended"]:
                            break

    assert progress[-1]["text"] == "succeeded"
    assert progress[-1]["what"] == f"mix {mix.number}"
    assert all(isinstance(told["percent"], int) and 0 <= told["percent"] <= 100 for told in progress)


async def test_the_board_hears_of_its_songs(site: Site, lively: Production) -> None:
    """A note on any song of the person's projects moves the board's cursor."""
    async with site.api() as api, site.browser("pty-producer") as browser:
        page = (await browser.get(f"/{lively.project}")).text
        cursor = page.partition('data-cursor="')[2].partition('"')[0]
        async with listening(browser, f"/{lively.project}/events?after={cursor}") as events:
            await api.notes.add(lively.mix.name, "on the board")
            async with asyncio.timeout(WAIT_S):
                told = await anext(events)

    assert told.event == "changed"
    assert told.cursor != cursor


async def test_an_outsider_gets_no_stream(site: Site, production: Production) -> None:
    """Who may not read the song does not hear that it changes."""
    async with site.browser("pty-outsider") as outsider, site.visitor() as stranger:
        assert (await outsider.get(f"/{production.song}/events")).status in (403, 404)
        assert (await stranger.get(f"/{production.song}/events")).status == 401


async def test_one_person_has_so_many_live_pages(site: Site) -> None:
    """One more is refused with a page, and a closed one makes room within seconds."""
    async with site.browser("pty-crowd") as browser, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(browser.session.get("/events"))
        for _ in range(PAGES_PERSON_MAX - 1):
            response = await stack.enter_async_context(browser.session.get("/events"))
            assert response.status == 200
        refused = await browser.get("/events")
        assert refused.status == 429
        assert "Retry-After" in refused.headers

        first.close()
        async with asyncio.timeout(WAIT_S):
            while True:
                async with browser.session.get("/events") as response:
                    if response.status == 200:
                        break
                await asyncio.sleep(0.1)


async def test_signing_out_ends_the_streams(site: Site) -> None:
    """An open page of a session that is over hears nothing more."""
    async with site.browser("pty-producer") as browser:
        await browser.get("/")
        async with browser.session.get("/events") as response:
            await browser.post("/sign-out")
            async with asyncio.timeout(WAIT_S):
                await response.content.read()
