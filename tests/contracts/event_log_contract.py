"""What every event log promises. A subclass gives the fixture `bench`; pytest runs each test against it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tapelog_chassis.event_log import (
    AggregateId,
    ConcurrencyConflict,
    CorruptStream,
    DuplicateEventId,
    EventLog,
    EventTooLarge,
    ForeignMessage,
    InvalidEvent,
    Metadata,
    PositionAhead,
    SnapshotStore,
    StoredEvent,
    chain,
)
from tapelog_chassis.testing import new_event

SONG = AggregateId("session", "acme", "sng-1")
OTHER = AggregateId("session", "acme", "sng-2")
FOREIGN = AggregateId("session", "rival", "sng-1")
WHO = Metadata(
    actor="usr-ann",
    on_behalf_of="usr-bob",
    role_used="producer",
    membership_sequence=7,
    request_id="5f0c",
    request_hash="ab" * 32,
    correlation_id="cor-1",
    causation_id="cau-1",
    project="prj-1",
    song="sng-1",
    external_ref='Größe "7 %" – 🎚',
)


@dataclass
class Bench:
    """A log under test, a second client of the same log, and the means to do what a log itself never does."""

    log: EventLog
    second: EventLog
    snapshots: SnapshotStore
    forge: Callable[[StoredEvent], Awaitable[None]]
    outlive_window: Callable[[], Awaitable[None]]


async def take(events: AsyncIterator[StoredEvent], count: int) -> list[StoredEvent]:
    """Read `count` events and stop."""
    taken: list[StoredEvent] = []
    async with asyncio.timeout(10), aclosing(events) as source:
        async for event in source:
            taken.append(event)
            if len(taken) == count:
                break
    return taken


class EventLogContract:
    async def test_load_returns_what_append_stored(self, bench: Bench) -> None:
        """An appended event comes back with every field, for this client and for another."""
        time = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
        event = replace(new_event("a", b"\x00\xffbody"), time=time)
        stored = await bench.log.append(SONG, 0, [event], WHO)
        assert stored == await bench.log.load(SONG) == await bench.second.load(SONG)
        (only,) = stored
        assert (only.sequence, only.event_id, only.type, only.schema, only.data, only.time, only.metadata) == (
            1,
            event.event_id,
            event.type,
            event.schema,
            event.data,
            time.astimezone(UTC),
            WHO,
        )

    async def test_load_of_nothing_is_empty(self, bench: Bench) -> None:
        """An aggregate that nobody wrote has no events and no snapshot, and an empty context ends at 0."""
        assert await bench.log.load(SONG) == []
        assert await bench.snapshots.get(SONG, "v1") is None
        assert await bench.log.head("session") == 0
        assert [event async for event in bench.log.read_all("session")] == []

    async def test_sequences_are_gapless_and_chained(self, bench: Bench) -> None:
        """Single events and batches number 1..n without a gap, each hash following the one before."""
        await bench.log.append(SONG, 0, [new_event("1")], WHO)
        await bench.log.append(SONG, 1, [new_event("2"), new_event("3"), new_event("4")], WHO)
        await bench.second.append(SONG, 4, [new_event("5")], WHO)
        events = await bench.log.load(SONG)
        assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
        assert [event.previous_hash for event in events] == [chain.genesis_hash(SONG), *(e.hash for e in events[:-1])]
        assert len({event.hash for event in events}) == 5

    async def test_a_stale_writer_is_refused(self, bench: Bench) -> None:
        """An append at an old, a future or a wrong first sequence says where the aggregate is and stores nothing."""
        await bench.log.append(SONG, 0, [new_event("1"), new_event("2")], WHO)
        for expected in (0, 1, 3):
            with pytest.raises(ConcurrencyConflict) as refused:
                await bench.second.append(SONG, expected, [new_event(f"late-{expected}")], WHO)
            assert (refused.value.expected, refused.value.actual) == (expected, 2)
        assert len(await bench.log.load(SONG)) == 2

    async def test_of_concurrent_writers_exactly_one_wins(self, bench: Bench) -> None:
        """Eight writers from two clients at one sequence: one is stored, seven are told of the conflict."""
        logs = [bench.log, bench.second] * 4
        results = await asyncio.gather(
            *(log.append(SONG, 0, [new_event(f"w{n}")], WHO) for n, log in enumerate(logs)), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in results) == ["ConcurrencyConflict"] * 7 + ["list"]
        assert len(await bench.log.load(SONG)) == 1

    async def test_a_retry_returns_what_is_stored(self, bench: Bench) -> None:
        """The same event ids again, by this client or another, even after later events, succeed and add none."""
        events = [new_event("1"), new_event("2")]
        stored = await bench.log.append(SONG, 0, events, WHO)
        assert await bench.log.append(SONG, 0, events, WHO) == stored
        assert await bench.second.append(SONG, 0, events, Metadata()) == stored
        await bench.second.append(SONG, 2, [new_event("3")], WHO)
        assert await bench.log.append(SONG, 0, events, WHO) == stored
        assert len(await bench.log.load(SONG)) == 3

    async def test_a_retry_outlives_the_brokers_window(self, bench: Bench) -> None:
        """Long after the broker has forgotten the ids, a retry still returns what is stored."""
        single = await bench.log.append(SONG, 0, [new_event("1")], WHO)
        batch = await bench.log.append(SONG, 1, [new_event("2"), new_event("3")], WHO)
        await bench.outlive_window()
        assert await bench.second.append(SONG, 0, [new_event("1")], WHO) == single
        assert await bench.second.append(SONG, 1, [new_event("2"), new_event("3")], WHO) == batch
        assert [event.sequence for event in await bench.log.load(SONG)] == [1, 2, 3]

    async def test_a_retry_at_a_newer_sequence_is_still_a_retry(self, bench: Bench) -> None:
        """A command that reloads and decides the same events again gets the stored ones while the broker knows them."""
        stored = await bench.log.append(SONG, 0, [new_event("1")], WHO)
        assert await bench.second.append(SONG, 1, [new_event("1")], WHO) == stored
        assert len(await bench.log.load(SONG)) == 1

    async def test_an_event_id_belongs_to_one_event(self, bench: Bench) -> None:
        """An id that another aggregate used is refused, alone and inside a batch, and nothing of it is stored."""
        await bench.log.append(OTHER, 0, [new_event("1")], WHO)
        with pytest.raises(DuplicateEventId):
            await bench.log.append(SONG, 0, [new_event("1")], WHO)
        with pytest.raises(DuplicateEventId):
            await bench.log.append(SONG, 0, [new_event("2"), new_event("1")], WHO)
        assert await bench.log.load(SONG) == []

    async def test_a_batch_is_all_or_nothing(self, bench: Bench) -> None:
        """A conflicting batch leaves nothing behind; an accepted one lies together in the global order."""
        await bench.log.append(SONG, 0, [new_event("1")], WHO)
        with pytest.raises(ConcurrencyConflict):
            await bench.second.append(SONG, 0, [new_event("x"), new_event("y"), new_event("z")], WHO)
        assert len(await bench.log.load(SONG)) == 1
        stored = await bench.second.append(SONG, 1, [new_event(f"b{n}") for n in range(20)], WHO)
        assert [event.position for event in stored] == list(range(stored[0].position, stored[0].position + 20))

    async def test_what_breaks_a_rule_is_refused_whole(self, bench: Bench) -> None:
        """Too large, too many, none, unnamed, without time zone, repeated: a typed error, and nothing stored."""
        good = new_event("good")
        with pytest.raises(EventTooLarge, match="262144") as refused:
            await bench.log.append(SONG, 0, [good, new_event("big", b"x" * 256 * 1024)], WHO)
        assert refused.value.event_id == new_event("big").event_id
        wrong = [
            [],
            [new_event(str(n)) for n in range(1001)],
            [good, good],
            [replace(good, type="two words")],
            [replace(good, event_id="")],
            [replace(good, schema="a\nb")],
            [replace(good, time=good.time.replace(tzinfo=None))],
        ]
        for events in wrong:
            with pytest.raises(InvalidEvent):
                await bench.log.append(SONG, 0, events, WHO)
        with pytest.raises(InvalidEvent, match="external_ref"):
            await bench.log.append(SONG, 0, [good], Metadata(external_ref="x" * 600))
        assert await bench.log.load(SONG) == []

    async def test_load_after_a_snapshot_reads_the_rest(self, bench: Bench) -> None:
        """From a sequence on, with the right, a wrong or no position, load returns the same verified rest."""
        stored = []
        for n in range(6):
            stored += await bench.log.append(SONG, n, [new_event(str(n))], WHO)
            await bench.log.append(OTHER, n, [new_event(f"other-{n}")], WHO)
        for position in (0, stored[3].position, stored[2].position, 10_000):
            assert await bench.log.load(SONG, after_sequence=4, after_position=position) == stored[4:]
        assert await bench.log.load(SONG, after_sequence=6, after_position=stored[5].position) == []

    async def test_a_changed_body_is_detected(self, bench: Bench) -> None:
        """An event whose content does not fit its hash makes load fail and stops appends to that history."""
        (first,) = await bench.log.append(SONG, 0, [new_event("1", b"honest")], WHO)
        sealed = chain.seal(SONG, 1, first.hash, [new_event("2", b"honest")], WHO)[0]
        await bench.forge(replace(sealed, data=b"forged"))
        with pytest.raises(CorruptStream, match=r"sequence 2.*hash"):
            await bench.second.load(SONG)

    async def test_a_gap_is_detected(self, bench: Bench) -> None:
        """A missing sequence makes load fail at the place where it should be."""
        (first,) = await bench.log.append(SONG, 0, [new_event("1")], WHO)
        _, third = chain.seal(SONG, 1, first.hash, [new_event("2"), new_event("3")], WHO)
        await bench.forge(third)
        with pytest.raises(CorruptStream, match="sequence 2"):
            await bench.second.load(SONG)

    async def test_a_rewritten_history_is_detected(self, bench: Bench) -> None:
        """An event that is right in itself but follows another past makes load fail."""
        await bench.log.append(SONG, 0, [new_event("1")], WHO)
        await bench.forge(chain.seal(SONG, 1, "0" * 64, [new_event("2")], WHO)[0])
        with pytest.raises(CorruptStream, match="follow"):
            await bench.second.load(SONG)

    @pytest.mark.parametrize("kind", ["another body", "a gap", "another past", "another first"])
    async def test_a_foreign_message_closes_its_aggregate_alone(self, bench: Bench, kind: str) -> None:
        """Whoever reads everything steps over it; its aggregate is refused, others are read and appended to."""
        (first,) = await bench.log.append(SONG, 0, [new_event("1")], WHO)
        second, third = chain.seal(SONG, 1, first.hash, [new_event("2"), new_event("3")], WHO)
        forged = {
            "another body": replace(second, data=b"forged"),
            "a gap": third,
            "another past": chain.seal(SONG, 1, "0" * 64, [new_event("2")], WHO)[0],
            "another first": chain.seal(SONG, 0, chain.genesis_hash(SONG), [new_event("0")], WHO)[0],
        }[kind]
        await bench.forge(forged)
        (other,) = await bench.second.append(OTHER, 0, [new_event("o1")], WHO)
        for events in (bench.log.read_all("session"), bench.second.tail("session")):
            one, foreign, three = await take(events, 3)
            assert (one, three) == (first, other)
            assert isinstance(foreign, ForeignMessage)
            assert (foreign.aggregate, first.position < foreign.position < other.position) == (SONG, True)
        for position in (first.position, foreign.position):
            *_, last = await take(bench.log.tail("session", after_position=position), 1 + (position == first.position))
            assert last == other
        for attempt in (bench.second.load(SONG), bench.log.append(SONG, 1, [new_event("mine")], WHO)):
            with pytest.raises(CorruptStream, match="sequence 2"):
                await attempt
        assert await bench.log.append(OTHER, 1, [new_event("o2")], WHO)

    async def test_read_all_gives_the_global_order(self, bench: Bench) -> None:
        """Reading a context yields every aggregate's events by rising position, from any position, without a repeat."""
        stored = []
        for n in range(5):
            stored += await bench.log.append(SONG, n, [new_event(f"s{n}")], WHO)
            stored += await bench.second.append(FOREIGN, 2 * n, [new_event(f"f{n}"), new_event(f"g{n}")], WHO)
        assert [event async for event in bench.log.read_all("session")] == stored
        assert await bench.log.head("session") == stored[-1].position
        middle = stored[6].position
        assert [event async for event in bench.second.read_all("session", after_position=middle)] == stored[7:]

    async def test_tail_continues_into_the_future(self, bench: Bench) -> None:
        """A tail yields what is there, then what is appended while it runs, each once and in order."""
        stored = await bench.log.append(SONG, 0, [new_event("0"), new_event("1")], WHO)

        async def write() -> None:
            for n in range(2, 8):
                stored.extend(await bench.second.append(SONG, n, [new_event(str(n))], WHO))

        async with asyncio.TaskGroup() as group:
            everything = group.create_task(take(bench.log.tail("session"), 8))
            rest = group.create_task(take(bench.log.tail("session", after_position=stored[1].position), 6))
            group.create_task(write())
        assert everything.result() == stored
        assert rest.result() == stored[2:]

    async def test_tail_refuses_a_position_of_another_log(self, bench: Bench) -> None:
        """A reader that knows more than the log holds is told so, instead of waiting for ever."""
        await bench.log.append(SONG, 0, [new_event("1")], WHO)
        with pytest.raises(PositionAhead, match="5"):
            await take(bench.log.tail("session", after_position=5), 1)

    async def test_tenants_and_contexts_do_not_meet(self, bench: Bench) -> None:
        """The same id in another tenant is another aggregate, with its own sequence and its own chain."""
        await bench.log.append(SONG, 0, [new_event("1")], WHO)
        assert await bench.log.load(FOREIGN) == []
        (foreign,) = await bench.log.append(FOREIGN, 0, [new_event("2")], WHO)
        assert (foreign.sequence, foreign.previous_hash) == (1, chain.genesis_hash(FOREIGN))
        assert foreign.previous_hash != chain.genesis_hash(SONG)
        assert [event.aggregate for event in await bench.log.load(SONG)] == [SONG]

    async def test_a_snapshot_serves_only_the_code_that_made_it(self, bench: Bench) -> None:
        """The newest snapshot comes back with its position for its own schema hash, and for another there is none."""
        await bench.snapshots.put(SONG, 3, "v1", b"state at 3", position=30)
        await bench.snapshots.put(SONG, 5, "v1", b"state at 5", position=50)
        snapshot = await bench.snapshots.get(SONG, "v1")
        assert (snapshot.sequence, snapshot.position, snapshot.data) == (5, 50, b"state at 5")
        assert await bench.snapshots.get(SONG, "v2") is None
        assert await bench.snapshots.get(FOREIGN, "v1") is None

    @settings(
        max_examples=12,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(data=st.data())
    async def test_laws(self, bench: Bench, data: st.DataObject) -> None:
        """For any mix of appends, stale appends and retries the log equals a plain list of what was accepted."""
        song = AggregateId("session", "acme", f"law-{data.draw(st.integers(0, 2**40))}")
        accepted: list[tuple[list, list[StoredEvent]]] = []
        steps = data.draw(st.lists(st.tuples(st.sampled_from("ars"), st.integers(1, 4), st.booleans()), max_size=12))
        for number, (step, size, use_second) in enumerate(steps):
            log = bench.second if use_second else bench.log
            length = sum(len(stored) for _, stored in accepted)
            if step == "a":
                events = [new_event(f"{song}/{number}/{n}", b"%d" % n) for n in range(size)]
                accepted.append((events, await log.append(song, length, events, WHO)))
            elif step == "r" and accepted:
                events, stored = accepted[size % len(accepted)]
                assert await log.append(song, stored[0].sequence - 1, events, WHO) == stored
            elif step == "s" and length:
                with pytest.raises(ConcurrencyConflict):
                    await log.append(song, size % length, [new_event(f"{song}/{number}")], WHO)
        expected = [event for _, stored in accepted for event in stored]
        assert await bench.log.load(song) == await bench.second.load(song) == expected
        assert [event.sequence for event in expected] == list(range(1, len(expected) + 1))
