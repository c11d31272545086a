"""The ports of the log and the public stream on the simulated broker; held to the contracts of the real adapters."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from tapelog_chassis.event_log import (
    AggregateId,
    AppendUnknown,
    LogItem,
    LogUnavailable,
    Metadata,
    NewEvent,
    PositionAhead,
    StoredEvent,
    chain,
)
from tapelog_chassis.event_log.codec import check_size
from tapelog_chassis.event_log.continuity import Continuity, Link, first_link
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_notify.adapters.public_codec import decode_public
from tapelog_notify.application.ports import Due, End, Outgoing
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.errors import PublishUnknown

from .broker import Defect, Place, SimulatedBroker
from .faults import Network, caller

LEASE_S: Final = 4.0
"""How long a delivery stays with whoever took it; the real leases of 4 s and 30 s in one."""


class SimulatedLog:
    """An `EventLog` on the simulated broker, over a network that loses, doubles and delays."""

    def __init__(self, broker: SimulatedBroker, network: Network) -> None:
        self._broker = broker
        self._network = network

    def __repr__(self) -> str:
        return f"SimulatedLog({self._broker!r})"

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """See `EventLog.append`."""
        chain.check_new(events)
        for event in chain.seal(aggregate, expected_sequence, "0" * 64, events, metadata):
            check_size(event)
        return await self._network.call(
            lambda: self._broker.append(aggregate, expected_sequence, events, metadata),
            unknown=lambda: AppendUnknown(aggregate, [event.event_id for event in events], "no answer"),
            name=f"append {aggregate}",
        )

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """See `EventLog.load`."""
        del after_position  # a hint for logs that would have to look for the start
        history = await self._read(lambda: list(self._broker.aggregates.get(aggregate, [])), f"load {aggregate}")
        found = history[after_sequence:]
        previous_hash = history[after_sequence - 1].hash if 0 < after_sequence <= len(history) else None
        chain.verify(aggregate, found, after_sequence=after_sequence, previous_hash=previous_hash)
        return found

    async def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.read_all`."""
        continuity = Continuity(self._link_before, after_position=after_position)
        for event in await self._read(lambda: list(self._broker.contexts.get(context, [])), f"read {context}"):
            if event.position > after_position:
                yield await continuity.sort(event)

    async def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.tail`."""
        everything = self._broker.contexts.setdefault(context, [])
        if after_position > len(everything):
            raise PositionAhead(context, after_position, len(everything))
        position = after_position
        continuity = Continuity(self._link_before, after_position=after_position)
        while True:
            while not self._broker.is_up or len(everything) <= position:
                await self._broker.wait(context)
                caller()
            await self._network.pause()
            for event in everything[position:]:
                position = event.position
                yield await continuity.sort(event)

    async def _link_before(self, aggregate: AggregateId, position: int) -> Link:
        before = [event for event in self._broker.aggregates.get(aggregate, []) if event.position < position]
        return (before[-1].sequence, before[-1].hash) if before else first_link(aggregate)

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        return await self._read(lambda: len(self._broker.contexts.get(context, [])), f"head {context}")

    async def _read(self, read: Callable[[], Any], name: str) -> Any:
        def effect() -> Any:
            self._broker.require()
            return read()

        return await self._network.call(effect, unknown=lambda: LogUnavailable("no answer"), name=name)


class SimulatedPublicStream:
    """A `PublicStream`."""

    def __init__(self, broker: SimulatedBroker, network: Network) -> None:
        self._broker = broker
        self._network = network

    async def end(self) -> End:
        """See `PublicStream.end`."""
        return await self._network.call(self._broker.end, unknown=lambda: PublishUnknown("no answer"), name="end")

    async def publish(self, end_position: int, batch: Sequence[Outgoing]) -> int:
        """See `PublicStream.publish`."""
        return await self._network.call(
            lambda: self._broker.publish(end_position, batch),
            unknown=lambda: PublishUnknown("no answer"),
            name="publish",
        )


@dataclass(slots=True)
class Delivered:
    """A message that a durable consumer has handed out: a `Step` of processes and a `Due` of feeds."""

    consumer: "Consumer"
    index: int
    message: Any
    attempt: int

    @property
    def label(self) -> str:
        """What it is, for the log."""
        return f"{self.consumer.name} {self.index + 1}"

    @property
    def event(self) -> PublicEvent:
        """See `Due.event`."""
        return decode_public(self.message)

    async def in_progress(self) -> None:
        """See `Step.in_progress`."""
        await self.consumer.settle(self.index, "extend", lambda place: self._lease(place, LEASE_S))

    extend = in_progress

    async def done(self) -> None:
        """See `Step.done`."""
        await self.consumer.settle(self.index, "ack", self._done)

    accept = done

    async def retry(self, delay_s: float) -> None:
        """See `Due.retry`."""
        await self.consumer.settle(self.index, "nak", lambda place: self._lease(place, delay_s))

    put_off = retry

    def _done(self, place: Place) -> None:
        place.leases.pop(self.index, None)
        place.tries.pop(self.index, None)

    def _lease(self, place: Place, lease_s: float) -> None:
        if self.index in place.leases:
            place.leases[self.index] = asyncio.get_running_loop().time() + lease_s


class Consumer:
    """A durable consumer: hands out what lies in a stream, again what is not settled in time."""

    def __init__(
        self,
        broker: SimulatedBroker,
        network: Network,
        name: str,
        topic: str,
        stream: Callable[[], Sequence[Any]],
        *,
        wants: Callable[[Any], bool] = lambda _: True,
        at_once: int = 1,
    ) -> None:
        self._broker = broker
        self._network = network
        self.name = name
        self._topic = topic
        self._stream = stream
        self._wants = wants
        self._at_once = at_once

    async def __aiter__(self) -> AsyncIterator[Delivered]:
        """Hand out, for ever."""
        while True:
            yield await self.next()

    async def next(self) -> Delivered:
        """Wait for the next message that is due."""
        loop = asyncio.get_running_loop()
        while True:
            caller()
            place = self._broker.place(self.name)
            index = self._due(place, loop.time()) if self._broker.is_up else None
            if index is None:
                due_s = min(place.leases.values(), default=None)
                wait_s = None if due_s is None or not self._broker.is_up else max(due_s - loop.time(), 0.0) + 1e-6
                await self._broker.wait(self._topic, wait_s)
                continue
            place.leases[index] = loop.time() + LEASE_S
            place.tries[index] = place.tries.get(index, 0) + 1
            attempt, message = place.tries[index], self._stream()[index]
            if Defect.NO_CURSOR in self._broker.defects:
                place.leases.pop(index)
                place.floor_before = place.next
            await self._network.pause()
            self._broker.trace.add(caller(), "takes", self.name, index + 1, attempt)
            return Delivered(self, index, message, attempt)

    async def settle(self, index: int, name: str, effect: Callable[[Place], None]) -> None:
        """Settle a delivery, without waiting for an answer: a lost one brings the message again."""
        await self._network.pause()
        weather, rng = self._network.weather, self._network.rng
        if self._broker.is_up and not (weather.lost_request and rng.random() < weather.lost_request):
            place = self._broker.place(self.name)
            effect(place)
            if rng.random() < 0.5:
                place.floor_before = min([place.next, *place.leases])
            self._broker.notify(self._topic)
        self._broker.trace.add(caller(), name, self.name, index + 1)

    def _due(self, place: Place, now_s: float) -> int | None:
        over = sorted(index for index, until_s in place.leases.items() if until_s <= now_s)
        if over:
            return over[0]
        if len(place.leases) >= self._at_once:
            return None
        stream = self._stream()
        while place.next < len(stream):
            place.next += 1
            if self._wants(stream[place.next - 1]):
                return place.next - 1
        return None


class SimulatedFeeds:
    """`Feeds` of webhooks, each a durable consumer of the public stream."""

    def __init__(self, broker: SimulatedBroker, network: Network) -> None:
        self._broker = broker
        self._network = network

    def _consumer(self, subscription: str) -> Consumer:
        return Consumer(self._broker, self._network, subscription, "public", self._messages)

    def _messages(self) -> Sequence[StoredMessage]:
        messages = self._broker.public
        if Defect.OTHER_ORDER in self._broker.defects:
            return [messages[n ^ 1] if n ^ 1 < len(messages) else messages[n] for n in range(len(messages))]
        return messages

    async def ensure(
        self,
        tenant: str,
        subscription: str,
        event_filter: EventFilter,
        *,
        after_position: int,
        ordered: bool,
        exact: bool,
    ) -> None:
        """See `Feeds.ensure`."""
        del tenant, event_filter, after_position, ordered, exact  # everything from the start, in order
        self._broker.place(subscription)
        await self._network.pause()

    async def restart(self, subscription: str) -> None:
        """See `Feeds.restart`."""
        place = self._broker.place(subscription)
        place.next = min([place.next, *place.leases])
        place.leases.clear()
        place.tries.clear()

    @asynccontextmanager
    async def open(self, subscription: str) -> AsyncIterator[AsyncIterator[Due]]:
        """See `Feeds.open`."""
        yield aiter(self._consumer(subscription))
