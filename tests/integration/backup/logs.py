"""A log to be backed up: events that somebody appended, with their anchors."""

import asyncio
from pathlib import Path

from tapelog_chassis.anchors import LogGuard, journal_path, read_journal
from tapelog_chassis.event_log import AggregateId, EventLog, Metadata
from tapelog_chassis.testing import eventually, new_event

WHO = Metadata(actor="pty-ana", role_used="PRODUCER")
CONTEXT = "session"
ANCHORED_S = 600.0


def song(number: int) -> AggregateId:
    """Name a song."""
    return AggregateId(CONTEXT, "acme", f"sng-{number}")


async def fill(
    log: EventLog, folder: Path, count: int, *, first: int = 0, batch: int = 10, body: bytes = b"body"
) -> None:
    """Append events to songs of `batch` events each, and have them anchored."""
    guard = LogGuard(log, folder, (CONTEXT,), delay_s=0.02)
    path = journal_path(folder, CONTEXT)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(guard.run())
        for n in range(first, first + count, batch):
            events = [new_event(f"{n + k}", body + f" {n + k}".encode()) for k in range(batch)]
            await log.append(song(n), 0, events, WHO)
        await eventually(
            lambda: bool(found := read_journal(path, CONTEXT)) and found[-1].events == first + count,
            within_s=ANCHORED_S,
        )
        task.cancel()
