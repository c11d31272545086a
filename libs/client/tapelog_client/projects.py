"""Parties and projects."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import PAGE_SIZE, Group, pages, timestamp


class Parties(Group):
    """People and organisations: `api.parties`."""

    async def upsert(self, party: str, display_name: str, *, email: str = "", request_id: str = "") -> res.Party:
        """Create or replace the record of the party with this id."""
        record = res.Party(name=f"parties/{party}", display_name=display_name, email=email)
        request = rpc.UpsertPartyRequest(party=record, request_id=request_id)
        return await self._link.unary(self._link.session.UpsertParty, request)

    async def get(self, party: str) -> res.Party:
        """Read the record of the party with this id."""
        return await self._link.unary(self._link.session.GetParty, rpc.GetPartyRequest(name=f"parties/{party}"))

    async def erase(self, party: str, *, request_id: str = "") -> res.Party:
        """Erase a person for ever: destroy the key of their record. For the person, or the tenant's ADMIN."""
        request = rpc.ErasePersonRequest(name=f"parties/{party}", request_id=request_id)
        return await self._link.unary(self._link.session.ErasePerson, request)

    async def export(self, party: str) -> rpc.ExportPersonalDataResponse:
        """Read what is kept about a person. For the person, or the tenant's ADMIN."""
        request = rpc.ExportPersonalDataRequest(name=f"parties/{party}")
        return await self._link.unary(self._link.session.ExportPersonalData, request)


class Projects(Group):
    """Projects, their members and what these may do: `api.projects`."""

    async def create(
        self,
        title: str,
        artist_name: str,
        members: Iterable[res.Member],
        *,
        external_ref: str = "",
        request_id: str = "",
    ) -> res.Project:
        """Create a project; the caller must be among the members, and one must be the studio producer."""
        request = rpc.CreateProjectRequest(
            title=title,
            artist_name=artist_name,
            members=members,
            external_ref=external_ref,
            request_id=request_id,
        )
        return await self._link.unary(self._link.session.CreateProject, request)

    async def get(self, name: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None) -> res.Project:
        """Read `projects/{project}`, now, or as it was after so many events or at a time."""
        request = rpc.GetProjectRequest(name=name, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time))
        return await self._link.unary(self._link.session.GetProject, request)

    def list(
        self, *, external_ref: str = "", member: str = "", as_of_time: datetime | None = None
    ) -> AsyncIterator[res.Project]:
        """Yield the caller's projects, oldest first, now or as they were: all, or those that match."""

        async def fetch(token: str) -> rpc.ListProjectsResponse:
            request = rpc.ListProjectsRequest(
                page_size=PAGE_SIZE,
                page_token=token,
                external_ref=external_ref,
                member=member,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.ListProjects, request)

        return pages(fetch, lambda page: page.projects, lambda page: page.next_page_token)

    async def add_member(
        self, project: str, party: str, roles: Iterable["res.Role.ValueType"], *, etag: str = "", request_id: str = ""
    ) -> res.Project:
        """Add a person, or set all their roles."""
        request = rpc.AddMemberRequest(
            project=project,
            member=res.Member(party=party, roles=roles),
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.AddMember, request)

    async def remove_member(self, project: str, party: str, *, etag: str = "", request_id: str = "") -> res.Project:
        """Remove a person; what they did before stands."""
        request = rpc.RemoveMemberRequest(project=project, party=party, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RemoveMember, request)

    async def close(self, project: str, reason: str = "", *, etag: str = "", request_id: str = "") -> res.Project:
        """End work on a project: until it is opened again it and its songs can only be read."""
        request = rpc.CloseProjectRequest(project=project, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.CloseProject, request)

    async def reopen(self, project: str, reason: str = "", *, etag: str = "", request_id: str = "") -> res.Project:
        """Let work on a closed project go on."""
        request = rpc.ReopenProjectRequest(project=project, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ReopenProject, request)

    async def set_policy(
        self, project: str, policy: res.Policy, *, etag: str = "", request_id: str = ""
    ) -> res.Project:
        """Set how versions are approved."""
        request = rpc.SetPolicyRequest(project=project, policy=policy, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SetPolicy, request)

    async def set_allowance(
        self, project: str, revision_allowance: int, *, etag: str = "", request_id: str = ""
    ) -> res.Project:
        """Set how many rounds of revision are part of what was agreed."""
        request = rpc.SetAllowanceRequest(
            project=project, revision_allowance=revision_allowance, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.SetAllowance, request)

    async def rebuild_views(self) -> rpc.RebuildViewsResponse:
        """Make what lists and searches are answered from anew, as the tenant's ADMIN."""
        return await self._link.unary(self._link.session.RebuildViews, rpc.RebuildViewsRequest())

    async def check_permission(self, project: str, rpc_name: str) -> rpc.CheckPermissionResponse:
        """Say whether the caller may call an RPC (its full name) in a project now."""
        request = rpc.CheckPermissionRequest(project=project, rpc=rpc_name)
        return await self._link.unary(self._link.session.CheckPermission, request)
