"""kill -9 of the broker under sixteen writers: nothing acknowledged is lost, doubled or out of place."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from tapelog_chassis.event_log import (
    AggregateId,
    AppendUnknown,
    ConcurrencyConflict,
    EventLog,
    LogUnavailable,
    Metadata,
    StoredEvent,
)
from tapelog_chassis.testing import Broker, new_event

from tests.faults.harness.battery import Row

WRITERS = 16
SHARED = 4
RESUME_S = 3.0


@dataclass
class Outcome:
    """What the writers and the reader saw."""

    acknowledged: list[str] = field(default_factory=list)
    conflicts: int = 0
    unknown: int = 0
    tailed: list[StoredEvent] = field(default_factory=list)
    resumed_s: list[float] = field(default_factory=list)


async def write(log: EventLog, number: int, stop: asyncio.Event, outcome: Outcome) -> None:
    """Append until told to stop: even writers alone, odd writers against others; every fourth time a batch."""
    own = number % 2 == 0
    aggregate = AggregateId("session", "acme", f"own-{number}" if own else f"shared-{number % SHARED}")
    sequence, count = 0, 0
    while not stop.is_set():
        events = [new_event(f"{number}/{count}/{n}") for n in range(3 if count % 4 == 0 else 1)]
        try:
            stored = await log.append(aggregate, sequence, events, Metadata(actor=f"usr-{number}"))
        except ConcurrencyConflict:
            outcome.conflicts += 1
            try:
                sequence = len(await log.load(aggregate))
            except LogUnavailable:
                continue
        except AppendUnknown:
            outcome.unknown += 1
        else:
            assert [event.event_id for event in stored] == [event.event_id for event in events]
            outcome.acknowledged += [event.event_id for event in events]
            sequence, count = stored[-1].sequence, count + 1


async def follow(log: EventLog, outcome: Outcome) -> None:
    """Tail everything, for ever."""
    async for event in log.tail("session"):
        outcome.tailed.append(event)


async def storm(broker: Broker, *, kills: int, between_s: float) -> Outcome:
    """Let the writers and a tail run while the server is killed again and again; check what is left."""
    logs = [await broker.log("session") for _ in range(4)]
    outcome, stop = Outcome(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tail = group.create_task(follow(await broker.log("session"), outcome))
        writers = [group.create_task(write(logs[n % 4], n, stop, outcome)) for n in range(WRITERS)]
        for _ in range(kills):
            await asyncio.wait(writers, timeout=between_s)
            await broker.kill()
            back_s, seen, acknowledged = time.monotonic(), len(outcome.tailed), len(outcome.acknowledged)
            while len(outcome.tailed) == seen or len(outcome.acknowledged) == acknowledged:
                await asyncio.wait(writers, timeout=0.02)
                assert time.monotonic() - back_s < 30
            outcome.resumed_s.append(time.monotonic() - back_s)
        stop.set()
        await asyncio.wait(writers)
        head = await logs[0].head("session")
        while not outcome.tailed or outcome.tailed[-1].position < head:
            await asyncio.wait([tail], timeout=0.05)
        tail.cancel()
    await check(logs[0], outcome)
    return outcome


async def check(log: EventLog, outcome: Outcome) -> None:
    """Compare the log with what was acknowledged, and the tail with the log."""
    stored = [event async for event in log.read_all("session")]
    times = Counter(event.event_id for event in stored)
    assert [event_id for event_id in outcome.acknowledged if times[event_id] == 0] == []
    assert [event_id for event_id, count in times.items() if count > 1] == []
    assert outcome.tailed == stored
    for aggregate in {event.aggregate for event in stored}:
        mine = [event for event in stored if event.aggregate == aggregate]
        assert await log.load(aggregate) == mine
        assert [event.sequence for event in mine] == list(range(1, len(mine) + 1))


async def test_two_kills_lose_nothing(broker: Broker) -> None:
    """Two kills within two seconds: lost 0, doubled 0, gaps 0; writers and tail go on within three seconds."""
    outcome = await storm(broker, kills=2, between_s=0.5)
    assert max(outcome.resumed_s) <= RESUME_S


@pytest.mark.faults
async def test_twelve_kills_lose_nothing(broker: Broker, row: Row) -> None:
    """Twelve kills under load: lost 0, doubled 0, gaps 0; writers and tail go on within three seconds each time."""
    outcome = await storm(broker, kills=12, between_s=1.0)
    row(
        "F02 log",
        "16 writers and a follower of one log, broker killed 12 times: lost 0, dup 0, gap 0; on within 3 s",
        f"{len(outcome.acknowledged)} acked, {outcome.conflicts} conflicts, {outcome.unknown} unknown; lost 0, dup 0, "
        f"gap 0; slowest resume {max(outcome.resumed_s):.2f} s",
    )
    assert max(outcome.resumed_s) <= RESUME_S
