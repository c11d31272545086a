"""The past of aggregates: read from the log, folded into state, remembered in snapshots."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar

import msgspec
import structlog
from google.protobuf.message import Message

from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.aggregates.log_refusals import refusal_of
from tapelog_chassis.aggregates.versioned import FORMAT, SnapshotCodec, Versioned, pack, unpack
from tapelog_chassis.errors import DataLoss, OutOfRange
from tapelog_chassis.event_log import (
    AggregateId,
    EventLog,
    EventLogError,
    LogUnavailable,
    SnapshotStore,
    SnapshotTooLarge,
    StoredEvent,
)

SNAPSHOT_EVERY: Final = 200
"""Events between two snapshots: folding this many takes a few milliseconds."""

S = TypeVar("S")
Evolve = Callable[[S, Message, StoredEvent], S]
"""The pure fold: the state after an event."""

_log = structlog.get_logger(__name__)


class History(Generic[S]):
    """Reads and folds the aggregates of one type; keeps nothing itself.

    Parameters
    ----------
    log : EventLog
    initial : Callable[[], S]
        Makes the state before the first event.
    evolve : Evolve
    events : EventRegistry
    snapshots, codec : SnapshotStore, SnapshotCodec, optional
        Both or none.
    snapshot_every : int
        Events between two snapshots.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        initial: Callable[[], S],
        evolve: Evolve[S],
        events: EventRegistry,
        snapshots: SnapshotStore | None = None,
        codec: SnapshotCodec[S] | None = None,
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        if (snapshots is None) != (codec is None):
            raise ValueError("snapshots need a store and a codec")
        self._log = log
        self._initial = initial
        self._evolve = evolve
        self._events = events
        self._snapshots = snapshots
        self._codec = codec
        self._snapshot_every = snapshot_every

    async def latest(self, aggregate: AggregateId, known: Versioned[S] | None) -> Versioned[S]:
        """Return the version at the log's end, read on from what is known."""
        base = known or await self._from_snapshot(aggregate) or Versioned(self._initial())
        stored = await self.read(aggregate, after_sequence=base.sequence, after_position=base.position)
        return self.fold(base, stored)

    async def as_of(
        self, aggregate: AggregateId, *, sequence: int | None, time: datetime | None
    ) -> tuple[Versioned[S], list[StoredEvent]]:
        """Return the version right after `sequence`, or before the first event later than `time`, and its events.

        Raises
        ------
        OutOfRange
            `sequence` is beyond the last event, or negative.
        """
        stored = await self.read(aggregate)
        if sequence is not None and not 0 <= sequence <= len(stored):
            raise OutOfRange(
                "SEQUENCE_OUT_OF_RANGE",
                f"as_of_sequence {sequence} is outside 0 to {len(stored)}, the history of {aggregate.id}",
                metadata={"as_of_sequence": sequence, "last_sequence": len(stored)},
            )
        last = len(stored) if sequence is None else sequence
        if time is not None:
            last = next((n for n, event in enumerate(stored[:last]) if event.time > time), last)
        return self.fold(Versioned(self._initial()), stored[:last]), stored[:last]

    async def read(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """Read events; the log's failures become refusals."""
        try:
            return await self._log.load(aggregate, after_sequence=after_sequence, after_position=after_position)
        except EventLogError as failure:
            raise (refusal_of(failure) or failure) from failure

    def fold(self, versioned: Versioned[S], stored: Sequence[StoredEvent]) -> Versioned[S]:
        """Return the version after some more events; `DataLoss` when they do not continue it."""
        state, sequence, previous_hash = versioned.state, versioned.sequence, versioned.hash
        for event in stored:
            if event.sequence != sequence + 1 or (previous_hash and event.previous_hash != previous_hash):
                raise DataLoss(
                    "HISTORY_CORRUPT",
                    f"event {event.sequence} of {event.aggregate} does not continue event {sequence}, which "
                    "this service has read before; the operator has to restore the log",
                    metadata={"aggregate": event.aggregate, "sequence": event.sequence},
                )
            state = self._evolve(state, self._events.decode(event), event)
            sequence, previous_hash = event.sequence, event.hash
        return versioned.after(state, stored)

    async def _from_snapshot(self, aggregate: AggregateId) -> Versioned[S] | None:
        if self._snapshots is None or self._codec is None:
            return None
        try:
            snapshot = await self._snapshots.get(aggregate, _schema_hash(self._codec))
            if snapshot is not None:
                return unpack(snapshot.sequence, snapshot.position, snapshot.data, self._codec)
        except (EventLogError, msgspec.MsgspecError) as failure:
            _log.warning(
                "snapshot not usable, folding the whole history", aggregate=str(aggregate), cause=repr(failure)
            )
        return None

    async def keep_snapshot(self, aggregate: AggregateId, before: int, versioned: Versioned[S]) -> None:
        """Keep a snapshot when a multiple of `snapshot_every` was passed."""
        if self._snapshots is None or self._codec is None:
            return
        if before // self._snapshot_every == versioned.sequence // self._snapshot_every:
            return
        try:
            await self._snapshots.put(
                aggregate,
                versioned.sequence,
                _schema_hash(self._codec),
                pack(versioned, self._codec),
                position=versioned.position,
            )
        except (SnapshotTooLarge, LogUnavailable) as failure:
            _log.warning("snapshot not kept", aggregate=str(aggregate), cause=repr(failure))


def _schema_hash(codec: SnapshotCodec[S]) -> str:
    return f"{FORMAT}-{codec.schema_hash}"
