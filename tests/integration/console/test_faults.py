"""What a page hears when the parts behind it are killed: everything, late."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from tapelog_client.client_errors import StackNotRunning
from tapelog_client.local import StackState
from tapelog_console.web.audio import STALL_S_MAX

from .site import STOP_S, Site, produce
from .test_streams import listening

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

START_S = 90
HEARD_S = 60
PROCESSES = Path(__file__).resolve().parents[2] / "system" / "processes.py"


async def test_a_listener_that_takes_nothing_is_cut_and_goes_on_by_range(site: Site, tmp_path: Path) -> None:
    """After half a minute its connection ends; what it has and what it asks for then are the whole file."""
    async with site.api() as api:
        made = await produce(api, tmp_path, "Stalled", length_s=60.0)
    wanted = made.mix.audio[0]
    address = f"/{made.song}/audio/mix-1/{wanted.sha256[:16]}.wav"
    content = bytearray()
    async with site.browser("pty-producer") as browser:
        async with browser.session.get(address) as response:
            await asyncio.sleep(STALL_S_MAX + 5)
            with contextlib.suppress(aiohttp.ClientError):
                while part := await response.content.read(2**16):
                    content += part
        assert len(content) < wanted.size_bytes
        rest = await browser.get(address, Range=f"bytes={len(content)}-")

    assert rest.status == 206
    assert hashlib.sha256(content + rest.body).hexdigest() == wanted.sha256


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Site]:
    """Run every part as a process of its own, restarted when it dies."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with (tmp_path / "apart.log").open("w") as log:
        process = subprocess.Popen([sys.executable, str(PROCESSES), str(data_dir)], stdout=log, stderr=log, text=True)
    try:
        yield Site(data_dir, asyncio.run(_url(data_dir)), process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)


async def _url(data_dir: Path) -> str:
    async with asyncio.timeout(START_S):
        while True:
            try:
                return StackState.read(data_dir).console
            except StackNotRunning:
                await asyncio.sleep(0.1)


def _kill(site: Site, part: str) -> None:
    os.kill(json.loads((site.data_dir / "pids.json").read_text())[part], signal.SIGKILL)


@pytest.mark.parametrize("victim", ["notify", "nats"])
async def test_a_page_hears_of_what_happened_while_a_part_was_dead(apart: Site, tmp_path: Path, victim: str) -> None:
    """The event stream is cut under an open page; the fact that is recorded meanwhile reaches the same stream."""
    async with apart.api() as api, apart.browser("pty-producer") as browser:
        made = await produce(api, tmp_path, "Cut")
        seen = (await api.songs.get(made.song)).sequence
        async with listening(browser, f"/{made.song}/events?after={seen}") as events:
            _kill(apart, victim)
            await api.notes.add(made.mix.name, "while it was dead")
            async with asyncio.timeout(HEARD_S):
                told = await anext(events)

    assert (told.event, int(told.cursor)) == ("changed", seen + 1)


async def test_a_page_comes_back_to_a_console_that_was_killed(apart: Site, tmp_path: Path) -> None:
    """The cookie is still good, and the cursor brings what was missed."""
    async with apart.api() as api, apart.browser("pty-producer") as browser:
        made = await produce(api, tmp_path, "Back")
        seen = (await api.songs.get(made.song)).sequence
        async with listening(browser, f"/{made.song}/events?after={seen}"):
            _kill(apart, "console")
        await api.notes.add(made.mix.name, "while it was dead")
        async with asyncio.timeout(HEARD_S):
            while True:
                try:
                    async with listening(browser, f"/{made.song}/events", Last_Event_ID=str(seen)) as events:
                        told = await anext(events)
                        break
                except OSError:
                    await asyncio.sleep(0.1)

    assert (told.event, int(told.cursor)) == ("changed", seen + 1)
