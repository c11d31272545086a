"""Who calls, and what they may do in a project."""

import dataclasses
from typing import Final, Protocol

from tapelog_chassis.auth import Kind
from tapelog_chassis.errors import PermissionDenied
from tapelog_chassis.event_log import Metadata

RESERVED_KEYS: Final = ("takes/", "comps/", "mixVersions/", "masterVersions/")
"""How keys begin by which the session service knows its own renders again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller of an RPC.

    Attributes
    ----------
    rpc : str
        Full name of the RPC, which permission is asked for.
    bearer : str
        The `authorization` value to forward; hidden in logs.
    """

    tenant: str
    party: str
    kind: Kind
    on_behalf_of: str
    tenant_roles: frozenset[str]
    rpc: str
    correlation_id: str
    bearer: str = dataclasses.field(repr=False, default="")


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """By which role something is allowed, and at which state of the project's membership."""

    role_used: str = ""
    membership_sequence: int = 0


class Permissions(Protocol):
    """Answers by the roles of a project, which the session service owns."""

    async def check(self, caller: Caller, project: str) -> Grant:
        """Return the grant for `caller.rpc` in a project.

        Raises
        ------
        PermissionDenied
            The caller has no role that allows it.
        Unavailable
            The session service does not answer, so nothing is allowed.
        """
        ...


async def granted(
    permissions: Permissions, caller: Caller, project: str, *, tenant_roles: frozenset[str] = frozenset()
) -> Grant:
    """Return why a call is allowed in a project, or raise as `Permissions.check`.

    Tapelog's own services are allowed what the policy table lets them call; a tenant role among `tenant_roles` allows
    the call in every project of the tenant; everyone else needs a role in the project.
    """
    if caller.kind == "service":
        return Grant()
    if held := tenant_roles & caller.tenant_roles:
        return Grant(role_used=min(held))
    return await permissions.check(caller, project)


def require_free_key(caller: Caller, key: str, *, field: str) -> None:
    """Refuse a person's reference key that would pass the render off as one of a song's own takes or versions.

    Raises
    ------
    PermissionDenied
        The key is reserved, and the caller is none of Tapelog's own services.
    """
    if caller.kind != "service" and key.startswith(RESERVED_KEYS):
        raise PermissionDenied(
            "RESERVED_REFERENCE_KEY",
            f"{field}: {key[:64]!r} is a key of the song's own renders, which the session service asks for; propose a "
            f"version there, or choose a key that does not begin with {', '.join(RESERVED_KEYS)}",
            metadata={"field": field, "key": key[:64]},
        )


def metadata_of(caller: Caller, grant: Grant, *, project: str, song: str, external_ref: str = "") -> Metadata:
    """Return what travels with the events of a caller's command."""
    return Metadata(
        actor=caller.party,
        on_behalf_of=caller.on_behalf_of,
        role_used=grant.role_used,
        membership_sequence=grant.membership_sequence,
        correlation_id=caller.correlation_id,
        project=project,
        song=song,
        external_ref=external_ref,
    )
