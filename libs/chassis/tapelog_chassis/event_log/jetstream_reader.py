"""Reading the log on JetStream: one aggregate by direct get, a whole context by batches, its future by a consumer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from nats.aio.client import Client

from tapelog_chassis.nats import direct
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_chassis.nats.errors import JetStreamApiError, Unreachable
from tapelog_chassis.nats.ordered import OrderedReader
from tapelog_chassis.topology import es_stream

from . import chain
from .codec import SEQUENCE, check_headers, decode
from .continuity import Continuity, Link, first_link
from .errors import CorruptStream, LogUnavailable, PositionAhead
from .own_events import OwnEvents
from .port import AggregateId, LogItem, StoredEvent

READ_ATTEMPTS: Final = 3
READ_RETRY_S: Final = 0.2

T = TypeVar("T")


class JetStreamReader:
    """The reading half of `JetStreamEventLog`; every event it hands out fits its hash."""

    def __init__(self, connection: Client, own: OwnEvents, *, timeout_s: float) -> None:
        self._connection = connection
        self._own = own
        self._timeout_s = timeout_s

    async def load(self, aggregate: AggregateId, *, after_sequence: int, after_position: int) -> list[StoredEvent]:
        """See `EventLog.load`."""
        if after_sequence and after_position:
            if await self._is_last(aggregate, after_sequence, after_position):
                return []
            # The event at the snapshot is read too: it proves the position and anchors the chain.
            events = await self._read_subject(aggregate, after_position - 1)
            if events and (events[0].sequence, events[0].position) == (after_sequence, after_position):
                anchor, *rest = events
                chain.check_link(anchor, None)
                chain.verify(aggregate, rest, after_sequence=after_sequence, previous_hash=anchor.hash)
                return rest
        events = await self._read_subject(aggregate, 0)
        chain.verify(aggregate, events)
        return events[after_sequence:]

    async def _is_last(self, aggregate: AggregateId, sequence: int, position: int) -> bool:
        """Say whether nothing was appended behind an event: one small request, where a batch needs an inbox."""
        message = await self._last_message(aggregate)
        return message is not None and message.position == position and message.headers.get(SEQUENCE) == str(sequence)

    async def last(self, aggregate: AggregateId) -> StoredEvent | None:
        """
        Read an aggregate's last event; None if there is none.

        Raises
        ------
        CorruptStream
            If it is no event, or does not follow the one before it: a repeat of the last event looks like it.
        """
        message = await self._last_message(aggregate)
        if message is None:
            return None
        event = _event(message)
        link = await self._link_before(aggregate, event.position)
        if link is None:
            raise CorruptStream(aggregate.subject, event.sequence, "it lies behind a foreign message")
        chain.verify(aggregate, [event], after_sequence=link[0], previous_hash=link[1])
        return event

    async def _last_message(self, aggregate: AggregateId) -> StoredMessage | None:
        return await _persist(
            lambda: direct.get_last(
                self._connection, es_stream(aggregate.context), aggregate.subject, timeout_s=self._timeout_s
            )
        )

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        message = await _persist(
            lambda: direct.get_last(self._connection, es_stream(context), f"es.{context}.>", timeout_s=self._timeout_s)
        )
        return message.position if message is not None else 0

    async def read_all(self, context: str, *, after_position: int) -> AsyncIterator[LogItem]:
        """See `EventLog.read_all`."""
        continuity = Continuity(self._link_before, after_position=after_position)
        head = await self.head(context)
        position = after_position
        while position < head:
            batch = await self._batch(es_stream(context), f"es.{context}.>", position)
            for message in batch.messages:
                if message.position > head:
                    return
                position = message.position
                try:
                    item = await continuity.sort(_event(message))
                except CorruptStream as error:
                    item = continuity.foreign(message.subject, position, error.reason)
                if isinstance(item, StoredEvent):
                    check_headers(item, message.headers)
                yield item
            if not batch.pending:
                return

    async def tail(self, context: str, *, after_position: int) -> AsyncIterator[LogItem]:
        """See `EventLog.tail`."""
        position, last_hash = after_position, ""
        continuity = Continuity(self._link_before_patiently, after_position=after_position)

        async def check_position() -> None:
            # After the loss of a log's end the broker would deliver new events under old positions, or nothing.
            head = await self._patiently(lambda: self.head(context))
            if position > head:
                raise PositionAhead(context, position, head)
            if last_hash:
                await self._check_same(context, position, last_hash)

        await check_position()
        reader = OrderedReader(
            self._connection,
            es_stream(context),
            filters=(f"es.{context}.>",),
            after_position=after_position,
            on_reset=check_position,
        )
        async with reader:
            async for delivery in reader:
                own = self._own.recognise(delivery)
                try:
                    event = own or decode(delivery.subject, delivery.headers, delivery.data, delivery.position)
                    item = await continuity.sort(event, is_own=own is not None)
                except CorruptStream as error:
                    item = continuity.foreign(delivery.subject, delivery.position, error.reason)
                position = item.position
                last_hash = item.hash if isinstance(item, StoredEvent) else ""
                yield item

    async def _link_before(self, aggregate: AggregateId, position: int) -> Link:
        """Read an aggregate's end as it was before a position."""
        stream = es_stream(aggregate.context)
        message = await _persist(
            lambda: direct.get_last_before(
                self._connection, stream, aggregate.subject, position, timeout_s=self._timeout_s
            )
        )
        if message is None:
            return first_link(aggregate)
        try:
            event = _event(message)
            chain.check_link(event, None)
        except CorruptStream:
            return None
        return event.sequence, event.hash

    async def _link_before_patiently(self, aggregate: AggregateId, position: int) -> Link:
        return await self._patiently(lambda: self._link_before(aggregate, position))

    async def _check_same(self, context: str, position: int, hash_: str) -> None:
        """Refuse to read on behind an event that is not there any more: its place may have been given away anew."""
        stream = es_stream(context)
        message = await self._patiently(
            lambda: _persist(lambda: direct.get_at(self._connection, stream, position, timeout_s=self._timeout_s))
        )
        if message is None or message.headers.get("tl-hash") != hash_:
            subject = message.subject if message is not None else f"es.{context}.>"
            raise CorruptStream(subject, 0, f"at position {position} is not the event that was read there before")

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except LogUnavailable:
                if self._connection.is_closed:
                    raise
                await asyncio.sleep(READ_RETRY_S)

    async def _read_subject(self, aggregate: AggregateId, after_position: int) -> list[StoredEvent]:
        events: list[StoredEvent] = []
        while True:
            batch = await self._batch(es_stream(aggregate.context), aggregate.subject, after_position)
            for message in batch.messages:
                try:
                    events.append(_event(message))
                except CorruptStream as error:
                    following = events[-1].sequence + 1 if events else 1
                    raise CorruptStream(aggregate.subject, following, error.reason) from error
            if not batch.pending or not batch.messages:
                return events
            after_position = batch.messages[-1].position

    async def _batch(self, stream: str, subject: str, after_position: int) -> direct.Batch:
        return await _persist(
            lambda: direct.get_batch(
                self._connection, stream, subject, after_position=after_position, timeout_s=self._timeout_s
            )
        )


def _event(message: StoredMessage) -> StoredEvent:
    return decode(message.subject, message.headers, message.data, message.position)


async def _persist(read: Callable[[], Awaitable[T]]) -> T:
    """Try a read a few times; `LogUnavailable` if it does not come."""
    attempt = 1
    while True:
        try:
            return await read()
        except (Unreachable, JetStreamApiError) as error:
            if attempt == READ_ATTEMPTS:
                raise LogUnavailable(f"the log cannot be read: {error}") from error
        attempt += 1
        await asyncio.sleep(READ_RETRY_S)
