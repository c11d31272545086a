"""Commands on projects, and the check that other services ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.auth import Principal

from tapelog_session.application.access import Access, Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.song_commands import Request
from tapelog_session.domain import project as domain
from tapelog_session.domain.checks import REFERENCE_CHARS_MAX
from tapelog_session.domain.errors import Denied, NotNow
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import RoleValue


async def create_project(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    project: events_pb2.ProjectCreated,
    members: Sequence[pb.Member],
) -> Outcome[Project]:
    """Create a project with its people; the same request creates the same one."""
    ids.validate_request_id(request.request_id)
    created = events_pb2.ProjectCreated()
    created.CopyFrom(project)
    created.project = ids.derive_id("prj", call.tenant, call.principal.party, call.rpc, request.request_id)
    access = Access(call, Project(id=created.project), (), 0)
    return await aggregates.projects.execute(
        aggregates.projects.aggregate(call.tenant, created.project),
        lambda state: domain.create_project(state, created, call.party, members),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(external_ref=created.external_ref[:REFERENCE_CHARS_MAX]),
    )


async def add_member(
    aggregates: Aggregates, call: Call, request: Request, project: str, member: pb.Member
) -> Outcome[Project]:
    """Add a person, or set the roles of one."""
    access = await authorize(aggregates.projects, call, project, now=True)
    return await aggregates.projects.execute(
        aggregates.projects.aggregate(call.tenant, project),
        lambda state: domain.add_member(state, member),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(external_ref=access.project.external_ref),
        expected_etag=request.etag,
    )


async def remove_member(
    aggregates: Aggregates, call: Call, request: Request, project: str, party: str
) -> Outcome[Project]:
    """Remove a person; what they did before stands."""
    access = await authorize(aggregates.projects, call, project, now=True)
    return await aggregates.projects.execute(
        aggregates.projects.aggregate(call.tenant, project),
        lambda state: domain.remove_member(state, party),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(external_ref=access.project.external_ref),
        expected_etag=request.etag,
    )


async def change_project(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    project: str,
    decide: Callable[[Project], Sequence[Message]],
) -> Outcome[Project]:
    """Execute a command on a project's settings."""
    access = await authorize(aggregates.projects, call, project, now=True)
    return await aggregates.projects.execute(
        aggregates.projects.aggregate(call.tenant, project),
        decide,
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(external_ref=access.project.external_ref),
        expected_etag=request.etag,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class PermissionAnswer:
    """Whether somebody may do something, in which role, by which membership."""

    allowed: bool
    role: RoleValue
    membership_sequence: int
    reason: str


async def check_permission(aggregates: Aggregates, call: Call, project: str, rpc: str, party: str) -> PermissionAnswer:
    """Say whether a party may call an RPC in a project now.

    Parameters
    ----------
    rpc : str
        Full name of the RPC.
    party : str
        Empty is the caller; only services may name another.
    """
    principal = call.principal
    if party and party != call.party:
        if principal.kind != "service":
            raise Denied("PARTY_DENIED", "only Tapelog's services may ask about another party", party=party)
        principal = Principal(tenant=call.tenant, party=party, kind="person")
    try:
        access = await authorize(aggregates.projects, Call(principal, rpc), project)
    except (Denied, NotNow) as denied:
        versioned = await aggregates.projects.load(aggregates.projects.aggregate(call.tenant, project))
        return PermissionAnswer(
            allowed=False, role=pb.ROLE_UNSPECIFIED, membership_sequence=versioned.sequence, reason=denied.message
        )
    return PermissionAnswer(allowed=True, role=access.role, membership_sequence=access.membership_sequence, reason="")
