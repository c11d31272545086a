"""
The guard of a service's logs: it writes their heads down, and stops the service when a log is not what it was.

It never repairs: what is damaged stays as it is, for whoever restores it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from tapelog_chassis.event_log import (
    AggregateId,
    CorruptStream,
    EventLog,
    ForeignMessage,
    LogItem,
    LogTampered,
    LogUnavailable,
    Metadata,
    NewEvent,
    PositionAhead,
    StoredEvent,
)
from tapelog_chassis.observability.foreign import ForeignMessages

from .digest import Rolling
from .journal import Anchor, AnchorJournal, journal_path, read_journal, verifier_of
from .signing import AnchorKey

ANCHOR_DELAY_S: Final = 1.0
"""Events are anchored at most this long after they were read; also the most anchors there can be: one a second."""
SCAN_EVERY_S: Final = 45.0
"""From the beginning of one reading of the whole log to that of the next: with what the first of its lots may take, a
change is found within 60 s. A log that cannot be read in this time at `SCAN_REST` (some 100,000 events, by machine) is
read as fast as that goes."""
SCAN_FIRST_S: Final = 10.0
"""Before the first reading: a start, which has compared the log's end already, has the processor to itself."""
SCAN_LOT: Final = 500
"""Events read at a time; between two lots the scan rests."""
SCAN_REST: Final = 3.0
"""How long it rests at least, as a multiple of what the lot took: it takes a quarter of a core at most."""
LOOK_EVERY_S: Final = 5.0
"""How often the event at the last anchor is looked at: an end that was cut is found without reading anything else."""
STANDBY_S: Final = 1.0
"""How often a second process on the same folder looks whether the first has gone."""
RETRY_S: Final = 1.0
"""Pause after the log could not be read."""

_log = structlog.get_logger(__name__)


class LogGuard:
    """
    Guards the contexts that a service writes.

    Parameters
    ----------
    log
        The log.
    folder
        Of the journals: best on another disk than the broker's store.
    contexts
        Which logs.
    delay_s
        How long an event may wait for its anchor.
    key_folder
        Of the keys that sign the anchors, made at the first time; None signs none.
    scan_every_s, look_every_s
        How often the whole log is read again, and how often its last anchored event.

    Attributes
    ----------
    tampered
        What was found; None as long as everything is as it was.
    foreign
        Messages in each log that are no events: they change no digest, close one aggregate each, and are told about.
    """

    def __init__(
        self,
        log: EventLog,
        folder: Path,
        contexts: Sequence[str],
        *,
        delay_s: float = ANCHOR_DELAY_S,
        key_folder: Path | None = None,
        scan_every_s: float = SCAN_EVERY_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._log = log
        self._keys = {} if key_folder is None else {name: AnchorKey.open(key_folder, name) for name in contexts}
        self._scan_every_s = scan_every_s
        self._look_every_s = look_every_s
        self._delay_s = delay_s
        self._folder = folder
        self._contexts = tuple(contexts)
        self.tampered: LogTampered | None = None
        self.foreign = {context: ForeignMessages(context) for context in contexts}
        self.log: EventLog = _GuardedLog(log, self)

    def __repr__(self) -> str:
        return f"LogGuard({', '.join(self._contexts)}, tampered={self.tampered is not None})"

    async def check(self) -> None:
        """
        Compare each log's end with its last anchor: before anything is served.

        Raises
        ------
        LogTampered
            If a log ends before its anchor, or has another event there.
        LogUnavailable
            If a log cannot be read.
        """
        for context in self._contexts:
            anchors = await self._read(context)
            if anchors:
                await check_anchor(self._log, context, anchors[-1])
            elif await self._log.head(context):
                _log.warning("a log has no anchors yet; it is taken as it is", context=context)

    async def run(self) -> None:
        """
        Anchor new events and read old ones again, for ever.

        Raises
        ------
        LogTampered
            In a group: as soon as something does not fit; from then on `log` refuses every append.
        """
        async with asyncio.TaskGroup() as group:
            for context in self._contexts:
                group.create_task(self._noticing(self._anchor(context)), name=f"anchors of {context}")
                group.create_task(self._noticing(self._scan(context)), name=f"scan of {context}")
                group.create_task(self._noticing(self._look(context)), name=f"look at {context}")

    async def _read(self, context: str) -> list[Anchor]:
        verifier = verifier_of(self._keys.get(context))
        return await asyncio.to_thread(read_journal, journal_path(self._folder, context), context, verifier=verifier)

    async def _noticing(self, work: object) -> None:
        try:
            await work  # type: ignore[misc]  # one of the two coroutines of `run`
        except LogTampered as tampered:
            self.tampered = tampered
            _log.critical("the log was changed", context=tampered.context, reason=tampered.reason)
            raise

    async def _anchor(self, context: str) -> None:
        journal = AnchorJournal(self._folder, context, key=self._keys.get(context))
        while True:
            try:
                await asyncio.to_thread(journal.__enter__)
                break
            except BlockingIOError:
                await asyncio.sleep(STANDBY_S)
        try:
            await self._follow(context, journal)
        finally:
            journal.__exit__()

    async def _follow(self, context: str, journal: AnchorJournal) -> None:
        """Read on from the last anchor; a second task writes down how far, so that a slow disk holds up no reading."""
        place = journal.last.rolling if journal.last else Rolling.start(context)
        read = asyncio.Event()

        async def write() -> None:
            while True:
                await read.wait()
                await asyncio.sleep(self._delay_s)
                read.clear()
                try:
                    await asyncio.to_thread(journal.append, place)
                except OSError as error:  # a full disk does not end the service; what was read is written later
                    _log.error("head of the log not written down", context=context, error=str(error))
                    read.set()
                    await asyncio.sleep(RETRY_S)

        found: LogTampered | None = None
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(write(), name=f"journal of {context}")
            try:
                async for item in self._log.tail(context, after_position=place.position):
                    if isinstance(item, ForeignMessage):
                        self.foreign[context].note(item)
                        continue
                    place = place.after(item)
                    read.set()
            except (PositionAhead, CorruptStream) as error:
                found = LogTampered(context, str(error))
                writing.cancel()
            except asyncio.CancelledError:
                if place.events:
                    with contextlib.suppress(OSError):
                        journal.append(place)  # an orderly stop leaves nothing unanchored that was read
                raise
        if found is not None:
            raise found

    async def _scan(self, context: str) -> None:
        """Read the log again and again; where there is time, the reading is spread over all of it."""
        rest = SCAN_REST
        await asyncio.sleep(min(SCAN_FIRST_S, self._scan_every_s))
        while True:
            began_s = time.monotonic()
            anchors = await self._read(context)
            if anchors:
                try:
                    busy_s = await scan_resting(self._log, context, anchors, rest=rest, foreign=self.foreign[context])
                except LogUnavailable as error:
                    _log.info("scan begins anew", context=context, error=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                took_s = time.monotonic() - began_s
                rest = max(SCAN_REST, self._scan_every_s / max(busy_s, 0.001) / 2)
                _log.debug("log verified", context=context, events=anchors[-1].events, took_s=round(took_s, 1))
            await asyncio.sleep(max(RETRY_S, began_s + self._scan_every_s - time.monotonic()))

    async def _look(self, context: str) -> None:
        """Look at the last anchored event: it stays where it is for ever."""
        while True:
            await asyncio.sleep(self._look_every_s)
            with contextlib.suppress(LogUnavailable):
                if anchors := await self._read(context):
                    await check_anchor(self._log, context, anchors[-1])


async def check_anchor(log: EventLog, context: str, anchor: Anchor) -> None:
    """Compare one anchor with the event at its position (`LogTampered`)."""
    head = await log.head(context)
    if head < anchor.position:
        raise LogTampered(
            context, f"it ends at {head}, but was at {anchor.position} ({anchor.time}): its end is missing"
        )
    try:
        async for item in log.read_all(context, after_position=anchor.position - 1):
            if isinstance(item, StoredEvent) and (item.position, item.hash) == (anchor.position, anchor.event_hash):
                return
            break
    except CorruptStream as error:
        raise LogTampered(context, str(error)) from error
    raise LogTampered(context, f"at position {anchor.position} is not the event that was there ({anchor.time})")


async def scan(log: EventLog, context: str, anchors: Sequence[Anchor]) -> Rolling:
    """
    Read a log from its first event to the last anchor and compare it with every anchor on the way.

    Parameters
    ----------
    log, context
        What to read.
    anchors
        In order, at least one.

    Raises
    ------
    LogTampered
        At the first anchor that does not fit.
    """
    last = Rolling.start(context)
    async for place in _compared(log, context, anchors):
        last = place
    return last


async def scan_resting(
    log: EventLog, context: str, anchors: Sequence[Anchor], *, rest: float, foreign: ForeignMessages | None = None
) -> float:
    """Do the same in lots, with a pause after each that is `rest` times as long; return how long the lots took."""
    busy_s, began_s = 0.0, time.monotonic()
    async for place in _compared(log, context, anchors, foreign):
        if place.events % SCAN_LOT == 0:
            took_s = time.monotonic() - began_s
            busy_s += took_s
            await asyncio.sleep(rest * took_s)
            began_s = time.monotonic()
    return busy_s + time.monotonic() - began_s


async def _compared(
    log: EventLog, context: str, anchors: Sequence[Anchor], foreign: ForeignMessages | None = None
) -> AsyncIterator[Rolling]:
    """Yield each place up to the last anchor; foreign messages are no events and lead to no other place."""
    place, waiting = Rolling.start(context), iter(anchors)
    anchor = next(waiting)
    try:
        async for item in log.read_all(context):
            if isinstance(item, ForeignMessage):
                if foreign is not None:
                    foreign.note(item)
                continue
            place = place.after(item)
            if place.position >= anchor.position:
                _compare(context, place, anchor)
                following = next(waiting, None)
                yield place
                if following is None:
                    return
                anchor = following
            else:
                yield place
    except CorruptStream as error:
        raise LogTampered(context, str(error)) from error
    raise LogTampered(
        context, f"it ends at {place.position}, but was at {anchor.position} ({anchor.time}): its end is missing"
    )


def _compare(context: str, place: Rolling, anchor: Anchor) -> None:
    if place == anchor.rolling:
        return
    if place.events != anchor.events:
        found = f"{place.events} events up to position {place.position}, there were {anchor.events}"
        raise LogTampered(context, f"it has {found} up to {anchor.position} ({anchor.time})")
    raise LogTampered(context, f"what lies up to position {anchor.position} is not what lay there ({anchor.time})")


class _GuardedLog:
    """The log as the service uses it: the same, until something was found; then nothing is added any more."""

    def __init__(self, log: EventLog, guard: LogGuard) -> None:
        self._inner = log
        self._guard = guard

    def __repr__(self) -> str:
        return f"{self._guard!r} of {self._inner!r}"

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """See `EventLog.append`; raises `LogTampered` once the log was found changed."""
        if self._guard.tampered is not None:
            raise self._guard.tampered
        return await self._inner.append(aggregate, expected_sequence, events, metadata)

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """See `EventLog.load`."""
        return await self._inner.load(aggregate, after_sequence=after_sequence, after_position=after_position)

    def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.read_all`."""
        return self._inner.read_all(context, after_position=after_position)

    def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.tail`."""
        return self._inner.tail(context, after_position=after_position)

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        return await self._inner.head(context)
