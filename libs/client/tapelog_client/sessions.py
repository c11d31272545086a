"""Studio sessions, contributions, credits."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from google.protobuf import timestamp_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import PAGE_SIZE, Group, pages, timestamp


class StudioSessions(Group):
    """Studio sessions of a song and the credits that come of them: `api.sessions`."""

    async def open(
        self,
        song: str,
        type_: "res.StudioSessionType.ValueType",
        venue: str,
        *,
        room: str = "",
        start_time: datetime | None = None,
        attendees: Iterable[res.Attendee] = (),
        request_id: str = "",
    ) -> res.StudioSession:
        """Open a studio session for a song."""
        request = rpc.OpenStudioSessionRequest(
            song=song, type=type_, venue=venue, room=room, attendees=attendees, request_id=request_id
        )
        if start_time is not None:
            request.start_time.FromDatetime(start_time)
        return await self._link.unary(self._link.session.OpenStudioSession, request)

    async def get(self, name: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None) -> res.StudioSession:
        """Read a studio session, now or as it was after so many events."""
        request = rpc.GetStudioSessionRequest(
            name=name, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time)
        )
        return await self._link.unary(self._link.session.GetStudioSession, request)

    def list(
        self, song: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None
    ) -> AsyncIterator[res.StudioSession]:
        """Yield the studio sessions of a song, oldest first."""

        async def fetch(token: str) -> rpc.ListStudioSessionsResponse:
            request = rpc.ListStudioSessionsRequest(
                song=song,
                page_size=PAGE_SIZE,
                page_token=token,
                as_of_sequence=as_of_sequence,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.ListStudioSessions, request)

        return pages(fetch, lambda page: page.sessions, lambda page: page.next_page_token)

    async def log_attendee(
        self, name: str, party: str, role: "res.Role.ValueType", *, etag: str = "", request_id: str = ""
    ) -> res.StudioSession:
        """Note that somebody is there."""
        attendee = res.Attendee(party=party, role=role)
        request = rpc.LogAttendeeRequest(name=name, attendee=attendee, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.LogAttendee, request)

    async def log_equipment(
        self, name: str, equipment: Iterable[str], *, etag: str = "", request_id: str = ""
    ) -> res.StudioSession:
        """Note what equipment is used, one line a piece."""
        request = rpc.LogEquipmentRequest(name=name, equipment=equipment, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.LogEquipment, request)

    async def log_contribution(
        self,
        name: str,
        party: str,
        role: "res.Role.ValueType",
        *,
        detail: str = "",
        takes: Iterable[str] = (),
        etag: str = "",
        request_id: str = "",
    ) -> res.Contribution:
        """Note who contributed what, and return it."""
        wanted = res.Contribution(party=party, role=role, detail=detail, takes=takes)
        request = rpc.LogContributionRequest(name=name, contribution=wanted, request_id=request_id, etag=etag)
        answer = await self._link.unary(self._link.session.LogContribution, request)
        return answer.contributions[-1]

    async def confirm(self, name: str, contribution: str, *, etag: str = "", request_id: str = "") -> res.StudioSession:
        """Say that one's own contribution is right."""
        request = rpc.ConfirmContributionRequest(name=name, contribution=contribution, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ConfirmContribution, request)

    async def dispute(
        self, name: str, contribution: str, reason: str, *, etag: str = "", request_id: str = ""
    ) -> res.StudioSession:
        """Say that one's own contribution is not right, and why."""
        request = rpc.DisputeContributionRequest(
            name=name, contribution=contribution, reason=reason, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.DisputeContribution, request)

    async def close(self, name: str, end_time: datetime, *, etag: str = "", request_id: str = "") -> res.StudioSession:
        """End a studio session."""
        moment = timestamp_pb2.Timestamp()
        moment.FromDatetime(end_time)
        request = rpc.CloseStudioSessionRequest(name=name, end_time=moment, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.CloseStudioSession, request)

    async def export_credits(self, song: str, *, live: bool = False) -> rpc.ExportCreditsResponse:
        """Write the credits of a song as RIN-shaped XML, with what they lack."""
        request = rpc.ExportCreditsRequest(song=song, live=live)
        return await self._link.unary(self._link.session.ExportCredits, request)
