"""RPCs on studio sessions and credits."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from collections.abc import Callable

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis import ids

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc, time_of
from tapelog_session.application import studio_sessions
from tapelog_session.application.access import Call
from tapelog_session.application.following.follow_ups import follow_up
from tapelog_session.application.studio_sessions import Decision, session_resource
from tapelog_session.domain import studio_session as domain
from tapelog_session.domain.names import parse_song, parse_studio_session
from tapelog_session.domain.studio_session import StudioSession

SessionRequest = (
    wire.LogAttendeeRequest
    | wire.LogEquipmentRequest
    | wire.LogContributionRequest
    | wire.ConfirmContributionRequest
    | wire.DisputeContributionRequest
    | wire.CloseStudioSessionRequest
)


class SessionPart(Part):
    """Studio sessions, contributions, credits."""

    async def _logged(
        self,
        request: SessionRequest,
        call: Call,
        decide: Decision,
        owns: Callable[[StudioSession], bool] | None = None,
    ) -> pb.StudioSession:
        """Execute a command on the session that the request names, with what follows for its song."""
        name = parse_studio_session(request.name, "name")
        outcome = await studio_sessions.on_session(self._aggregates, call, request_of(request), name, decide, owns=owns)
        await follow_up(self._aggregates, outcome.events)
        return session_resource(outcome.versioned)

    @rpc
    async def OpenStudioSession(self, request: wire.OpenStudioSessionRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        wanted = pb.StudioSession(
            type=request.type, venue=request.venue, room=request.room, attendees=request.attendees
        )
        if request.HasField("start_time"):
            time_of(request.start_time, "start_time")
            wanted.start_time.CopyFrom(request.start_time)
        name = parse_song(request.song, "song")
        outcome = await studio_sessions.open_session(self._aggregates, call, request_of(request), name, wanted)
        await follow_up(self._aggregates, outcome.events)
        return session_resource(outcome.versioned)

    @rpc
    async def GetStudioSession(self, request: wire.GetStudioSessionRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        name = parse_studio_session(request.name, "name")
        return await studio_sessions.get_session(self._aggregates, call, name, past_of(request))

    @rpc
    async def ListStudioSessions(
        self, request: wire.ListStudioSessionsRequest, call: Call
    ) -> wire.ListStudioSessionsResponse:
        """See the proto."""
        name = parse_song(request.song, "song")
        return await studio_sessions.list_sessions(self._aggregates, call, name, request, past_of(request))

    @rpc
    async def LogAttendee(self, request: wire.LogAttendeeRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        return await self._logged(request, call, lambda state, _song, _: domain.log_attendee(state, request.attendee))

    @rpc
    async def LogEquipment(self, request: wire.LogEquipmentRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        return await self._logged(request, call, lambda state, _song, _: domain.log_equipment(state, request.equipment))

    @rpc
    async def LogContribution(self, request: wire.LogContributionRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        ids.validate_request_id(request.request_id)
        id_ = ids.derive_id("con", call.tenant, call.principal.party, call.rpc, request.request_id)
        return await self._logged(
            request,
            call,
            lambda state, song, party: domain.log_contribution(state, song, id_, request.contribution, party),
            owns=lambda _state: request.contribution.party == call.party,
        )

    @rpc
    async def ConfirmContribution(self, request: wire.ConfirmContributionRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        return await self._logged(
            request,
            call,
            lambda state, _song, _: domain.confirm(state, request.contribution),
            owns=lambda state: domain.is_of(state, call.party, request.contribution),
        )

    @rpc
    async def DisputeContribution(self, request: wire.DisputeContributionRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        return await self._logged(
            request,
            call,
            lambda state, _song, _: domain.dispute(state, request.contribution, request.reason),
            owns=lambda state: domain.is_of(state, call.party, request.contribution),
        )

    @rpc
    async def CloseStudioSession(self, request: wire.CloseStudioSessionRequest, call: Call) -> pb.StudioSession:
        """See the proto."""
        time_of(request.end_time, "end_time")
        return await self._logged(request, call, lambda state, _song, _: domain.close(state, request.end_time))

    @rpc
    async def ExportCredits(self, request: wire.ExportCreditsRequest, call: Call) -> wire.ExportCreditsResponse:
        """See the proto."""
        return await studio_sessions.export_credits(
            self._aggregates, self._desk.parties, call, parse_song(request.song, "song"), live=request.live
        )
