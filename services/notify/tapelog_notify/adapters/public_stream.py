"""The public stream on JetStream: fenced writing, and reading for gRPC followers."""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Self

import nats.errors
import structlog
from nats.aio.client import Client
from tapelog_chassis.event_log import CorruptStream
from tapelog_chassis.event_log.codec import format_time
from tapelog_chassis.nats import JetStreamApiError, NatsError, OrderedReader, Unreachable, api, direct
from tapelog_chassis.nats.publish import (
    BATCH_DUPLICATE,
    WRONG_LAST_SEQUENCE,
    is_transient,
    publish_fenced,
)
from tapelog_chassis.topology import CONTEXTS, PUB, es_stream, pub_filter

from tapelog_notify.application.coalesced import Coalesced
from tapelog_notify.application.ports import Bounds, End, Outgoing
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.errors import CursorAhead, FenceLost, PublishRefused, PublishUnknown

from .public_codec import SOURCE_POSITION, decode_public, encode_public, parse_positions, readable
from .subjects import public_subjects

READ_TIMEOUT_S: Final = 2.0
LOOK_BACK: Final = 64
"""Messages at the stream's end that are looked at together for how far the logs are published."""
TAIL_AHEAD: Final = 1024
"""Events read ahead for all followers together."""
READ_AHEAD: Final = 128
"""Events that wait in this process for one follower; the rest wait in the stream."""

CLOCK_SKEW: Final = timedelta(seconds=5)
"""The broker's clock may be behind that of the service which recorded an event by this much."""
_NOT_FOUND: Final = "404"
_STREAMS: Final = {es_stream(context): context for context in CONTEXTS}

_log = structlog.get_logger(__name__)


class JetStreamPublicStream:
    """The stream PUB as its writer sees it: a `PublicStream`."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def end(self) -> End:
        """See `PublicStream.end`."""
        state = (await api.request(self._connection, f"STREAM.INFO.{PUB}"))["state"]
        position = int(state["last_seq"])
        if not state["messages"]:
            # Empty after a purge: everything is published again, under the same ids, behind the old positions.
            return End(position, {})
        last = await direct.get_last(self._connection, PUB, "pub.>", timeout_s=READ_TIMEOUT_S)
        if last is None or last.position < position:
            raise Unreachable(f"the last message of {PUB} ({position}) cannot be read yet")
        return End(last.position, await self._published(int(state["first_seq"]), last.position))

    async def _published(self, first: int, last: int) -> dict[str, int]:
        """Return how far each log is published: by the last messages of ours, behind which foreign ones may lie.

        The furthest of several counts, so that a message of ours that somebody repeated at the end says nothing.
        """
        end = last
        while True:
            begin = max(first, end - LOOK_BACK + 1)
            batch = await direct.get_batch(
                self._connection, PUB, "pub.>", after_position=begin - 1, count=LOOK_BACK, timeout_s=READ_TIMEOUT_S
            )
            sources: dict[str, int] = {}
            for message in batch.messages:
                with contextlib.suppress(CorruptStream, KeyError, ValueError):
                    decode_public(message)
                    for context, place in parse_positions(message.headers[SOURCE_POSITION], _STREAMS).items():
                        sources[context] = max(place, sources.get(context, 0))
            if sources or begin == first:
                return sources
            end = begin - 1

    async def publish(self, end_position: int, batch: Sequence[Outgoing]) -> int:
        """See `PublicStream.publish`."""
        drafts = [encode_public(outgoing) for outgoing in batch]
        try:
            published = await publish_fenced(self._connection, PUB, drafts, last_position=end_position)
        except JetStreamApiError as refusal:
            raise _meaning_of(refusal) from refusal
        except Unreachable as error:
            raise PublishUnknown(str(error)) from error
        if published.is_duplicate:
            raise PublishRefused(f"event {batch[0].event.event_id} is in {PUB} already, but not at its end")
        return published.position


def _meaning_of(refusal: JetStreamApiError) -> Exception:
    if refusal.err_code in {WRONG_LAST_SEQUENCE, BATCH_DUPLICATE}:
        return FenceLost(str(refusal))
    return PublishUnknown(str(refusal)) if is_transient(refusal) else PublishRefused(str(refusal))


class JetStreamPublicEvents:
    """The stream PUB as followers see it: a `PublicEvents`."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._coalesced_bounds = Coalesced(self._bounds)

    async def bounds(self) -> Bounds:
        """See `PublicEvents.bounds`."""
        return await self._coalesced_bounds()

    async def _bounds(self) -> Bounds:
        state = (await api.request(self._connection, f"STREAM.INFO.{PUB}"))["state"]
        last = int(state["last_seq"])
        return Bounds(first=int(state["first_seq"]) if state["messages"] else last + 1, last=last)

    async def position_before(self, time: datetime) -> int:
        """See `PublicEvents.position_before`."""
        position = await self._stored_before(time - CLOCK_SKEW)
        while True:
            batch = await direct.get_batch(
                self._connection, PUB, "pub.>", after_position=position, timeout_s=READ_TIMEOUT_S
            )
            for message in batch.messages:
                event = readable(message)
                if event is not None and event.time >= time:
                    return message.position - 1
                position = message.position
            if not batch.pending:
                return position

    async def _stored_before(self, time: datetime) -> int:
        """Return the last position that the stream took before a time by the broker's clock."""
        body = {"start_time": format_time(time), "next_by_subj": "pub.>", "batch": 1}
        try:
            message = await self._connection.request(
                f"$JS.API.DIRECT.GET.{PUB}", json.dumps(body).encode(), timeout=READ_TIMEOUT_S
            )
        except (nats.errors.Error, TimeoutError) as error:
            raise Unreachable(f"no answer about {PUB} ({type(error).__name__})") from error
        headers = message.headers or {}
        status = headers.get("Status", "")
        if status == _NOT_FOUND:
            return (await self.bounds()).last
        if status:
            raise JetStreamApiError(f"DIRECT.GET.{PUB}", int(status), 0, headers.get("Description", ""))
        return int(headers["Nats-Sequence"]) - 1

    async def at(self, position: int) -> PublicEvent | None:
        """See `PublicEvents.at`."""
        if position < 1:
            return None
        message = await direct.get_at(self._connection, PUB, position, timeout_s=READ_TIMEOUT_S)
        return readable(message) if message is not None else None

    async def range(
        self, tenant: str, *, after_position: int, last: int, event_filter: EventFilter | None = None
    ) -> AsyncGenerator[PublicEvent, None]:
        """See `PublicEvents.range`."""
        position = after_position
        subjects = public_subjects(tenant, event_filter or EventFilter())
        # A direct read takes one filter: where the events are on several subjects, this sorts them out.
        subject = subjects[0] if len(subjects) == 1 else pub_filter(tenant)
        while position < last:
            batch = await direct.get_batch(
                self._connection, PUB, subject, after_position=position, timeout_s=READ_TIMEOUT_S
            )
            for message in batch.messages:
                if message.position > last:
                    return
                position = message.position
                event = readable(message)
                if event is not None and (event_filter is None or event.passes(event_filter)):
                    yield event
            if not batch.pending or not batch.messages:
                return

    @asynccontextmanager
    async def tail(self, *, after_position: int) -> AsyncIterator[AsyncIterator[PublicEvent]]:
        """See `PublicEvents.tail`."""
        reader = OrderedReader(
            self._connection,
            PUB,
            filters=("pub.>",),
            after_position=after_position,
            max_buffered=TAIL_AHEAD,
            on_reset=lambda: self._check_place(*place),
        )
        place = (after_position, "")

        async def events() -> AsyncIterator[PublicEvent]:
            nonlocal place
            async for delivery in reader:
                event = readable(delivery)
                if event is None:
                    continue
                place = (event.position, event.id)
                yield event

        async with reader:
            yield events()

    async def _check_place(self, position: int, id_: str) -> None:
        """Refuse to go on behind an event that is not there any more (`CursorAhead`)."""
        bounds = await self._bounds()
        if position > bounds.last:
            raise CursorAhead(position, bounds.last)
        if id_ and position >= bounds.first:
            event = await self.at(position)
            if event is not None and event.id != id_:
                raise CursorAhead(position, bounds.last)

    @asynccontextmanager
    async def reader(
        self, tenant: str, event_filter: EventFilter, *, after_position: int
    ) -> AsyncIterator["PublicReader"]:
        """See `PublicEvents.reader`."""
        subjects = public_subjects(tenant, event_filter)
        async with _Reader(
            self._connection, PUB, filters=subjects, after_position=after_position, max_buffered=READ_AHEAD
        ) as reader:
            yield PublicReader(reader, event_filter, self, after_position)


class PublicReader:
    """One follower's place in the public stream: a `Reader`."""

    def __init__(
        self, reader: "_Reader", event_filter: EventFilter, events: JetStreamPublicEvents, after_position: int
    ) -> None:
        self._reader = reader
        self._filter = event_filter
        self._events = events
        self._settled = after_position

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PublicEvent:
        while True:
            delivery = await anext(self._reader)
            event = readable(delivery)
            self._settled = delivery.position
            if event is not None and event.passes(self._filter):
                return event

    async def settled_position(self) -> int:
        """See `Reader.settled_position`."""
        try:
            last = (await self._events.bounds()).last
            if await self._reader.is_drained():
                self._settled = max(self._settled, last)
        except NatsError as error:
            # The cursor of the last event stays right, it is only older.
            _log.info("cursor not moved on", error=str(error))
        return self._settled


class _Reader(OrderedReader):
    """An ordered reader that knows whether it has handed out everything there is."""

    async def is_drained(self) -> bool:
        """Whether the consumer has nothing left, and what it sent has been handed out."""
        if self._stale or self._buffer:
            return False
        info = await api.request(self._connection, f"CONSUMER.INFO.{PUB}.{self._consumer}")
        delivered = int(info["delivered"]["consumer_seq"])
        return not info["num_pending"] and delivered == self._consumer_sequence and not self._buffer
