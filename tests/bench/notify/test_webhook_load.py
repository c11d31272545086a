"""Two hundred webhooks, fifty of them ill, at 50 events a second; `pytest -m bench -s`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from tapelog_chassis.testing import Broker
from tapelog_notify.testing import NotifyProcess, Recorder, connected_client, settings_for

from .figures import cpu_s, quantile, shown, tell
from .load import append_at, free_port, require_quiet

pytestmark = [pytest.mark.bench, pytest.mark.timeout(400)]
ENDPOINTS = {"healthy": 150, "failing": 20, "dripping": 10, "silent": 10, "refusing": 10}
SONGS = 50
RATE_HZ = 50
LENGTH_S = 40
P99_MAX_S = 2.0
GROWTH_MAX_MB = 12.0
TAIL_S = 5.0


async def start_endpoints() -> tuple[asyncio.subprocess.Process, dict[str, int]]:
    """Start the endpoints' process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("endpoints.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    assert process.stdout is not None
    return process, {**json.loads(await process.stdout.readline()), "refusing": free_port()}


async def report_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Ask the endpoints what they got."""
    said, _ = await process.communicate(b"\n")
    found: dict[str, Any] = json.loads(said)
    return found


async def watch(service: psutil.Process, found_mb: list[float]) -> None:
    """Look at the memory of a process every second."""
    while True:
        found_mb.append(service.memory_info().rss / 1e6)
        await asyncio.sleep(1.0)


async def test_two_hundred_endpoints_of_which_fifty_are_ill(broker: Broker, recorder: Recorder, tmp_path: Path) -> None:
    """The healthy ones get every event in order, p99 at most 2 s; the sender's memory stays where it is."""
    settings = settings_for(broker, tmp_path, port=free_port())
    endpoints, ports = await start_endpoints()
    songs = [f"sng-{number}" for number in range(SONGS)]
    healthy: dict[str, str] = {}
    memory_mb: list[float] = []
    async with NotifyProcess(settings) as process:
        await process.start()
        async with connected_client(settings, f"127.0.0.1:{settings.port}") as notify:
            await notify.channel.channel_ready()
            kinds = [kind for kind, count in ENDPOINTS.items() for _ in range(count)]
            for number, kind in enumerate(kinds):
                song, path = songs[number % SONGS], f"/{kind}/{number}"
                await notify.create(f"http://127.0.0.1:{ports[kind]}{path}", songs=[song])
                if kind == "healthy":
                    healthy[path] = song
            service = psutil.Process(process.pid)
            before_s = cpu_s(service)
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(watch(service, memory_mb))
                late_s = await append_at(recorder, RATE_HZ, songs, RATE_HZ * LENGTH_S // SONGS)
                await asyncio.sleep(TAIL_S)  # what is still on its way after this is late anyhow
                watching.cancel()
            used_s = cpu_s(service) - before_s
        report = await report_of(endpoints)
    waits_s = report["waits_s"]
    events = RATE_HZ * LENGTH_S // SONGS
    settled_mb, end_mb = quantile(memory_mb[5:15], 0.5), quantile(memory_mb[-10:], 0.5)
    tell(shown(f"append to {len(healthy)} healthy of {len(kinds)} endpoints, {RATE_HZ} events/s in all", waits_s))
    tell(
        f"notify: {used_s:.1f} CPU s, {settled_mb:.0f} MB after 10 s, {end_mb:.0f} MB at the end; endpoints' process "
        f"{report['cpu_s']:.1f} CPU s; appends at most {1e3 * late_s:.0f} ms late"
    )
    assert report["seen"].keys() == healthy.keys()
    assert all(found == list(range(1, events + 1)) for found in report["seen"].values())
    assert end_mb - settled_mb <= GROWTH_MAX_MB
    require_quiet(late_s)
    assert quantile(waits_s, 0.99) <= P99_MAX_S
