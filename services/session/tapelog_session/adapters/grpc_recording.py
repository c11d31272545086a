"""RPCs on tracks and takes."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

from tapelog_session.adapters.grpc_common import Part, request_of, rpc
from tapelog_session.application import song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.application.song_commands import Decision
from tapelog_session.domain.names import parse_song
from tapelog_session.domain.tracking import recording, take_checks, takes

RecordingRequest = (
    wire.DefineTrackRequest
    | wire.SetTrackRequirementRequest
    | wire.SelectTakeRequest
    | wire.RejectTakeRequest
    | wire.SetCompRequest
    | wire.RequestAlternateTakeRequest
    | wire.WaiveTakeCheckRequest
)


class RecordingPart(Part):
    """Tracks, takes, comps."""

    async def _recorded(self, request: RecordingRequest, call: Call, decide: Decision) -> pb.Song:
        """Execute a command on the song that the request names, and return the song."""
        name = parse_song(request.song, "song")
        outcome = await song_commands.on_song(self._aggregates, call, request_of(request), name, decide)
        return song_resource(outcome.versioned)

    @rpc
    async def DefineTrack(self, request: wire.DefineTrackRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request,
            call,
            lambda song, _: recording.define_track(song, request.track, request.title, required=request.required),
        )

    @rpc
    async def SetTrackRequirement(self, request: wire.SetTrackRequirementRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request,
            call,
            lambda song, _: recording.set_requirement(song, request.track, request.reason, required=request.required),
        )

    @rpc
    async def AddTake(self, request: wire.AddTakeRequest, call: Call) -> pb.Song:
        """See the proto."""
        outcome = await song_commands.add_take(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            track=request.track,
            asset_sha256=request.asset_sha256,
        )
        return song_resource(outcome.versioned)

    @rpc
    async def SelectTake(self, request: wire.SelectTakeRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request, call, lambda song, _: recording.select_take(song, request.track, request.take)
        )

    @rpc
    async def RejectTake(self, request: wire.RejectTakeRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request, call, lambda song, _: takes.reject_take(song, request.take, request.reason)
        )

    @rpc
    async def CleanTake(self, request: wire.CleanTakeRequest, call: Call) -> pb.Song:
        """See the proto."""
        outcome = await song_commands.clean_take(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            parent=request.parent,
            asset_sha256=request.asset_sha256,
            treatments=request.treatments,
        )
        return song_resource(outcome.versioned)

    @rpc
    async def SetComp(self, request: wire.SetCompRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request, call, lambda song, actor: takes.set_comp(song, actor, request.track, request.regions)
        )

    @rpc
    async def RequestAlternateTake(self, request: wire.RequestAlternateTakeRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request, call, lambda song, actor: takes.request_take(song, actor, request.track, request.reason)
        )

    @rpc
    async def WaiveTakeCheck(self, request: wire.WaiveTakeCheckRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._recorded(
            request,
            call,
            lambda song, actor: take_checks.waive(song, actor, request.take, request.kind, request.reason),
        )
