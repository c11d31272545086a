"""A song on a real event log in memory, for state machines: what is sent to it, and what its history must be."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from hypothesis.stateful import RuleBasedStateMachine
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.event_log import MemoryEventLog, Metadata
from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.application.song_snapshot import SongCodec
from tapelog_session.domain.errors import DomainError
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.gates import send_backs
from tapelog_session.domain.permissions import STAGES
from tapelog_session.domain.song import Song


class LoggedSong(RuleBasedStateMachine):
    """A song on a real event log in memory: commands are sent as the service sends them, and read again at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.log = MemoryEventLog()
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.aggregates = Aggregates.on(self.log, clock=self.clock)
        self.aggregate = self.aggregates.songs.aggregate("acme", "sng-1")
        self.requests = 0
        self.answers: list[tuple[str, Callable[[Song], Sequence[Message]], Any]] = []
        self.song = Song()

    def do(self, decide: Callable[..., Sequence[Message]], *args: Any, **kwargs: Any) -> None:
        """Send a command as the service does."""
        self.requests += 1
        self.clock.advance(1)
        request_id = str(uuid.UUID(int=self.requests))

        def bound(song: Song) -> Sequence[Message]:
            return decide(song, *args, **kwargs)

        try:
            outcome = self.runner.run(self._execute(request_id, bound))
        except DomainError:
            return
        self.song = outcome.versioned.state
        if outcome.events:
            self.answers.append((request_id, bound, song_resource(outcome.versioned)))

    async def _execute(self, request_id: str, decide: Callable[[Song], Sequence[Message]]) -> Any:
        return await self.aggregates.songs.execute(
            self.aggregate,
            decide,
            request_id=request_id,
            request_hash="0" * 64,
            metadata=Metadata(project="prj-1", song="sng-1"),
        )

    def teardown(self) -> None:
        """Read the log again: gapless, legal, the same state from every prefix, the same answers to repeats."""
        try:
            self.runner.run(self._check_history())
        finally:
            self.runner.close()

    @staticmethod
    def _moved(stage: int, message: Message) -> int:
        """Return the stage after an event; only the edges of the stage machine exist (invariant 3)."""
        match message:
            case events_pb2.StageAdvanced():
                assert (getattr(message, "from"), message.to) == (stage, STAGES[STAGES.index(stage) + 1])
                return message.to
            case events_pb2.StageSentBack():
                decided = message.send_back
                assert (getattr(decided, "from"), decided.to) in send_backs.EDGES
                assert (getattr(decided, "from"), bool(decided.notes)) == (stage, True)
                return decided.to
            case events_pb2.SongPutOnHold():
                return pb.STAGE_ON_HOLD
            case events_pb2.SongResumed():
                assert stage == pb.STAGE_ON_HOLD
                return message.stage
            case events_pb2.SongCancelled():
                return pb.STAGE_CANCELLED
        return stage

    async def _check_history(self) -> None:
        stored = await self.log.load(self.aggregate)
        assert [event.sequence for event in stored] == list(range(1, len(stored) + 1))
        state, stage = Song(), pb.STAGE_PRE_PRODUCTION
        for event in stored:
            message = EVENTS.decode(event)
            stage = self._moved(stage, message)
            state = evolve(state, message, event.time)
            if event.sequence % 7 == 0:
                then = await self.aggregates.songs.load(self.aggregate, as_of_sequence=event.sequence)
                assert then.state == state
        assert (state, state.stage) == (self.song, stage)
        codec = SongCodec()
        assert codec.decode(codec.encode(state)) == state
        fresh = Aggregates.on(self.log, clock=self.clock)
        self.aggregates = fresh
        for request_id, decide, answer in self.answers[:: max(1, len(self.answers) // 5)]:
            outcome = await self._execute(request_id, decide)
            assert (outcome.replayed, song_resource(outcome.versioned)) == (True, answer)
