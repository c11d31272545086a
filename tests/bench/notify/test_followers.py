"""A thousand gRPC followers over a hundred songs at 200 events a second; `pytest -m bench -s`."""

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
FOLLOWERS = 1000
SONGS = 100
PROCESSES = 2
RATE_HZ = 200
LENGTH_S = 20
P99_MAX_S = 0.25


async def start_followers(asked: dict[str, Any]) -> asyncio.subprocess.Process:
    """Start a process of followers and wait until they all follow."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("followers.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    async with asyncio.timeout(120.0):
        assert (await process.stdout.readline()).strip() == b"ready"
    return process


def waits_s_of(reports: list[dict[str, Any]], start_s: float, end_s: float) -> list[float]:
    """Return the waits of the events that were appended in a part of the run."""
    first_s = min(time_s for report in reports for time_s in report["times_s"])
    return [
        wait_s
        for report in reports
        for time_s, wait_s in zip(report["times_s"], report["waits_s"], strict=True)
        if start_s <= time_s - first_s < end_s
    ]


async def test_a_thousand_followers(broker: Broker, recorder: Recorder, tmp_path: Path) -> None:
    """Gaps, repeats and disorder are 0 for each; from append to receipt p99 is at most 250 ms."""
    settings = settings_for(broker, tmp_path, port=free_port())
    songs = [f"sng-{number}" for number in range(SONGS)]
    events = RATE_HZ * LENGTH_S // SONGS
    async with NotifyProcess(settings) as process:
        await process.start()
        address = f"127.0.0.1:{settings.port}"
        async with connected_client(settings, address) as notify:
            await notify.channel.channel_ready()
            metadata = notify.caller()
            own = [songs[number % SONGS] for number in range(FOLLOWERS)]
            share = FOLLOWERS // PROCESSES
            followers = await asyncio.gather(
                *(
                    start_followers(
                        {
                            "address": address,
                            "metadata": metadata,
                            "songs": own[n * share : (n + 1) * share],
                            "channels": 8,
                            "events": events,
                            "length_s": LENGTH_S,
                        }
                    )
                    for n in range(PROCESSES)
                )
            )
            service = psutil.Process(process.pid)
            before_s = cpu_s(service)
            late_s = await append_at(recorder, RATE_HZ, songs, events)
            reports = [json.loads((await one.stdout.readline()).decode()) for one in followers if one.stdout]
            used_s = cpu_s(service) - before_s
            memory_mb = service.memory_info().rss / 1e6
            for one in followers:
                await one.wait()
    sequences = [found for report in reports for found in report["sequences"]]
    wrong = [found for found in sequences if found != list(range(1, events + 1))]
    waits_s = [wait_s for report in reports for wait_s in report["waits_s"]]
    tell(shown(f"append to {FOLLOWERS} gRPC followers, {RATE_HZ} events/s in all", waits_s))
    client_s = sum(report["cpu_s"] for report in reports)
    tell(
        f"notify: {used_s:.1f} CPU s and {memory_mb:.0f} MB for {len(waits_s)} deliveries in {LENGTH_S} s; "
        f"followers' processes {client_s:.1f} CPU s; appends at most {1e3 * late_s:.0f} ms late"
    )
    # Where a bad second is the machine's and not the service's, the others show it.
    half_s = LENGTH_S * 2
    slices = [waits_s_of(reports, number / 2, (number + 1) / 2) for number in range(half_s)]
    tell("p99 by half second, ms: " + " ".join(f"{1e3 * quantile(part, 0.99):.0f}" for part in slices if part))
    assert (len(sequences), wrong) == (FOLLOWERS, [])
    require_quiet(late_s)
    assert quantile(waits_s, 0.99) <= P99_MAX_S
