"""`kill -9` again and again, and a broker that answers nobody for a while: what was acknowledged is there, once."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.quiet import Lap, Stopwatch
from .harness.rig import running
from .harness.workload import CALL_S, SEED, Workload, workload

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SERVICE_KILLS: Final = 20
BROKER_KILLS: Final = 10
BETWEEN_S: Final = (0.5, 2.5)
BACK_S: Final = 5.0
"""A process's recovery time (P10)."""
FREEZE_S: Final = 8.0
LATE_S: Final = 0.5
"""How long after its deadline a call may still hold its caller."""
UNKNOWN: Final = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
EVERYONE: Final = 32
"""Acknowledgements that show that all clients write again: two of each."""

Judge = Callable[[Workload], Verdict]


async def _kill_again_and_again(run: Workload, name: str, times: int) -> list[Lap]:
    """Kill at random; return how long it took each time until writers and subscriber went on."""
    chance, laps = random.Random(SEED), []
    run.history.planned = times
    for _ in range(times):
        await asyncio.sleep(chance.uniform(*BETWEEN_S))
        async with run.fault(f"kill {name}"):
            await run.rig.kill(name)
            watch = Stopwatch()
            await run.rig.back(name)
            await run.grow(1)
            await run.followed()
            laps.append(watch.lap(run.rig.pid(name)))
            await run.grow(EVERYONE)
    return laps


def _told(verdict: Verdict, laps: list[Lap]) -> str:
    quiet, clock = (sorted(values) for values in zip(*((lap.quiet_s, lap.clock_s) for lap in laps), strict=True))
    middle = len(laps) // 2
    return (
        f"{verdict}; back in {quiet[middle]:.1f} s, at most {quiet[-1]:.1f} s "
        f"({clock[middle]:.1f} s and {clock[-1]:.1f} s with the wait for a shared processor)"
    )


async def test_twenty_deaths_of_the_session_service(tmp_path: Path, judged: Judge, row: Row) -> None:
    """Twenty kill -9 of the session service under W: nothing lost, doubled or out of order; back within 5 s each."""
    async with running(tmp_path / "data") as rig, workload(rig) as run:
        laps = await _kill_again_and_again(run, "session", SERVICE_KILLS)
    verdict = judged(run)
    row("F01", "session killed 20 times: lost 0, dup 0, gap 0; back within 5 s", _told(verdict, laps))
    assert run.codes <= UNKNOWN
    assert max(lap.quiet_s for lap in laps) <= BACK_S


async def test_ten_deaths_of_the_broker(tmp_path: Path, judged: Judge, row: Row) -> None:
    """Ten kill -9 of nats-server under W: nothing lost, doubled or out of order; writers and readers resume."""
    async with running(tmp_path / "data") as rig, workload(rig) as run:
        laps = await _kill_again_and_again(run, "nats", BROKER_KILLS)
    verdict = judged(run)
    row("F02", "nats-server killed 10 times: lost 0, dup 0; all resume within 5 s", _told(verdict, laps))
    assert run.codes <= UNKNOWN
    assert max(lap.quiet_s for lap in laps) <= BACK_S


async def test_a_broker_that_answers_nobody_for_eight_seconds(tmp_path: Path, judged: Judge, row: Row) -> None:
    """SIGSTOP of nats-server: calls end by their deadline as unknown; asked again, each key has one event."""
    async with running(tmp_path / "data") as rig, workload(rig) as run:
        run.history.planned = 1
        await run.grow(EVERYONE)
        async with run.fault("freeze nats"):
            async with rig.frozen("nats"):
                await asyncio.sleep(FREEZE_S)
            back_s = await run.grow(EVERYONE)
        await run.grow(10 * EVERYONE)
    verdict = judged(run)
    row(
        "F07",
        "nats-server frozen for 8 s: calls return by deadline + 0.5 s, events = keys",
        f"{verdict}; slowest call {run.slowest_s:.2f} s of {CALL_S:.1f} s, all answered {back_s:.1f} s after",
    )
    assert run.codes <= UNKNOWN
    assert run.slowest_s <= CALL_S + LATE_S
