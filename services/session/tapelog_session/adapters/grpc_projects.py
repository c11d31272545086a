"""RPCs on parties, projects and permissions."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc
from tapelog_session.application import parties, project_commands
from tapelog_session.application.access import Call
from tapelog_session.application.reading import finding, queries
from tapelog_session.application.reading.resources import party_resource, project_resource
from tapelog_session.domain import project as domain
from tapelog_session.domain.names import parse_party, parse_project


class ProjectPart(Part):
    """Parties, projects, members, permissions."""

    @rpc
    async def UpsertParty(self, request: wire.UpsertPartyRequest, call: Call) -> pb.Party:
        """See the proto."""
        record = await parties.upsert_party(
            self._desk.parties,
            call,
            request_of(request),
            party=parse_party(request.party.name, "party.name"),
            display_name=request.party.display_name,
            email=request.party.email,
        )
        return party_resource(record)

    @rpc
    async def GetParty(self, request: wire.GetPartyRequest, call: Call) -> pb.Party:
        """See the proto."""
        return party_resource(await parties.get_party(self._desk.parties, call, parse_party(request.name, "name")))

    @rpc
    async def ErasePerson(self, request: wire.ErasePersonRequest, call: Call) -> pb.Party:
        """See the proto."""
        party = parse_party(request.name, "name")
        desk = self._desk
        return party_resource(
            await parties.erase_person(desk.aggregates, desk.parties, call, request_of(request), party)
        )

    @rpc
    async def ExportPersonalData(
        self, request: wire.ExportPersonalDataRequest, call: Call
    ) -> wire.ExportPersonalDataResponse:
        """See the proto."""
        party = parse_party(request.name, "name")
        return await parties.export_personal_data(self._desk.parties, self._desk.views, call, party)

    @rpc
    async def CreateProject(self, request: wire.CreateProjectRequest, call: Call) -> pb.Project:
        """See the proto."""
        project = events_pb2.ProjectCreated(
            title=request.title, artist_name=request.artist_name, external_ref=request.external_ref
        )
        outcome = await project_commands.create_project(
            self._aggregates, call, request_of(request), project, request.members
        )
        return project_resource(outcome.versioned)

    @rpc
    async def GetProject(self, request: wire.GetProjectRequest, call: Call) -> pb.Project:
        """See the proto."""
        project = parse_project(request.name, "name")
        return await queries.get_project(self._aggregates, call, project, past_of(request))

    @rpc
    async def ListProjects(self, request: wire.ListProjectsRequest, call: Call) -> wire.ListProjectsResponse:
        """See the proto."""
        return await finding.list_projects(self._aggregates, self._desk.views, call, request, past_of(request))

    @rpc
    async def AddMember(self, request: wire.AddMemberRequest, call: Call) -> pb.Project:
        """See the proto."""
        project = parse_project(request.project, "project")
        outcome = await project_commands.add_member(
            self._aggregates, call, request_of(request), project, request.member
        )
        return project_resource(outcome.versioned)

    @rpc
    async def RemoveMember(self, request: wire.RemoveMemberRequest, call: Call) -> pb.Project:
        """See the proto."""
        project = parse_project(request.project, "project")
        outcome = await project_commands.remove_member(
            self._aggregates, call, request_of(request), project, request.party
        )
        return project_resource(outcome.versioned)

    @rpc
    async def CloseProject(self, request: wire.CloseProjectRequest, call: Call) -> pb.Project:
        """See the proto."""
        outcome = await project_commands.change_project(
            self._aggregates,
            call,
            request_of(request),
            parse_project(request.project, "project"),
            lambda project: domain.close_project(project, request.reason),
        )
        return project_resource(outcome.versioned)

    @rpc
    async def ReopenProject(self, request: wire.ReopenProjectRequest, call: Call) -> pb.Project:
        """See the proto."""
        outcome = await project_commands.change_project(
            self._aggregates,
            call,
            request_of(request),
            parse_project(request.project, "project"),
            lambda project: domain.reopen_project(project, request.reason),
        )
        return project_resource(outcome.versioned)

    @rpc
    async def SetPolicy(self, request: wire.SetPolicyRequest, call: Call) -> pb.Project:
        """See the proto."""
        outcome = await project_commands.change_project(
            self._aggregates,
            call,
            request_of(request),
            parse_project(request.project, "project"),
            lambda project: domain.set_policy(project, request.policy),
        )
        return project_resource(outcome.versioned)

    @rpc
    async def SetAllowance(self, request: wire.SetAllowanceRequest, call: Call) -> pb.Project:
        """See the proto."""
        outcome = await project_commands.change_project(
            self._aggregates,
            call,
            request_of(request),
            parse_project(request.project, "project"),
            lambda project: domain.set_allowance(project, request.revision_allowance),
        )
        return project_resource(outcome.versioned)

    @rpc
    async def RebuildViews(self, _request: wire.RebuildViewsRequest, call: Call) -> wire.RebuildViewsResponse:
        """See the proto."""
        return await finding.rebuild_views(self._desk.views, self._desk.index, call)

    @rpc
    async def CheckPermission(self, request: wire.CheckPermissionRequest, call: Call) -> wire.CheckPermissionResponse:
        """See the proto."""
        project = parse_project(request.project, "project")
        answer = await project_commands.check_permission(self._aggregates, call, project, request.rpc, request.party)
        return wire.CheckPermissionResponse(
            allowed=answer.allowed,
            role=answer.role,
            membership_sequence=answer.membership_sequence,
            reason=answer.reason,
        )
