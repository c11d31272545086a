"""Writing the audit beside the calls: they put a record into a queue and go on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from tapelog_chassis import telemetry

from .files import AuditBusy, AuditFiles
from .record import Decision, Line

QUEUE_MAX: Final = 20_000
"""Records that wait for the disk, several seconds of the fastest service; what is beyond is counted in a `gap`."""
INSTANCES_MAX: Final = 8
"""Instances of a service that may share a folder; beyond it they need folders of their own."""
WRITE_EVERY_S: Final = 0.1
"""A record is the system's this much later at most: kill -9 loses no more than that."""
LOT: Final = 64
"""Records that are written at once: a call of the system each would cost more than making the lines."""
SYNC_EVERY_S: Final = 1.0
"""And the disk's this much later: what a power cut loses."""

_log = structlog.get_logger(__name__)


class AuditLog:
    """A service's audit: `record` from calls, while `running`.

    Parameters
    ----------
    folder, anchors : Path
        Where the files are, and where the head is noted; best on different disks.
    service : str
    queue_max : int
    """

    def __init__(self, folder: Path, anchors: Path, service: str, *, queue_max: int = QUEUE_MAX) -> None:
        self._place = (folder, anchors, service)
        self._service = service
        self._queue: deque[Decision] = deque()
        self._queue_max = queue_max
        self._lost = 0

    def record(self, decision: Decision) -> None:
        """Take one record; never waits. Beyond the queue's limit it is counted."""
        if len(self._queue) >= self._queue_max:
            self._lost += 1
            telemetry.AUDIT_LOST.inc()
            return
        decision.time_s = time.time()
        self._queue.append(decision)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write for as long as the context lasts, and everything that is left at its end.

        Raises
        ------
        AuditTampered
            What is there was cut, edited or rolled back.
        AuditBusy
            `INSTANCES_MAX` others write there.
        """
        files = await asyncio.to_thread(self._open)
        self._add(files, "started")
        task = asyncio.create_task(self._write_forever(files), name="audit")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await asyncio.to_thread(self._finish, files)

    def _open(self) -> AuditFiles:
        """Open the first audit that nobody writes: two instances of a service keep `session` and `session2`."""
        folder, anchors, service = self._place
        names = [service, *(f"{service}{number}" for number in range(2, INSTANCES_MAX + 1))]
        for name in names[:-1]:
            with contextlib.suppress(AuditBusy):
                return AuditFiles(folder, anchors, name)
        return AuditFiles(folder, anchors, names[-1])

    async def _write_forever(self, files: AuditFiles) -> None:
        synced_s = time.monotonic()
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            is_due = time.monotonic() - synced_s >= SYNC_EVERY_S
            if not (self._queue or self._lost or is_due):
                continue
            writing = asyncio.create_task(asyncio.to_thread(self._write, files, sync=is_due))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await writing
                raise
            except OSError as failure:
                telemetry.AUDIT_FAILURES.inc()
                _log.error("audit cannot be written; records wait", detail=str(failure), waiting=len(self._queue))
            if is_due:
                synced_s = time.monotonic()

    def _write(self, files: AuditFiles, *, sync: bool) -> None:
        while self._queue:
            # By place and not by iteration, which calls that add records would disturb.
            lot = [_line_of(self._queue[place]) for place in range(min(LOT, len(self._queue)))]
            files.add(*lot)
            for _ in lot:
                self._queue.popleft()
        if self._lost:
            lost, self._lost = self._lost, 0
            self._add(files, "gap", lost=lost)
        if sync:
            files.sync()

    def _finish(self, files: AuditFiles) -> None:
        try:
            self._write(files, sync=False)
            self._add(files, "stopped")
        except OSError as failure:
            telemetry.AUDIT_FAILURES.inc()
            _log.error("audit is not complete", detail=str(failure), missing=len(self._queue) + self._lost)
        with contextlib.suppress(OSError):
            files.close()

    @staticmethod
    def _add(files: AuditFiles, kind: str, *, lost: int = 0) -> None:
        files.add(Line(0, _rfc3339(time.time()), kind=kind, lost=lost))

    def __repr__(self) -> str:
        return f"AuditLog({self._service!r}, waiting={len(self._queue)})"


def _line_of(decision: Decision) -> Line:
    return Line(
        0,
        _rfc3339(decision.time_s),
        tenant=decision.tenant,
        party=decision.party,
        caller=decision.caller,
        on_behalf_of=decision.on_behalf_of,
        rpc=decision.rpc,
        resource=decision.resource,
        decision=decision.decision,
        reason=decision.reason,
        code=decision.code,
        trace=decision.trace,
        identity=decision.identity,
    )


def _rfc3339(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
