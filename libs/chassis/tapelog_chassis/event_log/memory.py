"""The log in memory: for tests, held to the same contract as JetStream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from . import chain
from .codec import check_size
from .continuity import Continuity, Link, first_link
from .errors import DuplicateEventId, PositionAhead
from .port import AggregateId, LogItem, Metadata, NewEvent, Snapshot, StoredEvent


class MemoryEventLog:
    """An `EventLog` that keeps everything in this process and forgets it at the end."""

    def __init__(self) -> None:
        self._contexts: dict[str, list[StoredEvent]] = {}
        self._aggregates: dict[AggregateId, list[StoredEvent]] = {}
        self._event_ids: set[tuple[str, str]] = set()
        self._appended = asyncio.Condition()

    def __repr__(self) -> str:
        return f"MemoryEventLog({sum(map(len, self._contexts.values()))} events)"

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """See `EventLog.append`."""
        chain.check_new(events)
        history = self._aggregates.get(aggregate, [])
        keys = {(aggregate.context, event.event_id) for event in events}
        if len(history) != expected_sequence or keys & self._event_ids:
            chain.verify(aggregate, history)
            earlier = chain.already_stored(aggregate, expected_sequence, events, history)
            if earlier is not None:
                return earlier
        if taken := keys & self._event_ids:
            raise DuplicateEventId(aggregate, sorted(event_id for _, event_id in taken))
        previous_hash = history[-1].hash if history else chain.genesis_hash(aggregate)
        sealed = chain.seal(aggregate, expected_sequence, previous_hash, events, metadata)
        for event in sealed:
            check_size(event)
        everything = self._contexts.setdefault(aggregate.context, [])
        stored = [replace(event, position=len(everything) + n) for n, event in enumerate(sealed, start=1)]
        everything.extend(stored)
        self._aggregates.setdefault(aggregate, []).extend(stored)
        self._event_ids |= keys
        async with self._appended:
            self._appended.notify_all()
        return stored

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """See `EventLog.load`."""
        del after_position  # a hint for logs that would have to look for the start
        history = self._aggregates.get(aggregate, [])
        found = history[after_sequence:]
        previous_hash = history[after_sequence - 1].hash if 0 < after_sequence <= len(history) else None
        chain.verify(aggregate, found, after_sequence=after_sequence, previous_hash=previous_hash)
        return found

    async def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.read_all`."""
        continuity = Continuity(self._link_before, after_position=after_position)
        for event in self._contexts.get(context, [])[after_position:]:
            yield await continuity.sort(event)

    async def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.tail`."""
        everything = self._contexts.setdefault(context, [])
        if after_position > len(everything):
            raise PositionAhead(context, after_position, len(everything))
        position = after_position
        continuity = Continuity(self._link_before, after_position=after_position)
        while True:
            async with self._appended:
                while len(everything) <= position:
                    await self._appended.wait()
            for event in everything[position:]:
                position = event.position
                yield await continuity.sort(event)

    async def _link_before(self, aggregate: AggregateId, position: int) -> Link:
        before = [event for event in self._aggregates.get(aggregate, []) if event.position < position]
        return (before[-1].sequence, before[-1].hash) if before else first_link(aggregate)

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        return len(self._contexts.get(context, []))


class MemorySnapshotStore:
    """A `SnapshotStore` in this process."""

    def __init__(self) -> None:
        self._snapshots: dict[AggregateId, tuple[str, Snapshot]] = {}

    async def put(
        self, aggregate: AggregateId, sequence: int, schema_hash: str, data: bytes, *, position: int = 0
    ) -> None:
        """See `SnapshotStore.put`."""
        self._snapshots[aggregate] = (schema_hash, Snapshot(sequence, position, data))

    async def get(self, aggregate: AggregateId, schema_hash: str) -> Snapshot | None:
        """See `SnapshotStore.get`."""
        kept_hash, snapshot = self._snapshots.get(aggregate, ("", None))
        return snapshot if kept_hash == schema_hash else None
