"""A log whose followers share one reading keeps the contract, and each follower sees everything once and in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tapelog_chassis.event_log import (
    CorruptStream,
    MemoryEventLog,
    MemorySnapshotStore,
    PositionAhead,
    SharedTail,
    StoredEvent,
)
from tapelog_chassis.event_log.shared import WAITING_MAX
from tapelog_chassis.nats.client import CancellableClient
from tapelog_chassis.nats.delivery import Delivery
from tapelog_chassis.nats.wire import Incoming, header_block
from tapelog_chassis.testing import Broker, embedded_nats, eventually, new_event

from .event_log_contract import SONG, WHO, Bench, EventLogContract, take
from .test_memory_log import nothing_to_outlive


class _Counted(MemoryEventLog):
    """A log in memory that counts how often its end is followed, and read."""

    tails = 0
    reads = 0

    async def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """See `EventLog.tail`."""
        self.tails += 1
        async with aclosing(super().tail(context, after_position=after_position)) as events:
            async for event in events:
                yield event

    async def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """See `EventLog.read_all`."""
        self.reads += 1
        async for event in super().read_all(context, after_position=after_position):
            yield event


class TestSharedTail(EventLogContract):
    @pytest.fixture
    def bench(self) -> Bench:
        """One log in memory behind two shared tails."""
        log = MemoryEventLog()

        async def forge(event: StoredEvent) -> None:
            everything = log._contexts.setdefault(event.aggregate.context, [])
            forged = replace(event, position=len(everything) + 1)
            everything.append(forged)
            log._aggregates.setdefault(event.aggregate, []).append(forged)

        return Bench(
            SharedTail(log, "session"), SharedTail(log, "session"), MemorySnapshotStore(), forge, nothing_to_outlive
        )


async def _fill(log: MemoryEventLog, first: int, count: int) -> list[StoredEvent]:
    stored = []
    for n in range(first, first + count):
        stored += await log.append(SONG, n, [new_event(str(n))], WHO)
    return stored


async def test_followers_share_one_reading_wherever_they_begin() -> None:
    """Three followers from the start, the middle and the end: all events once, in order, by one reading of the end."""
    log = _Counted()
    stored = await _fill(log, 0, 10)
    shared = SharedTail(log, "session")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        seen = [group.create_task(take(shared.tail("session", after_position=p), 20 - p)) for p in (0, 5, 10)]
        await eventually(lambda: len(shared._followers) == 3)
        stored += await _fill(log, 10, 10)
    assert [task.result() for task in seen] == [stored, stored[5:], stored[10:]]
    assert log.tails == 1


async def test_who_comes_later_reads_what_the_others_had_and_goes_on_with_them() -> None:
    """A follower that joins behind the reading catches up from the log; events written meanwhile come once."""
    log = _Counted()
    shared = SharedTail(log, "session")
    stored = await _fill(log, 0, 5)
    async with asyncio.timeout(10), aclosing(shared.tail("session")) as first:
        for event in stored:
            assert await anext(first) == event
        async with aclosing(shared.tail("session", after_position=2)) as late:
            assert await anext(late) == stored[2]
            stored += await _fill(log, 5, 3)
            assert [await anext(first) for _ in range(3)] == stored[5:]
            assert [await anext(late) for _ in range(5)] == stored[3:]
    assert (log.tails, log.reads) == (1, 1)


async def test_a_follower_that_sleeps_holds_up_nobody_and_misses_nothing() -> None:
    """More than may wait comes while one follower does nothing: the other has it all, and so has the sleeper later."""
    log = _Counted()
    shared = SharedTail(log, "session")
    stored = await _fill(log, 0, 1)
    async with asyncio.timeout(20), aclosing(shared.tail("session")) as sleeper:
        assert await anext(sleeper) == stored[0]
        stored += await _fill(log, 1, WAITING_MAX + 10)
        assert await take(shared.tail("session"), len(stored)) == stored
        assert [await anext(sleeper) for _ in stored[1:]] == stored[1:]


async def test_when_the_reader_ends_another_follower_reads_on() -> None:
    """The follower who waits for all is cancelled; the other gets the next event all the same."""
    log = _Counted()
    shared = SharedTail(log, "session")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        reading = group.create_task(take(shared.tail("session"), 1))
        waiting = group.create_task(take(shared.tail("session"), 1))
        await eventually(lambda: log.tails == 1)
        reading.cancel()
        await eventually(lambda: log.tails == 2)
        stored = await _fill(log, 0, 1)
    assert waiting.result() == stored


class _Damaged(MemoryEventLog):
    """A log whose end cannot be trusted behind its first event."""

    async def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """See `EventLog.tail`."""
        async with aclosing(super().tail(context, after_position=after_position)) as events:
            async for event in events:
                if event.position > 1:
                    raise CorruptStream(event.aggregate.subject, event.sequence, "it was changed")
                yield event


async def test_every_follower_hears_that_the_log_is_damaged() -> None:
    """Whoever reads for the others is told, and so is each of them; nobody waits for ever."""
    log = _Damaged()
    shared = SharedTail(log, "session")
    (first, _) = await _fill(log, 0, 2)

    async def follow() -> None:
        assert [event async for event in shared.tail("session")] == [first]

    async with asyncio.timeout(10):
        found = await asyncio.gather(*(follow() for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in found] == [CorruptStream] * 3


async def test_nobody_follows_from_beyond_the_end() -> None:
    """The first follower and any later one are refused when the log ends before the place they come from."""
    log = MemoryEventLog()
    await _fill(log, 0, 2)
    shared = SharedTail(log, "session")
    with pytest.raises(PositionAhead):
        await take(shared.tail("session", after_position=3), 1)
    async with aclosing(shared.tail("session")) as first:
        await anext(first)
        with pytest.raises(PositionAhead):
            await take(shared.tail("session", after_position=3), 1)


async def test_an_own_event_that_was_changed_at_the_broker_is_not_taken_for_the_own(tmp_path: Path) -> None:
    """A message is recognised only with the place, subject, body and every header that were sent."""
    async with embedded_nats(tmp_path) as broker:
        await _recognise(broker)


async def _recognise(broker: Broker) -> None:
    log = await broker.log("session")
    (stored,) = await log.append(SONG, 0, [new_event("0")], WHO)
    (delivered,) = await take(log.tail("session"), 1)
    assert delivered is stored
    sent, _ = log._own._sent[stored.position]
    assert sent.block is not None
    whole = (SONG.subject, sent.block, stored.data, stored.position)
    assert log._own.recognise(_delivered(*whole)) is stored
    added = header_block(sent | {"Nats-Sequence": "1"})
    assert log._own.recognise(_delivered(SONG.subject, added, *whole[2:])) is stored
    for index, other in ((0, "es.session.acme.sng-2"), (2, b"other"), (3, stored.position + 1)):
        changed: list[Any] = [*whole]
        changed[index] = other
        assert log._own.recognise(_delivered(*changed)) is None
    for name in sent:
        other_value = header_block(sent | {name: "x"})
        assert log._own.recognise(_delivered(SONG.subject, other_value, *whole[2:])) is None
        without = header_block({key: value for key, value in sent.items() if key != name})
        assert log._own.recognise(_delivered(SONG.subject, without, *whole[2:])) is None


def _delivered(subject: str, block: bytes | None, data: bytes, position: int) -> Delivery:
    reply = f"$JS.ACK.ES_SESSION.read-1.1.{position}.1.1700000000000000000.0"
    return Delivery(Incoming(subject, reply, block or b"", data), CancellableClient(), lambda: None)
