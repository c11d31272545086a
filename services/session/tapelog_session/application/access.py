"""Who calls, and whether their roles in the project allow it: looked up in the project, no older than a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Final

from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.auth import Principal
from tapelog_chassis.event_log import Metadata

from tapelog_session.domain.errors import Denied, NotNow, Unknown
from tapelog_session.domain.names import KindValue, project_name
from tapelog_session.domain.permissions import INTEGRATION, MATRIX, allowing_roles, denial, owns_nothing
from tapelog_session.domain.project import Project, closed_refusal
from tapelog_session.domain.roles import Actor, RoleValue, role_name

_TENANT_ROLES: Final = {"AUDITOR": pb.ROLE_AUDITOR, "BILLING_READER": pb.ROLE_BILLING_READER}


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call: who makes it, to which RPC (full name), as part of which action."""

    principal: Principal
    rpc: str
    correlation_id: str = ""

    @property
    def tenant(self) -> str:
        """The tenant all names are relative to."""
        return self.principal.tenant

    @property
    def party(self) -> str:
        """The person whose roles count."""
        return self.principal.acting_party


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """A call that is allowed.

    Attributes
    ----------
    project : Project
        As it was when the roles were looked up.
    roles : tuple of Role
        The roles that allow it, best first; empty for a service.
    membership_sequence : int
        The project's sequence at that moment.
    """

    call: Call
    project: Project
    roles: tuple[RoleValue, ...]
    membership_sequence: int

    @property
    def role(self) -> RoleValue:
        """The role acted in."""
        return self.roles[0] if self.roles else pb.ROLE_UNSPECIFIED

    @property
    def actor(self) -> Actor:
        """The person, in that role."""
        return Actor(self.call.party, self.role)

    def preferring(self, wanted: Iterable[RoleValue]) -> Access:
        """Return the access in the first wanted role that allows it, if there is one."""
        best = next((role for role in wanted if role in self.roles), None)
        if best is None:
            return self
        return dataclasses.replace(self, roles=(best, *(role for role in self.roles if role != best)))

    def metadata(self, *, song: str = "", external_ref: str = "") -> Metadata:
        """Return what travels beside the events of the call."""
        return Metadata(
            actor=self.call.principal.party,
            on_behalf_of=self.call.principal.on_behalf_of,
            role_used=role_name(self.role) if self.roles else "",
            membership_sequence=self.membership_sequence,
            correlation_id=self.call.correlation_id,
            project=self.project.id,
            song=song,
            external_ref=external_ref,
        )


async def authorize(
    projects: Repository[Project],
    call: Call,
    project: str,
    *,
    kind: KindValue | None = None,
    owns: Callable[[RoleValue], bool] = owns_nothing,
    now: bool = False,
) -> Access:
    """Look up the project and the caller's roles in it, and refuse what no role allows.

    What is allowed may rest on a project that is known to be no older than `freshness.LIMIT_S`, and the events say
    which sequence of it that was. A refusal rests on the newest one, so that whoever was let in a moment ago is in.

    Parameters
    ----------
    now : bool
        Look at the log's end whatever is known: for what adopts something of the project, or changes it.

    Raises
    ------
    Unknown
        The tenant has no such project.
    Denied
        No role allows it.
    NotNow
        The project is closed.
    """
    aggregate = projects.aggregate(call.tenant, project)
    recent = None if now else projects.recent(aggregate)
    if recent is not None:
        try:
            return _allowed(recent, call, project, kind, owns)
        except (Unknown, Denied, NotNow):  # perhaps not any more
            pass
    return _allowed(await projects.load(aggregate), call, project, kind, owns)


def _allowed(
    versioned: Versioned[Project], call: Call, project: str, kind: KindValue | None, owns: Callable[[RoleValue], bool]
) -> Access:
    known = versioned.state
    if not known.exists:
        raise Unknown("NO_SUCH_PROJECT", f"there is no {project_name(project)}", project=project)
    roles = _roles(known, call, kind, owns)
    row = MATRIX.get(call.rpc)
    if known.closed and row is not None and not (row.works_when_closed or row.is_tenant_wide):
        raise closed_refusal(known)
    return Access(call, known, roles, versioned.sequence)


def _roles(
    project: Project, call: Call, kind: KindValue | None, owns: Callable[[RoleValue], bool]
) -> tuple[RoleValue, ...]:
    row = MATRIX.get(call.rpc)
    principal = call.principal
    if row is not None and (row.is_tenant_wide or (principal.kind == "service" and row.is_open_to_services)):
        return ()
    if principal.kind == "integration":
        _require_integration(project, principal)
    held = project.roles_of(call.party)
    roles = allowing_roles(call.rpc, held, kind=kind, owns=owns)
    if not roles and row is not None and principal.kind != "service":
        roles = tuple(_TENANT_ROLES[name] for name in sorted(row.tenant_roles & principal.tenant_roles))
    if not roles:
        raise denial(call.rpc, held)
    return roles


def _require_integration(project: Project, principal: Principal) -> None:
    """Refuse a program that nobody on the project let in."""
    if INTEGRATION in principal.tenant_roles or pb.ROLE_INTEGRATION in project.roles_of(principal.party):
        return
    raise Denied(
        "NOT_AN_INTEGRATION_HERE",
        f"{principal.party} is no integration of project {project.id}; the studio producer can add it as a member "
        "with ROLE_INTEGRATION",
        party=principal.party,
        project=project.id,
    )
