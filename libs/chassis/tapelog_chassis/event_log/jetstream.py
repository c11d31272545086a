"""
The log on JetStream: append with optimistic concurrency, resolved by reading whenever the broker's answer is not clear.

The broker's own sequence is only an address. Ours is in the header; it maps to the stream sequence of the aggregate's
last message, which is the expectation the broker checks.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from prometheus_client import Histogram

from tapelog_chassis import telemetry
from tapelog_chassis.nats.errors import JetStreamApiError, Unreachable
from tapelog_chassis.nats.publish import (
    BATCH_DUPLICATE,
    FULL,
    PUBLISH_TIMEOUT_S,
    WRONG_LAST_SEQUENCE,
    Draft,
    is_transient,
    publish_fenced,
)
from tapelog_chassis.topology import es_stream

from . import chain
from .codec import check_size, metadata_headers
from .errors import (
    AppendRefused,
    AppendUnknown,
    ConcurrencyConflict,
    CorruptStream,
    DuplicateEventId,
    LogFull,
    LogUnavailable,
)
from .jetstream_reader import JetStreamReader
from .own_events import OwnEvents
from .port import AggregateId, LogItem, Metadata, NewEvent, StoredEvent
from .write_gate import WriteGate

APPEND_BUDGET_S: Final = 10.0
"""No new try of an append is begun after this; then `AppendUnknown`."""
RETRY_DELAY_S: Final = (0.01, 0.5)
"""First and longest delay between tries; doubled each time, with jitter."""
MAX_HEADS: Final = 4096
"""Aggregates whose last event is remembered, so that the usual append reads nothing first."""


@dataclass(frozen=True, slots=True)
class Head:
    """An aggregate's last event: our sequence, the stream's sequence, and the hash the next event follows."""

    sequence: int
    position: int
    hash: str


class _TryAgainError(Exception):
    """The outcome of a publish is not known or not final."""


class _LookAgainError(_TryAgainError):
    """The broker's answer must be read against the stream: conflict, or an earlier try of our own."""

    def __init__(self, cause: str, *, duplicate: bool) -> None:
        super().__init__(cause)
        self.duplicate = duplicate


class JetStreamEventLog:
    """
    An `EventLog` on a JetStream connection; many tasks may share one.

    Parameters
    ----------
    connection
        A user that may publish to the contexts' subjects and read them (see `nats.permissions`).
    publish_timeout_s, budget_s
        How long one try and all tries of an append may take.

    Attributes
    ----------
    gate : WriteGate
        Since when appends go unanswered; then the next ones are refused at once.
    """

    def __init__(
        self,
        connection: Client,
        *,
        publish_timeout_s: float = PUBLISH_TIMEOUT_S,
        budget_s: float = APPEND_BUDGET_S,
        gate: WriteGate | None = None,
    ) -> None:
        self._connection = connection
        self._publish_timeout_s = publish_timeout_s
        self._budget_s = budget_s
        self._own = OwnEvents()
        self._reader = JetStreamReader(connection, self._own, timeout_s=publish_timeout_s)
        self._heads: OrderedDict[AggregateId, Head] = OrderedDict()
        self.gate = gate or WriteGate()

    def __repr__(self) -> str:
        return f"JetStreamEventLog({len(self._heads)} heads known)"

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """See `EventLog.append`."""
        chain.check_new(events)
        start_s, outcome = time.perf_counter(), "failed"
        try:
            stored = await self._append(aggregate, expected_sequence, events, metadata)
            outcome = "stored"
        except ConcurrencyConflict:
            outcome = "conflict"
            raise
        except LogFull:
            outcome = "full"
            raise
        finally:
            _append_seconds(aggregate.context, outcome).observe(time.perf_counter() - start_s)
        return stored

    async def _append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        deadline_s = time.monotonic() + self._budget_s
        delay_s, longest_s = RETRY_DELAY_S
        self.gate.enter(aggregate.context)
        head = self._heads.get(aggregate)
        while True:
            begun_s = time.monotonic()
            try:
                if head is None or head.sequence != expected_sequence:
                    found = await self._look(aggregate, expected_sequence, events)
                    if isinstance(found, list):
                        return found
                    head = found
                return await self._publish(aggregate, head, events, metadata)
            except asyncio.CancelledError:
                if time.monotonic() - begun_s > self._publish_timeout_s / 2:  # the caller's time was up before ours
                    self.gate.unanswered(aggregate.context, begun_s)
                raise
            except (Unreachable, LogUnavailable, _TryAgainError) as error:
                head = None
                if not isinstance(error, _TryAgainError):
                    self.gate.unanswered(aggregate.context, begun_s)
                if isinstance(error, _LookAgainError) and error.duplicate:
                    return await self._find_duplicate(aggregate, expected_sequence, events)
                if self.gate.is_closed(aggregate.context) or time.monotonic() + delay_s > deadline_s:
                    raise AppendUnknown(aggregate, [event.event_id for event in events], str(error)) from error
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, no secret
            delay_s = min(2 * delay_s, longest_s)

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """See `EventLog.load`."""
        events = await self._reader.load(aggregate, after_sequence=after_sequence, after_position=after_position)
        if events:
            self._remember(events[-1])
        return events

    def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.read_all`."""
        return self._reader.read_all(context, after_position=after_position)

    def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.tail`."""
        return self._reader.tail(context, after_position=after_position)

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        return await self._reader.head(context)

    def _remember(self, event: StoredEvent) -> None:
        self._heads[event.aggregate] = Head(event.sequence, event.position, event.hash)
        self._heads.move_to_end(event.aggregate)
        if len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)

    async def _look(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent]
    ) -> Head | list[StoredEvent]:
        """Read where the aggregate is: at the expected head, at our own earlier try, or in conflict (raises)."""
        try:
            last = await self._reader.last(aggregate)
        except CorruptStream:
            await self.load(aggregate)  # says from which sequence on
            raise
        if last is None and expected_sequence == 0:
            return Head(0, 0, chain.genesis_hash(aggregate))
        if last is not None and last.sequence == expected_sequence:
            return Head(last.sequence, last.position, last.hash)
        stored = await self.load(aggregate)
        found = chain.already_stored(aggregate, expected_sequence, events, stored)
        if found is not None:
            return found
        return Head(stored[-1].sequence, stored[-1].position, stored[-1].hash)

    async def _find_duplicate(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent]
    ) -> list[StoredEvent]:
        """Find what the broker says it already has: our earlier try, or another event with one of these ids."""
        found = chain.already_stored(aggregate, expected_sequence, events, await self.load(aggregate))
        if found is None:
            raise DuplicateEventId(aggregate, [event.event_id for event in events])
        return found

    async def _publish(
        self, aggregate: AggregateId, head: Head, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        own = metadata_headers(metadata)
        sealed = chain.seal(aggregate, head.sequence, head.hash, events, metadata, own=own)
        drafts = [Draft(aggregate.subject, event.data, check_size(event, own)) for event in sealed]
        try:
            published = await publish_fenced(
                self._connection,
                es_stream(aggregate.context),
                drafts,
                timeout_s=self._publish_timeout_s,
                last_on_subject=head.position,
            )
        except JetStreamApiError as refusal:
            self.gate.answered(aggregate.context)
            raise _meaning_of(aggregate, refusal) from refusal
        self.gate.answered(aggregate.context)
        if published.is_duplicate:
            raise _LookAgainError("the broker has these event ids already", duplicate=True)
        first = published.position - len(sealed) + 1
        stored = [event.at(position) for position, event in enumerate(sealed, start=first)]
        for event, headers in zip(stored, published.headers, strict=True):
            self._own.remember(event, headers)
        self._remember(stored[-1])
        return stored


@functools.lru_cache(maxsize=64)
def _append_seconds(context: str, outcome: str) -> Histogram:
    return telemetry.APPEND_SECONDS.labels(context, outcome)


def _meaning_of(aggregate: AggregateId, refusal: JetStreamApiError) -> Exception:
    cause = f"{refusal.description} (error {refusal.err_code})"
    if refusal.err_code == WRONG_LAST_SEQUENCE:
        return _LookAgainError(cause, duplicate=False)
    if refusal.err_code == BATCH_DUPLICATE:
        return _LookAgainError(cause, duplicate=True)
    if refusal.err_code in FULL:
        return LogFull(aggregate, cause)
    if is_transient(refusal):
        return _TryAgainError(cause)
    return AppendRefused(aggregate, cause)
