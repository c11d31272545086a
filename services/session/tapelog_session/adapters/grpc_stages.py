"""RPCs on stages: gates, ways back, holds."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc
from tapelog_session.application import song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.following.follow_ups import follow_up
from tapelog_session.application.reading import queries
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.application.song_commands import Decision
from tapelog_session.domain.gates import holds, send_backs
from tapelog_session.domain.names import parse_song

StageRequest = (
    wire.SendBackSongRequest
    | wire.RequestSendBackRequest
    | wire.PutSongOnHoldRequest
    | wire.ResumeSongRequest
    | wire.CancelSongRequest
)


class StagePart(Part):
    """The stage machine of a song."""

    async def _moved(self, request: StageRequest, call: Call, decide: Decision) -> pb.Song:
        """Execute a command on the song that the request names, with what follows for other aggregates."""
        name = parse_song(request.song, "song")
        outcome = await song_commands.on_song(self._aggregates, call, request_of(request), name, decide)
        await follow_up(self._aggregates, outcome.events)
        return song_resource(outcome.versioned)

    @rpc
    async def EvaluateGate(self, request: wire.EvaluateGateRequest, call: Call) -> wire.EvaluateGateResponse:
        """See the proto."""
        evaluation = await queries.gate(self._aggregates, call, parse_song(request.song, "song"), past_of(request))
        return wire.EvaluateGateResponse(
            **{"from": getattr(evaluation, "from")},
            to=evaluation.to,
            conditions=evaluation.conditions,
            passed=evaluation.passed,
        )

    @rpc
    async def AdvanceStage(self, request: wire.AdvanceStageRequest, call: Call) -> pb.Song:
        """See the proto."""
        name = parse_song(request.song, "song")
        outcome = await song_commands.advance_stage(self._aggregates, call, request_of(request), name, request.to)
        return song_resource(outcome.versioned)

    @rpc
    async def SendBackSong(self, request: wire.SendBackSongRequest, call: Call) -> pb.Song:
        """See the proto."""
        wanted = pb.SendBack(to=request.to, reason=request.reason, comment=request.comment, notes=request.notes)
        return await self._moved(request, call, lambda song, actor: send_backs.send_back(song, actor, wanted))

    @rpc
    async def RequestSendBack(self, request: wire.RequestSendBackRequest, call: Call) -> pb.Song:
        """See the proto."""
        wanted = pb.SendBackAdvice(to=request.to, reason=request.reason, comment=request.comment, notes=request.notes)
        return await self._moved(request, call, lambda song, actor: send_backs.advise(song, actor, wanted))

    @rpc
    async def PutSongOnHold(self, request: wire.PutSongOnHoldRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._moved(request, call, lambda song, _: holds.put_on_hold(song, request.reason))

    @rpc
    async def ResumeSong(self, request: wire.ResumeSongRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._moved(request, call, lambda song, _: holds.resume(song))

    @rpc
    async def CancelSong(self, request: wire.CancelSongRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._moved(request, call, lambda song, _: holds.cancel(song, request.reason))
