"""
The broker and its disk, in memory: logs, the public stream, durable consumers, the work queue.

What it keeps through a death is what JetStream was measured to keep with `sync_interval: always`: every acknowledged
message, and an atomic batch whole or not at all; but not how far a consumer had acknowledged, nor who has which lease.
Each defect in `Defect` takes one of these away, or one of our own safeguards, so that a test can show that the
simulation would notice.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from tapelog_chassis.event_log import (
    AggregateId,
    ConcurrencyConflict,
    DuplicateEventId,
    Metadata,
    NewEvent,
    StoredEvent,
    chain,
)
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_notify.adapters.public_codec import encode_public
from tapelog_notify.application.ports import End, Outgoing
from tapelog_notify.errors import FenceLost

from .faults import NoAnswer, Trace

UNSYNCED_MAX: Final = 4
"""Messages that are lost in a power cut where the disk is not synced."""


class Defect(Enum):
    """A safeguard that is switched off."""

    NO_OCC = "appends do not look at the expected sequence"
    NO_DEDUP = "nobody remembers request and event ids"
    NO_SYNC = "what is acknowledged is not on the disk yet"
    NO_FENCE = "the public stream takes writes from whoever comes"
    NO_CURSOR = "consumers count as done what was only handed out"
    TORN_BATCH = "half a batch may stay"
    OTHER_ORDER = "the public stream is delivered in another order than its own"


@dataclass(slots=True)
class Place:
    """How far a durable consumer is: what was handed out and is not settled, and what comes next."""

    next: int = 0
    leases: dict[int, float] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    floor_before: int = 0

    def forget(self, rng: random.Random) -> None:
        """Go back to what was on the disk: an older floor, and no lease."""
        floor = min([self.next, *self.leases])
        self.next = rng.randint(min(self.floor_before, floor), floor)
        self.leases.clear()
        self.tries.clear()
        self.floor_before = self.next


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class SimulatedBroker:
    """One broker; `kill` and `start` are a power cut and what comes after it."""

    def __init__(
        self, rng: random.Random, *, trace: Trace | None = None, defects: frozenset[Defect] = frozenset()
    ) -> None:
        self._rng = rng
        self.trace = trace or Trace()
        self.defects = defects
        self.is_up = True
        self.contexts: dict[str, list[StoredEvent]] = {}
        self.aggregates: dict[AggregateId, list[StoredEvent]] = {}
        self.event_ids: set[tuple[str, str]] = set()
        self.public: list[StoredMessage] = []
        self.positions: dict[str, int] = {}
        self.places: dict[str, Place] = {}
        self.jobs: dict[Any, Any] = {}
        self.dies_at_write = 0.0
        """Chance that the power goes in the middle of a write."""
        self.loses_queue = False
        """Whether its death costs the work queue, which the log can make anew."""
        self.on_death: Callable[[], None] = lambda: None
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def __repr__(self) -> str:
        return f"SimulatedBroker({'up' if self.is_up else 'down'}, {len(self.public)} public)"

    def require(self) -> None:
        """Raise `NoAnswer` while it is down."""
        if not self.is_up:
            raise NoAnswer

    def notify(self, *topics: str) -> None:
        """Wake whoever waits for something new of these topics, or of any."""
        for topic in topics or sorted(self._waiting):
            for waiting in self._waiting.pop(topic, ()):
                if not waiting.done():
                    waiting.set_result(None)

    async def wait(self, topic: str, timeout_s: float | None = None) -> None:
        """Wait until something is new, or for so long."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting.setdefault(topic, []).append(waiting)
        timer = None if timeout_s is None else loop.call_later(timeout_s, _wake, waiting)
        try:
            await waiting
        finally:
            if timer is not None:
                timer.cancel()

    def kill(self) -> None:
        """Cut the power."""
        if not self.is_up:
            return
        self.is_up = False
        self.trace.add("broker dies")
        if Defect.NO_SYNC in self.defects:
            self._lose_ends()
        for name in sorted(self.places):
            self.places[name].forget(self._rng)
        if self.loses_queue:
            self.jobs.clear()
        for job in self.jobs.values():
            job.available_s = 0.0
        self.on_death()

    def start(self) -> None:
        """Come back."""
        self.is_up = True
        self.trace.add("broker starts")
        self.notify()

    def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """Take an append, as `EventLog.append` says."""
        self.require()
        if Defect.NO_DEDUP in self.defects:
            metadata = replace(metadata, request_id="")
        history = self.aggregates.get(aggregate, [])
        if Defect.NO_OCC in self.defects:
            expected_sequence = len(history)
        keys = {(aggregate.context, event.event_id) for event in events}
        if Defect.NO_DEDUP in self.defects:
            if len(history) != expected_sequence:
                raise ConcurrencyConflict(aggregate, expected_sequence, len(history))
        else:
            if len(history) != expected_sequence or keys & self.event_ids:
                chain.verify(aggregate, history)
                earlier = chain.already_stored(aggregate, expected_sequence, events, history)
                if earlier is not None:
                    return earlier
            if taken := keys & self.event_ids:
                raise DuplicateEventId(aggregate, sorted(event_id for _, event_id in taken))
        previous_hash = history[-1].hash if history else chain.genesis_hash(aggregate)
        sealed = chain.seal(aggregate, expected_sequence, previous_hash, events, metadata)
        written = self._written(len(sealed))
        self._store(sealed[:written])
        if written < len(sealed) or not self.is_up:
            raise NoAnswer
        return self.aggregates[aggregate][-len(sealed) :]

    def publish(self, end_position: int, batch: Sequence[Outgoing]) -> int:
        """Take public events, as `PublicStream.publish` says."""
        self.require()
        if end_position != len(self.public) and Defect.NO_FENCE not in self.defects:
            raise FenceLost(f"the stream ends at {len(self.public)}, not at {end_position}")
        written = self._written(len(batch))
        for outgoing in batch[:written]:
            draft = encode_public(outgoing)
            self.public.append(StoredMessage(draft.subject, len(self.public) + 1, draft.headers, draft.data))
            self.positions = dict(outgoing.positions)
            self.trace.add("public", outgoing.event.type, outgoing.event.aggregate, outgoing.event.sequence)
        self.notify("public")
        if written < len(batch) or not self.is_up:
            raise NoAnswer
        return len(self.public)

    def end(self) -> End:
        """Return where the public stream ends."""
        self.require()
        return End(len(self.public), dict(self.positions))

    def place(self, consumer: str) -> Place:
        """Return where a durable consumer is."""
        return self.places.setdefault(consumer, Place())

    def preload(
        self, stored: Sequence[StoredEvent], published: Sequence[StoredMessage], consumers: Sequence[str]
    ) -> None:
        """Begin with a history of one context that is published and dealt with."""
        self._store(stored)
        self.public.extend(published)
        self.positions = {stored[0].aggregate.context: len(stored)}
        for consumer in consumers:
            self.places[consumer] = Place(next=len(stored), floor_before=len(stored))

    def _written(self, count: int) -> int:
        """Return how much of a write is on the disk when it is over, and die of it now and then."""
        if self.dies_at_write and self._rng.random() < self.dies_at_write:
            on_disk = self._rng.randint(0, count)
            if on_disk < count and Defect.TORN_BATCH not in self.defects:
                on_disk = 0  # recovery takes a batch without its end for none
            self.trace.add("power cut at a write")
            self.kill()
            return on_disk
        return count

    def _store(self, sealed: Sequence[StoredEvent]) -> None:
        for event in sealed:
            everything = self.contexts.setdefault(event.aggregate.context, [])
            stored = replace(event, position=len(everything) + 1)
            everything.append(stored)
            self.aggregates.setdefault(event.aggregate, []).append(stored)
            self.event_ids.add((event.aggregate.context, event.event_id))
            self.trace.add("stored", event.type, event.aggregate, event.sequence)
        self.notify(*{event.aggregate.context for event in sealed})

    def _lose_ends(self) -> None:
        for context, everything in sorted(self.contexts.items()):
            for _ in range(min(self._rng.randint(0, UNSYNCED_MAX), len(everything))):
                lost = everything.pop()
                self.aggregates[lost.aggregate].pop()
                self.event_ids.discard((context, lost.event_id))
                self.trace.add("lost", lost.type, lost.aggregate, lost.sequence)
