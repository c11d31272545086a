"""Roles are looked up in memory for a second at most: who was put out is out, in every instance, whatever stalls."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.aggregates.freshness import LIMIT_S, Freshness
from tapelog_chassis.auth import Principal
from tapelog_chassis.event_log import AggregateId, SharedTail, StoredEvent
from tapelog_chassis.testing import Broker, eventually
from tapelog_client.channel import open_channel
from tapelog_client.errors import PermissionDenied
from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import CONTEXT, EVENTS, Aggregates
from tapelog_session.application.project_heads import ProjectHeads
from tapelog_session.application.reading.views import Views
from tapelog_session.domain.errors import Denied
from tapelog_session.domain.permissions import SESSION


class _Link:
    """A link to the broker that a test can hold: what is sent over it meanwhile arrives when it is let go."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self.open = asyncio.Event()
        self.open.set()
        self._ends: set[asyncio.Event] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side or the test ends it."""
        end = asyncio.Event()
        self._ends.add(end)
        while True:
            try:
                from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._broker_port)
                break
            except OSError:  # killed, and not up again yet
                await asyncio.sleep(0.02)
        ways = [self._carry(reader, to_broker), self._carry(from_broker, writer), end.wait()]
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in (writer, to_broker):
            each.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self.open.wait()
            writer.write(data)
            await writer.drain()

    async def cut(self) -> None:
        """End every connection."""
        for end in self._ends:
            end.set()
        self._ends.clear()


@pytest.fixture
async def link(broker: Broker) -> AsyncIterator[tuple[_Link, str]]:
    """Return a link to the broker, and its address."""
    held = _Link(int(broker.url.rpartition(":")[2]))
    server = await asyncio.start_server(held.serve, "127.0.0.1", 0)
    try:
        yield held, f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        held.open.set()
        server.close()
        await held.cut()
        await server.wait_closed()


@pytest.fixture
async def second(settings: Any, serving: Any, link: tuple[_Link, str]) -> AsyncIterator[str]:
    """Run a second instance of the service, on the same log by way of the link."""
    async with serving(settings.model_copy(update={"processes": False, "nats_url": link[1]})) as address:
        yield address


@pytest.fixture
async def other(booked: Any, second: str, issuer: Any, studio_class: Any) -> AsyncIterator[Any]:
    """Call a second instance of the service, on the same log by way of the link."""
    async with open_channel(second) as channel:
        caller = studio_class(channel, issuer, booked.objects)
        caller.project, caller.song = booked.project, booked.song
        yield caller


def _note(studio: Any) -> wire.AddNoteRequest:
    return wire.AddNoteRequest(song=studio.song, text="louder", severity=pb.NOTE_SEVERITY_NICE)


async def _recording(studio: Any) -> None:
    await studio.agree()
    await studio.advance(pb.STAGE_RECORDING)


async def _remove(studio: Any, party: str) -> None:
    await studio.call("pia", "RemoveMember", wire.RemoveMemberRequest(project=studio.project, party=party))


async def _is_refused(studio: Any, party: str) -> bool:
    try:
        await studio.call(party, "AddNote", _note(studio))
    except PermissionDenied:
        return True
    return False


async def test_who_is_put_out_is_out_at_once_here_and_within_the_limit_elsewhere(booked: Any, other: Any) -> None:
    """The instance that took the role away refuses the next call; the other one does before the limit has passed."""
    await _recording(booked)
    for studio in (booked, other):
        await studio.call("mia", "AddNote", _note(studio))
    await _remove(booked, "mia")
    removed_s = time.monotonic()
    assert await _is_refused(booked, "mia")
    accepted_s = removed_s
    while not await _is_refused(other, "mia"):
        accepted_s = time.monotonic()
    assert accepted_s - removed_s < LIMIT_S
    await booked.call(
        "pia",
        "AddMember",
        wire.AddMemberRequest(project=booked.project, member=pb.Member(party="mia", roles=[pb.ROLE_MIXING_ENGINEER])),
    )
    for studio in (other, booked):
        assert not await _is_refused(studio, "mia"), "who was let in is in everywhere at once"


async def test_an_instance_whose_link_stands_still_believes_nothing_of_before(
    booked: Any, other: Any, link: tuple[_Link, str]
) -> None:
    """The link is held for longer than the limit; a call that came meanwhile is decided on what is true now."""
    held, _ = link
    await _recording(booked)
    await other.call("mia", "AddNote", _note(other))
    held.open.clear()
    await _remove(booked, "mia")
    await asyncio.sleep(LIMIT_S + 0.1)
    waiting = asyncio.create_task(_is_refused(other, "mia"))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done(), "nobody decides without the log"
    held.open.set()
    assert await waiting


async def test_a_cut_link_and_a_killed_broker_renew_nothing(
    booked: Any, other: Any, link: tuple[_Link, str], broker: Broker
) -> None:
    """After each, longer than the limit after the role was taken away, the other instance refuses at its first call."""
    held, _ = link
    await _recording(booked)
    for party, harm in (("mia", held.cut), ("rex", broker.kill)):
        await other.call(party, "AddNote", _note(other))
        await harm()
        await _remove(booked, party)
        await asyncio.sleep(LIMIT_S + 0.05)
        assert await _is_refused(other, party)


class _HeldTail(SharedTail):
    """A log whose tail a test can hold while everything else goes on, and which counts what is read."""

    def __init__(self, log: Any) -> None:
        super().__init__(log, CONTEXT)
        self.open = asyncio.Event()
        self.open.set()
        self.loads = 0

    async def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """See `EventLog.tail`."""
        async for event in super().tail(context, after_position=after_position):
            await self.open.wait()
            yield event

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """See `EventLog.load`."""
        self.loads += 1
        return await super().load(aggregate, after_sequence=after_sequence, after_position=after_position)


async def test_a_stalled_tail_is_not_believed_although_the_log_answers(booked: Any, broker: Broker) -> None:
    """A fresh projection answers without a question to the log; one that stands still costs one, and never an error."""
    log = _HeldTail(await broker.log("session"))
    views = Views(log, CONTEXT, EVENTS)
    freshness = Freshness(log, CONTEXT, lambda head: views.reached(head, timeout_s=0.05))
    projects = Aggregates.on(log, project_heads=ProjectHeads(views, freshness)).projects
    call = Call(Principal(tenant="acme", party="mia", kind="person"), f"{SESSION}GetSong")
    project = booked.project.partition("/")[2]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(views.run()), group.create_task(freshness.run())]
        await eventually(freshness.holds)
        first = await authorize(projects, call, project)
        before = log.loads
        assert await authorize(projects, call, project) == first
        assert log.loads == before
        log.open.clear()
        await _remove(booked, "mia")
        await eventually(lambda: not freshness.holds())
        with pytest.raises(Denied):
            await authorize(projects, call, project)
        assert log.loads > before
        log.open.set()
        await eventually(freshness.holds)
        with pytest.raises(Denied):
            await authorize(projects, call, project)
        for task in tasks:
            task.cancel()
