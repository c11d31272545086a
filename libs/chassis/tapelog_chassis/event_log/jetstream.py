"""
The log on JetStream: append with optimistic concurrency, resolved by reading whenever the broker's answer is not clear.

The broker's own sequence is only an address. Ours is in the header; it maps to the stream sequence of the aggregate's
last message, which is the expectation the broker checks.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from tapelog_chassis.nats.errors import Unreachable
from tapelog_chassis.topology import es_stream

from . import chain
from .codec import check_size
from .errors import AppendRefused, AppendUnknown, DuplicateEventId, LogFull, LogUnavailable
from .jetstream_reader import JetStreamReader
from .port import AggregateId, Metadata, NewEvent, StoredEvent

PUBLISH_TIMEOUT_S: Final = 2.0
"""The client package does not fail a pending request when the link breaks: it waits for all of this."""
APPEND_BUDGET_S: Final = 10.0
"""No new try of an append is begun after this; then `AppendUnknown`."""
RETRY_DELAY_S: Final = (0.01, 0.5)
"""First and longest delay between tries; doubled each time, with jitter."""
MAX_HEADS: Final = 4096
"""Aggregates whose last event is remembered, so that the usual append reads nothing first."""

WRONG_LAST_SEQUENCE: Final = 10071
IN_PROCESS: Final = 10164
BATCH_DUPLICATE: Final = 10201
_FULL: Final = frozenset({10023, 10047, 10077})
_TRANSIENT: Final = frozenset({IN_PROCESS, 10008, 10039, 10176, 10189, 10210})
"""Busy, starting, or an atomic batch the server dropped before its end; the same append may be tried again."""


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
    """

    def __init__(
        self, connection: Client, *, publish_timeout_s: float = PUBLISH_TIMEOUT_S, budget_s: float = APPEND_BUDGET_S
    ) -> None:
        self._connection = connection
        self._publish_timeout_s = publish_timeout_s
        self._budget_s = budget_s
        self._reader = JetStreamReader(connection, timeout_s=publish_timeout_s)
        self._heads: OrderedDict[AggregateId, Head] = OrderedDict()

    def __repr__(self) -> str:
        return f"JetStreamEventLog({len(self._heads)} heads known)"

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """See `EventLog.append`."""
        chain.check_new(events)
        deadline_s = time.monotonic() + self._budget_s
        delay_s, longest_s = RETRY_DELAY_S
        head = self._heads.get(aggregate)
        while True:
            try:
                if head is None or head.sequence != expected_sequence:
                    found = await self._look(aggregate, expected_sequence, events)
                    if isinstance(found, list):
                        return found
                    head = found
                return await self._publish(aggregate, head, events, metadata)
            except (Unreachable, LogUnavailable, _TryAgainError) as error:
                head = None
                if isinstance(error, _LookAgainError) and error.duplicate:
                    return await self._find_duplicate(aggregate, expected_sequence, events)
                if time.monotonic() + delay_s > deadline_s:
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

    def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """See `EventLog.read_all`."""
        return self._reader.read_all(context, after_position=after_position)

    def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
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
        last = await self._reader.last(aggregate)
        if last is None and expected_sequence == 0:
            return Head(0, 0, chain.genesis_hash(aggregate))
        if last is not None and last.sequence == expected_sequence:
            chain.check_link(last, None)
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
        sealed = chain.seal(aggregate, head.sequence, head.hash, events, metadata)
        all_headers = [check_size(event) for event in sealed]
        all_headers[0]["Nats-Expected-Last-Subject-Sequence"] = str(head.position)
        all_headers[0]["Nats-Expected-Stream"] = es_stream(aggregate.context)
        if len(sealed) > 1:
            batch = uuid.uuid4().hex
            for number, headers in enumerate(all_headers, start=1):
                headers["Nats-Batch-Id"] = batch
                headers["Nats-Batch-Sequence"] = str(number)
            all_headers[-1]["Nats-Batch-Commit"] = "1"
        answer = await self._send(aggregate.subject, sealed, all_headers)
        if refusal := answer.get("error"):
            raise _meaning_of(aggregate, refusal)
        if answer.get("duplicate"):
            raise _LookAgainError("the broker has these event ids already", duplicate=True)
        first = int(answer["seq"]) - len(sealed) + 1
        stored = [replace(event, position=position) for position, event in enumerate(sealed, start=first)]
        self._remember(stored[-1])
        return stored

    async def _send(
        self, subject: str, sealed: Sequence[StoredEvent], all_headers: Sequence[dict[str, str]]
    ) -> dict[str, Any]:
        try:
            for event, headers in zip(sealed[:-1], all_headers[:-1], strict=True):
                await self._connection.publish(subject, event.data, headers=headers)
            message = await self._connection.request(
                subject, sealed[-1].data, timeout=self._publish_timeout_s, headers=all_headers[-1]
            )
            answer: dict[str, Any] = json.loads(message.data)
        except nats.errors.Error as error:
            raise _TryAgainError(f"{type(error).__name__} {error}".strip()) from error
        return answer


def _meaning_of(aggregate: AggregateId, refusal: dict[str, Any]) -> Exception:
    code, err_code = int(refusal.get("code", 0)), int(refusal.get("err_code", 0))
    cause = f"{refusal.get('description', '')} (error {err_code})"
    if err_code == WRONG_LAST_SEQUENCE:
        return _LookAgainError(cause, duplicate=False)
    if err_code == BATCH_DUPLICATE:
        return _LookAgainError(cause, duplicate=True)
    if err_code in _FULL:
        return LogFull(aggregate, cause)
    if err_code in _TRANSIENT or code == 503:
        return _TryAgainError(cause)
    return AppendRefused(aggregate, cause)
