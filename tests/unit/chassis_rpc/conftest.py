"""A guest list as an aggregate: small, with a rule that can refuse."""

import asyncio
import dataclasses
import os
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, Final

import msgspec
import pytest
from google.protobuf.message import Message
from tapelog.session.v1.events_pb2 import MemberAdded, MemberRemoved, ProjectCreated
from tapelog_chassis.aggregates.commands import Outcome, Repository
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.event_log import (
    AggregateId,
    AppendUnknown,
    MemoryEventLog,
    Metadata,
    NewEvent,
    StoredEvent,
)
from tapelog_chassis.ids import request_hash

GUESTS: Final = AggregateId("session", "acme", "prj-guests")
EVENTS: Final = EventRegistry({"project": [ProjectCreated, MemberAdded, MemberRemoved]})


class AlreadyIn(Exception):  # noqa: N818 - a rule of the domain
    """The guest is on the list."""


@dataclasses.dataclass(frozen=True)
class Guests:
    """Who is on the list, in order of arrival."""

    parties: tuple[str, ...] = ()


def evolve(state: Guests, event: Message, _stored: StoredEvent) -> Guests:
    """Fold one event."""
    match event:
        case MemberAdded():
            return Guests((*state.parties, event.party))
        case MemberRemoved():
            return Guests(tuple(party for party in state.parties if party != event.party))
    return state


class TroubledLog(MemoryEventLog):
    """A log in memory that gives way at every step, as a network does, and can lose answers.

    Attributes
    ----------
    lose_answers : int
        So many of the next appends store their events and then raise `AppendUnknown`.
    lose_requests : int
        So many of the next appends raise `AppendUnknown` without storing.
    stored : asyncio.Event
        Set once an append has stored its events, before its answer arrives.
    loads, appends : int
        Calls so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lose_answers = 0
        self.lose_requests = 0
        self.stored = asyncio.Event()
        self.loads = 0
        self.appends = 0

    def forget(self) -> None:
        """Lose everything, as a truncated stream does."""
        self._aggregates.clear()
        self._contexts.clear()
        self._event_ids.clear()

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """Append, or leave the caller in doubt."""
        self.appends += 1
        event_ids = [event.event_id for event in events]
        await asyncio.sleep(0)
        if self.lose_requests:
            self.lose_requests -= 1
            raise AppendUnknown(aggregate, event_ids, "the request was lost")
        stored = await super().append(aggregate, expected_sequence, events, metadata)
        self.stored.set()
        await asyncio.sleep(0)
        if self.lose_answers:
            self.lose_answers -= 1
            raise AppendUnknown(aggregate, event_ids, "the answer was lost")
        return stored

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """Load, giving way before and after."""
        self.loads += 1
        await asyncio.sleep(0)
        stored = await super().load(aggregate, after_sequence=after_sequence, after_position=after_position)
        await asyncio.sleep(0)
        return stored


class GuestsCodec:
    """The list as MessagePack."""

    schema_hash = "guests-1"

    def encode(self, state: Guests) -> bytes:
        """Return the names."""
        return msgspec.msgpack.encode(state.parties)

    def decode(self, data: bytes) -> Guests:
        """Return the list."""
        return Guests(msgspec.msgpack.decode(data, type=tuple[str, ...]))


@dataclasses.dataclass
class Desk:
    """One process's repository, with short words for commands."""

    repository: Repository[Guests]
    clock: FakeClock

    already_in = AlreadyIn

    async def add(self, *parties: str, request_id: str, **request: str) -> Outcome[Guests]:
        """Add guests, each once."""

        def decide(state: Guests) -> Sequence[Message]:
            for party in parties:
                if party in state.parties:
                    raise AlreadyIn(party)
            return [MemberAdded(party=party) for party in parties]

        return await self._execute(decide, request_id, **request)

    async def remove(self, party: str, *, request_id: str, **request: str) -> Outcome[Guests]:
        """Remove a guest; nothing happens to one who is not there."""

        def decide(state: Guests) -> Sequence[Message]:
            return [MemberRemoved(party=party)] if party in state.parties else []

        return await self._execute(decide, request_id, **request)

    async def _execute(
        self, decide: Callable[[Guests], Sequence[Message]], request_id: str, *, body: str = "", etag: str = ""
    ) -> Outcome[Guests]:
        return await self.repository.execute(
            GUESTS,
            decide,
            request_id=request_id,
            request_hash=request_hash(MemberRemoved(party=body)),
            metadata=Metadata(actor="ana"),
            expected_etag=etag,
        )

    async def parties(self, **as_of: Any) -> tuple[str, ...]:
        """Return the list now, or as it was."""
        return (await self.repository.load(GUESTS, **as_of)).state.parties


@pytest.fixture
def log() -> TroubledLog:
    """Give a log that gives way at every step."""
    return TroubledLog()


@pytest.fixture
def open_desk(log: TroubledLog) -> Callable[..., Desk]:
    """Give a maker of processes that share the log."""

    def make(**changes: Any) -> Desk:
        clock = FakeClock()
        repository = Repository(
            changes.pop("log", log), "session", initial=Guests, evolve=evolve, events=EVENTS, clock=clock, **changes
        )
        return Desk(repository, clock)

    return make


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """Give one process."""
    return open_desk()


@pytest.fixture
def codec() -> GuestsCodec:
    """Give the list's snapshot codec."""
    return GuestsCodec()


@pytest.fixture
def environment() -> Iterator[MutableMapping[str, str]]:
    """Give the environment without our variables, and restore it."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("TAPELOG_")]:
        del os.environ[name]
    yield os.environ
    os.environ.clear()
    os.environ.update(before)
