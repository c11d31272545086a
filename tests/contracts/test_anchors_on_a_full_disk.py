"""A disk without room for anchors: nothing is torn, nobody ends, and with room again the heads are written down."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import pytest
from tapelog_chassis.anchors import (
    AnchorJournal,
    AnchorKey,
    AnchorVerifier,
    LogGuard,
    Rolling,
    journal_path,
    read_journal,
)
from tapelog_chassis.event_log import AggregateId, Metadata
from tapelog_chassis.event_log.memory import MemoryEventLog
from tapelog_chassis.testing import eventually, new_event

from tests.faults.harness.disks import memory_disk
from tests.faults.harness.needs import root_and

pytestmark = root_and("mount", "umount")
SONG, WHO = AggregateId("session", "acme", "sng-1"), Metadata(actor="pty-ana")


def fill(disk: Path) -> Path:
    """Take the room that is left, but for a part of a line."""
    ballast = disk / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)
    assert shutil.disk_usage(disk).free == 0
    return ballast


def test_a_line_that_does_not_fit_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    """Lines until the disk is full: the last one is refused whole, and written when there is room."""
    with memory_disk(tmp_path / "disk", 1) as disk:
        key = AnchorKey.open(tmp_path / "keys", "session")
        with AnchorJournal(disk, "session", key=key) as journal:
            journal.append(Rolling(1, 1, "0" * 64, "1" * 64))
            ballast, position = fill(disk), 1

            def write_on() -> None:
                nonlocal position
                for position in range(2, 100):
                    journal.append(Rolling(position, position, "0" * 64, "1" * 64))

            with pytest.raises(OSError, match="No space"):
                write_on()
            content = journal_path(disk, "session").read_bytes()
            assert content.endswith(b"\n")
            assert content.count(b"\n") == position - 1
            ballast.unlink()
            journal.append(Rolling(position, position, "0" * 64, "1" * 64))
        anchors = read_journal(
            journal_path(disk, "session"), "session", verifier=AnchorVerifier.read(tmp_path / "keys", "session")
        )
        assert anchors[-1].position == position


async def test_a_guard_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    """Its service is not ended by the disk: the log is followed, and its head written down in the end."""
    with memory_disk(tmp_path / "disk", 1) as disk:
        log = MemoryEventLog()
        guard = LogGuard(log, disk, ("session",), key_folder=tmp_path / "keys", delay_s=0.01)
        running = asyncio.create_task(guard.run())
        path = journal_path(disk, "session")
        await log.append(SONG, 0, [new_event("0")], WHO)
        await eventually(lambda: len(read_journal(path, "session")) == 1)
        ballast = fill(disk)
        for n in range(1, 40):
            await log.append(SONG, n, [new_event(str(n))], WHO)
            await asyncio.sleep(0.02)
        assert not running.done()
        assert read_journal(path, "session")[-1].position < 40
        ballast.unlink()
        await eventually(lambda: read_journal(path, "session")[-1].position == 40, within_s=30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
