"""Commands: at most once per request_id, decided on current state, whatever fails in between."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog.session.v1.events_pb2 import MemberAdded, MemberRemoved, ProjectCreated
from tapelog_chassis import ids
from tapelog_chassis.aggregates.event_registry import EventRegistry, event_type_of
from tapelog_chassis.aggregates.versioned import FORMAT, unpack
from tapelog_chassis.errors import Aborted, DataLoss, InvalidArgument, OutOfRange, Unavailable, WrittenByNewer
from tapelog_chassis.event_log import AggregateId, MemorySnapshotStore, Metadata, NewEvent

A, B, C = (str(uuid.UUID(int=n)) for n in (1, 2, 3))


GUESTS = AggregateId("session", "acme", "prj-guests")


async def history(log: Any) -> list[tuple[int, str, str]]:
    """Return what the log holds."""
    return [(event.sequence, event.type, event.metadata.request_id) for event in await log.load(GUESTS)]


async def test_a_command_becomes_typed_events(desk: Any, log: Any):
    """Events carry the aggregate's type word, the message's name, and ids derived from the command."""
    outcome = await desk.add("ana", "ben", request_id=A)
    command = ids.command_id("session", "acme", "prj-guests", A)
    assert [event.type for event in outcome.events] == ["tapelog.project.member_added.v1"] * 2
    assert [event.event_id for event in outcome.events] == [ids.event_id(command, 0), ids.event_id(command, 1)]
    assert [event.schema for event in outcome.events] == ["tapelog.session.v1.MemberAdded"] * 2
    assert (outcome.versioned.state.parties, outcome.versioned.etag, outcome.replayed) == (("ana", "ben"), '"2"', False)
    assert outcome.events == tuple(await log.load(GUESTS))


async def test_a_repeat_gets_the_first_outcome(desk: Any, log: Any):
    """The same request again changes nothing and is answered with what the first one led to."""
    first = await desk.add("ana", request_id=A)
    await desk.add("ben", request_id=B)
    again = await desk.add("ana", request_id=A)
    assert again.replayed
    assert again.events == first.events
    assert again.versioned == first.versioned
    assert len(await history(log)) == 2


async def test_a_repeat_is_known_to_a_new_process(desk: Any, open_desk: Callable[..., Any], log: Any):
    """A process that starts afresh answers old requests from the log."""
    first = await desk.add("ana", "ben", request_id=A)
    again = await open_desk().add("ana", "ben", request_id=A)
    assert (again.replayed, again.events) == (True, first.events)


async def test_a_repeat_is_known_although_the_cache_is_old(open_desk: Callable[..., Any], log: Any):
    """A process whose cached state is older than the request gets the first one's events and makes no others."""
    one, two = open_desk(), open_desk()
    await one.add("cleo", request_id=C)
    first = await two.add("ana", request_id=A)
    again = await one.add("ana", request_id=A)
    assert (again.events, again.versioned) == (first.events, first.versioned)
    assert len(await history(log)) == 2


async def test_a_repeat_after_more_events_is_known_although_the_cache_is_old(open_desk: Callable[..., Any], log: Any):
    """The same holds when others have gone on since, and the repeat would now be refused."""
    one, two = open_desk(), open_desk()
    await one.add("cleo", request_id=C)
    first = await two.add("ana", "ben", request_id=A)
    await two.remove("cleo", request_id=B)
    again = await one.add("ana", "ben", request_id=A)
    assert (again.events, again.versioned) == (first.events, first.versioned)
    assert len(await history(log)) == 4


async def test_a_repeat_behind_events_that_the_cache_lacks_is_known(open_desk: Callable[..., Any], log: Any):
    """The same holds when others were faster before the first try: the first outcome, not a damaged history."""
    one, two = open_desk(), open_desk()
    await one.add("cleo", request_id=C)
    await two.add("dan", request_id=B)
    first = await two.add("ana", request_id=A)
    again = await one.add("ana", request_id=A)
    assert (again.events, again.versioned, again.replayed) == (first.events, first.versioned, True)
    await one.remove("dan", request_id=str(uuid.UUID(int=4)))
    assert len(await history(log)) == 4


async def test_another_body_under_the_same_id_is_refused(desk: Any, log: Any):
    """A request_id belongs to one body for ever."""
    await desk.add("ana", request_id=A, body="ana")
    with pytest.raises(InvalidArgument) as caught:
        await desk.add("ben", request_id=A, body="ben")
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert len(await history(log)) == 1


async def test_a_repeat_may_carry_its_old_etag(desk: Any):
    """The etag of a repeated request was right when it was first sent."""
    await desk.add("ana", request_id=A)
    await desk.add("ben", request_id=B, etag='"1"')
    assert (await desk.add("ben", request_id=B, etag='"1"')).replayed


async def test_a_stale_etag_names_both(desk: Any, log: Any):
    """A stale etag is ABORTED with the etag sent and the current one."""
    await desk.add("ana", request_id=A)
    await desk.add("ben", request_id=B)
    with pytest.raises(Aborted) as caught:
        await desk.add("cleo", request_id=C, etag='"1"')
    assert dict(caught.value.metadata) == {"etag_sent": '"1"', "etag_current": '"2"'}
    assert len(await history(log)) == 2


async def test_a_right_etag_is_right_although_the_cache_is_old(open_desk: Callable[..., Any]):
    """An etag that another process's answer gave is accepted by a process that has not seen it yet."""
    one, two = open_desk(), open_desk()
    await one.add("ana", request_id=A)
    seen = await two.add("ben", request_id=B)
    assert (await one.add("cleo", request_id=C, etag=seen.versioned.etag)).versioned.sequence == 3


@pytest.mark.parametrize("etag", ["1", '"x"', 'W/"1"', '"01"', '"-1"'])
async def test_a_foreign_etag_is_invalid(desk: Any, etag: str):
    """What is no etag of ours is INVALID_ARGUMENT, not a conflict."""
    with pytest.raises(InvalidArgument, match="not an etag"):
        await desk.add("ana", request_id=A, etag=etag)


@pytest.mark.parametrize("request_id", ["", "abc", str(uuid.UUID(int=1)).upper() + "A", "{" + A + "}"])
async def test_a_request_id_is_a_uuid(desk: Any, request_id: str):
    """What is no UUID is refused before anything is read."""
    with pytest.raises(InvalidArgument) as caught:
        await desk.add("ana", request_id=request_id)
    assert caught.value.reason == "INVALID_REQUEST_ID"


async def test_a_refusal_stores_nothing_and_remembers_nothing(desk: Any, log: Any):
    """A refused request may be sent again, with the same id, when the state allows it."""
    await desk.add("ana", request_id=A)
    with pytest.raises(desk.already_in):
        await desk.add("ana", request_id=B)
    await desk.remove("ana", request_id=C)
    assert (await desk.add("ana", request_id=B)).versioned.state.parties == ("ana",)


async def test_a_refusal_rests_on_the_newest_state(open_desk: Callable[..., Any]):
    """A process with old state does not refuse what the current state allows."""
    one, two = open_desk(), open_desk()
    await one.add("ana", request_id=A)
    await two.remove("ana", request_id=B)
    assert (await one.add("ana", request_id=C)).versioned.sequence == 3


async def test_nothing_to_do_rests_on_the_newest_state(open_desk: Callable[..., Any]):
    """A process with old state does not skip what the current state needs."""
    one, two = open_desk(), open_desk()
    await one.add("ben", request_id=A)
    await two.add("ana", request_id=B)
    outcome = await one.remove("ana", request_id=C)
    assert (outcome.versioned.state.parties, len(outcome.events)) == (("ben",), 1)


async def test_a_command_that_changes_nothing(desk: Any, log: Any):
    """A decision without events appends nothing and says so."""
    outcome = await desk.remove("nobody", request_id=A)
    assert (outcome.events, outcome.replayed, await history(log)) == ((), False, [])


async def test_lost_race_is_decided_again(open_desk: Callable[..., Any], log: Any):
    """Without an etag a command that lost against another is decided on the new state."""
    one, two = open_desk(), open_desk()
    await one.add("ana", request_id=A)
    await two.add("ben", request_id=B)
    outcome = await one.add("cleo", request_id=C)
    assert outcome.versioned.state.parties == ("ana", "ben", "cleo")
    assert log.appends == 4


async def test_lost_answer_then_repeat(desk: Any, log: Any):
    """An append whose answer was lost is UNAVAILABLE, and the repeat finds its events."""
    await desk.add("ana", request_id=A)
    log.lose_answers = 1
    with pytest.raises(Unavailable) as caught:
        await desk.add("ben", request_id=B)
    assert caught.value.reason == "APPEND_UNKNOWN"
    again = await desk.add("ben", request_id=B)
    assert (again.replayed, again.versioned.state.parties) == (True, ("ana", "ben"))
    assert len(await history(log)) == 2


async def test_lost_request_then_repeat(desk: Any, log: Any):
    """An append that never arrived is UNAVAILABLE too, and the repeat does it."""
    log.lose_requests = 1
    with pytest.raises(Unavailable):
        await desk.add("ana", request_id=A)
    again = await desk.add("ana", request_id=A)
    assert (again.replayed, len(await history(log))) == (False, 1)


async def test_lost_answer_then_another_command(desk: Any, log: Any):
    """After an unknown outcome the next command starts from what the log holds."""
    log.lose_answers = 1
    with pytest.raises(Unavailable):
        await desk.add("ana", request_id=A)
    with pytest.raises(desk.already_in):
        await desk.add("ana", request_id=B)


async def test_cancelled_command_leaves_no_wrong_cache(desk: Any, log: Any):
    """A command cancelled while its append is on the way is found by its repeat."""
    task = asyncio.create_task(desk.add("ana", request_id=A))
    await log.stored.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await desk.add("ana", request_id=A)).replayed


async def test_many_processes_lose_nothing(open_desk: Callable[..., Any], log: Any):
    """Sixty commands through three processes at once are each stored once, gapless."""
    desks = [open_desk() for _ in range(3)]
    requests = [str(uuid.UUID(int=1000 + n)) for n in range(60)]
    outcomes = await asyncio.gather(*(desks[n % 3].add(f"p{n}", request_id=requests[n]) for n in range(60)))
    stored = await history(log)
    assert [sequence for sequence, _, _ in stored] == list(range(1, 61))
    assert sorted(request for _, _, request in stored) == sorted(requests)
    assert sorted(outcome.events[0].sequence for outcome in outcomes) == list(range(1, 61))
    assert set(await desks[0].parties()) == {f"p{n}" for n in range(60)}


async def test_the_same_request_through_many_processes_at_once(open_desk: Callable[..., Any], log: Any):
    """Twelve simultaneous copies of a request make its events once, and all get the same."""
    desks = [open_desk() for _ in range(4)]
    outcomes = await asyncio.gather(*(desks[n % 4].add("ana", "ben", request_id=A) for n in range(12)))
    assert len(await history(log)) == 2
    assert {outcome.events for outcome in outcomes} == {outcomes[0].events}


async def test_simultaneous_bodies_under_one_id(open_desk: Callable[..., Any], log: Any):
    """Of two bodies sent at once under one id one wins and the other is told."""
    one, two = open_desk(), open_desk()
    results = await asyncio.gather(
        one.add("ana", request_id=A, body="a"), two.add("ben", request_id=A, body="b"), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, InvalidArgument)]
    assert [error.reason for error in refused] == ["REQUEST_ID_REUSED"]
    assert len(await history(log)) == 1


async def test_hot_aggregates_are_not_read_again(desk: Any, log: Any):
    """A process that owns an aggregate reads it once and then only appends."""
    for n in range(20):
        await desk.add(f"p{n}", request_id=str(uuid.UUID(int=100 + n)))
    assert (log.loads, log.appends) == (1, 20)


async def test_the_cache_is_bounded(open_desk: Callable[..., Any]):
    """The least recently used aggregate is let go, and read again when it is wanted."""
    desk = open_desk(cache_max=2)
    for n in range(5):
        await desk.repository.load(desk.repository.aggregate("acme", f"prj-{n}"))
    assert repr(desk.repository) == "Repository(context='session', cached=2)"


async def test_time_travel_by_sequence_and_time(desk: Any):
    """The list as it was after an event, and at a time."""
    start = desk.clock.now()
    for party, request_id in (("ana", A), ("ben", B), ("cleo", C)):
        await desk.add(party, request_id=request_id)
        desk.clock.advance(60)
    assert await desk.parties(as_of_sequence=0) == ()
    assert await desk.parties(as_of_sequence=2) == ("ana", "ben")
    assert await desk.parties(as_of_time=start + timedelta(seconds=60)) == ("ana", "ben")
    assert await desk.parties(as_of_time=start - timedelta(seconds=1)) == ()
    assert await desk.parties() == ("ana", "ben", "cleo")
    with pytest.raises(OutOfRange) as caught:
        await desk.parties(as_of_sequence=4)
    assert caught.value.metadata["last_sequence"] == "3"


async def test_snapshots_shorten_loading_and_keep_requests(open_desk: Callable[..., Any], codec: Any):
    """A process that starts from a snapshot has the same state and still knows every old request."""
    snapshots = MemorySnapshotStore()
    kept = {"snapshots": snapshots, "codec": codec, "snapshot_every": 5}
    first = open_desk(**kept)
    requests = [str(uuid.UUID(int=200 + n)) for n in range(12)]
    for n, request_id in enumerate(requests):
        await first.add(f"p{n}", request_id=request_id)
    snapshot = await snapshots.get(GUESTS, f"{FORMAT}-guests-1")
    assert snapshot is not None
    assert snapshot.sequence == 10
    fresh, plain = open_desk(**kept), open_desk()
    assert await fresh.repository.load(GUESTS) == await plain.repository.load(GUESTS)
    assert (await fresh.add("p0", request_id=requests[0])).replayed


async def test_a_snapshot_stays_small_and_old_requests_stay_known(open_desk: Callable[..., Any], codec: Any):
    """Requests older than the newest thousand cost four bytes each, and are still answered as the first time."""
    snapshots = MemorySnapshotStore()
    kept = {"snapshots": snapshots, "codec": codec, "snapshot_every": 500}
    first = open_desk(**kept)
    requests = [str(uuid.UUID(int=n * 2**96 + n)) for n in range(1, 3001)]
    for n, request_id in enumerate(requests):
        await first.add(f"p{n}", request_id=request_id)
    snapshot = await snapshots.get(GUESTS, f"{FORMAT}-guests-1")
    versioned = unpack(snapshot.sequence, snapshot.position, snapshot.data, codec)
    assert (len(versioned.requests.known), len(versioned.requests.older)) == (1000, 2000)
    assert all(versioned.requests.may_be_older(request_id) for request_id in requests[:2000])
    fresh = open_desk(**kept)
    again = await fresh.add("p0", request_id=requests[0])
    assert (again.replayed, [event.sequence for event in again.events]) == (True, [1])
    fresh = open_desk(**kept)
    with pytest.raises(InvalidArgument, match="already used"):
        await fresh.add("ana", request_id=requests[1], body="another")
    added = await open_desk(**kept).add("ben", request_id=str(uuid.uuid4()))
    assert (added.replayed, added.versioned.sequence) == (False, 3001)


async def test_a_broken_snapshot_is_passed_over(open_desk: Callable[..., Any], codec: Any):
    """Bytes that are no snapshot cost time and nothing else."""
    snapshots = MemorySnapshotStore()
    desk = open_desk()
    await desk.add("ana", request_id=A)
    await snapshots.put(GUESTS, 1, f"{FORMAT}-guests-1", b"\xc1 rubbish")
    assert await open_desk(snapshots=snapshots, codec=codec).parties() == ("ana",)


async def test_unknown_event_type_stops_loading(desk: Any, log: Any):
    """History with an event that this version does not know is refused, not skipped."""
    event = NewEvent("e1", "tapelog.project.teleported.v1", "x.Y", b"", desk.clock.now())
    await log.append(GUESTS, 0, [event], Metadata())
    with pytest.raises(WrittenByNewer, match="teleported"):
        await desk.parties()


async def test_history_that_was_rewritten_behind_a_process_is_noticed(desk: Any, log: Any):
    """A log that was truncated and written anew does not continue what a process has read."""
    await desk.add("ana", request_id=A)
    log.forget()
    for sequence, party in enumerate(("mallory", "oscar")):
        body = MemberAdded(party=party).SerializeToString()
        event = NewEvent(f"e{sequence}", "tapelog.project.member_added.v1", "x", body, desk.clock.now())
        await log.append(GUESTS, sequence, [event], Metadata())
    with pytest.raises(DataLoss) as caught:
        await desk.parties()
    assert caught.value.reason == "HISTORY_CORRUPT"


def test_event_types_are_derived_from_names():
    """A CloudEvents type is the aggregate's word, the message in snake case, and the package's version."""
    assert event_type_of("project", ProjectCreated) == "tapelog.project.project_created.v1"


def test_a_message_outside_a_versioned_package_is_no_event():
    """An event message lives in a package with a version."""
    with pytest.raises(ValueError, match="does not end in a version"):
        event_type_of("x", StringValue)


def test_a_message_is_registered_once():
    """One message is one event type."""
    with pytest.raises(ValueError, match="registered twice"):
        EventRegistry({"project": [MemberAdded], "song": [MemberAdded]})


async def test_an_unregistered_message_is_a_defect(desk: Any):
    """A decision that returns a message outside of the vocabulary names it."""
    with pytest.raises(KeyError, match="MemberRemoved is not registered"):
        EventRegistry({"project": [MemberAdded]}).type_of(MemberRemoved())
