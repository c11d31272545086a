"""Which RPC may be called by whom, at the level of the tenant: one row per RPC, no row means no.

Roles within a project are checked by the service, which alone knows the project.
"""

import dataclasses
from collections.abc import Mapping

from tapelog_chassis.auth.principal import Kind, Principal
from tapelog_chassis.auth.scopes import check_scope
from tapelog_chassis.errors import PermissionDenied, Unauthenticated


@dataclasses.dataclass(frozen=True, slots=True)
class MethodPolicy:
    """Who may call one RPC.

    Attributes
    ----------
    kinds : frozenset[Kind]
        Kinds of callers let in.
    tenant_roles : frozenset[str]
        When not empty, a person or an integration needs one of these; a service does not.
    is_public : bool
        No token is asked for (health and reflection).
    integration_names_person : bool
        An integration has to say for whom it acts.
    deadline_s : float, optional
        Server-side cap of the call in place of the default for its shape.
    outlives_token : bool
        A stream that an API key's token opened may go on when that token has ended: a download, not a subscription.
    """

    kinds: frozenset[Kind] = frozenset()
    tenant_roles: frozenset[str] = frozenset()
    is_public: bool = False
    integration_names_person: bool = True
    deadline_s: float | None = None
    outlives_token: bool = False


PolicyTable = Mapping[str, MethodPolicy]
"""Keyed by the full RPC name, such as `/tapelog.session.v1.SessionService/GetSong`."""


def public() -> MethodPolicy:
    """Let anyone call, without a token."""
    return MethodPolicy(is_public=True)


def signed_in(*, deadline_s: float | None = None, integration_names_person: bool = True) -> MethodPolicy:
    """Let every authenticated caller in: person, integration, service."""
    return MethodPolicy(
        kinds=frozenset({"person", "integration", "service"}),
        deadline_s=deadline_s,
        integration_names_person=integration_names_person,
    )


def members(*, deadline_s: float | None = None, integration_names_person: bool = True) -> MethodPolicy:
    """Let persons and integrations in, but no service."""
    return MethodPolicy(
        kinds=frozenset({"person", "integration"}),
        deadline_s=deadline_s,
        integration_names_person=integration_names_person,
    )


def services(*, deadline_s: float | None = None) -> MethodPolicy:
    """Let only Tapelog's own services in."""
    return MethodPolicy(kinds=frozenset({"service"}), deadline_s=deadline_s)


def tenant_role(*roles: str, deadline_s: float | None = None, integration_names_person: bool = True) -> MethodPolicy:
    """Let persons and integrations with one of these tenant roles in, and services."""
    if not roles:
        raise ValueError("name at least one tenant role")
    return MethodPolicy(
        kinds=frozenset({"person", "integration", "service"}),
        tenant_roles=frozenset(roles),
        deadline_s=deadline_s,
        integration_names_person=integration_names_person,
    )


def authorize(table: PolicyTable, method: str, principal: Principal | None) -> MethodPolicy:
    """Return the policy of a call that is allowed.

    Raises
    ------
    PermissionDenied
        No row, another kind of caller, a missing scope or tenant role, or an integration that names no person.
    Unauthenticated
        The RPC wants a token and none was given.
    """
    policy = table.get(method)
    if policy is None:
        raise PermissionDenied(
            "NO_POLICY", f"nobody may call {method}: it has no row in the policy table", metadata={"method": method}
        )
    if policy.is_public:
        return policy
    if principal is None:
        raise Unauthenticated(
            "TOKEN_MISSING",
            "send metadata `authorization: Bearer <token>`; the tapelog client and CLI do this with the local key",
        )
    if principal.kind not in policy.kinds:
        allowed = " or ".join(sorted(policy.kinds)) or "nobody"
        raise PermissionDenied(
            "CALLER_KIND_DENIED",
            f"{method} is for {allowed}; this token is of a {principal.kind}",
            metadata={"method": method, "kind": principal.kind, "allowed": allowed},
        )
    if principal.scopes is not None:
        check_scope(method, principal.scopes)
    if principal.kind == "service":
        return policy
    if policy.tenant_roles and not policy.tenant_roles & principal.tenant_roles:
        wanted = " or ".join(sorted(policy.tenant_roles))
        raise PermissionDenied(
            "TENANT_ROLE_MISSING",
            f"{method} needs the tenant role {wanted}; ask the tenant's administrator for it",
            metadata={"method": method, "roles": wanted},
        )
    if principal.kind == "integration" and policy.integration_names_person and not principal.on_behalf_of:
        raise PermissionDenied(
            "ON_BEHALF_OF_MISSING",
            "an integration acts with the role of a person: name the party in metadata `tapelog-on-behalf-of`",
            metadata={"method": method},
        )
    return policy
