"""The broker's disk fills up under W, and gets more room: nothing acknowledged is lost, and nobody waits in vain."""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tapelog_chassis.testing import eventually

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.disks import memory_disk, resize
from .harness.needs import root_and
from .harness.rig import running
from .harness.workload import Workload, workload

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), *root_and("mount", "umount")]

DISK_MIB: Final = 64
LEFT_BYTES: Final = 4 * 1024**2
GROWN_MIB: Final = 200
STORE_BYTES: Final = 512 * 1024**2
"""More than the disk: it is the disk that is full and not a quota."""
NOT_READY_S: Final = 8.0
"""Health is at most so late (ADR 0079)."""
REFUSED_S: Final = 2.0
FULL_S: Final = 15.0
HEALED_S: Final = 15.0
LATE_S: Final = 0.5

Judge = Callable[[Workload], Verdict]


async def test_a_disk_that_fills_up_and_gets_room_again(tmp_path: Path, judged: Judge, row: Row) -> None:
    """Not ready in time, refusals at once, reading goes on; with room again the supervisor brings the broker back."""
    with memory_disk(tmp_path / "disk", DISK_MIB) as disk:
        logs = tmp_path / "logs"
        logs.mkdir()
        async with running(disk / "data", store_bytes=STORE_BYTES, logs=logs) as rig, workload(rig) as run:
            run.history.planned = 1
            await run.grow(200)
            async with run.fault("disk full"), rig.api("pty-producer") as api:
                free = shutil.disk_usage(disk).free
                (disk / "ballast").write_bytes(bytes(free - LEFT_BYTES))
                await eventually(lambda: "UNAVAILABLE" in run.codes or "DEADLINE_EXCEEDED" in run.codes, within_s=60)
                begun_s = time.monotonic()
                session = rig.parts["session"]

                async def is_unready() -> bool:
                    return not await session.serves()

                await eventually(is_unready, within_s=60, every_s=0.05)
                unready_s = time.monotonic() - begun_s
                run.slowest_s = 0.0
                acked = run.acked
                await asyncio.sleep(FULL_S)
                refused_s, acked = run.slowest_s, run.acked - acked
                assert (await api.songs.get(run.songs[0])).name == run.songs[0]
                begun_s = time.monotonic()
                resize(disk, GROWN_MIB)
                await run.grow(1)
                await session.serving()
                healed_s = time.monotonic() - begun_s
            await run.grow(500)
    verdict = judged(run)
    row(
        "F12",
        f"disk full, then grown: not ready within {NOT_READY_S:g} s, refused within {REFUSED_S:g} s, songs can be "
        f"read, well within {HEALED_S:g} s of having room, lost 0",
        f"not ready after {unready_s:.1f} s, refused in {refused_s:.2f} s at most, {acked} acked while full, well "
        f"after {healed_s:.1f} s; {verdict}",
    )
    assert unready_s <= NOT_READY_S
    assert refused_s <= REFUSED_S + LATE_S
    assert healed_s <= HEALED_S
