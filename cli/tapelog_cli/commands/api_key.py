"""`tapelog api-key …`: keys with which a studio's own programs call."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.options import Json
from tapelog_cli.printed.answers import tell, tell_all

if TYPE_CHECKING:
    from tapelog.session.v1.resources_pb2 import ApiKey

_NOBODY = Connection()
_ADMIN = ("ADMIN",)


async def create(
    party: Annotated[str, Parameter(help="Party id of the integration that is to call with it.")],
    purpose: Annotated[str, Parameter(help="What it is for.")],
    *,
    scope: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            help="What it may do: session:read, session:write, and so render and notify; may be given again.",
        ),
    ],
    key_role: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(), help="Role in the whole tenant: AUDITOR, BILLING_READER, INTEGRATION; may be given again."
        ),
    ] = (),
    acts_for: Annotated[str, Parameter(help="Party for whom alone it acts. Default: each call names one.")] = "",
    days: Annotated[int, Parameter(help="Days it counts, 1 to 366. Default: 90.")] = 0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Make a key and show it, this once. For the tenant's ADMIN."""
    async with connection.open(default_roles=_ADMIN) as api:
        made = await api.api_keys.create(
            party, purpose, scope, tenant_roles=key_role, on_behalf_of=acts_for, lifetime_days=days
        )
    ends = made.key.expire_time.ToJsonString()
    secret = made.secret or "(it was shown before; revoke it and make another one)"
    return tell(made, f"{made.key.name} until {ends}", secret, json=json)


async def list_(*, connection: Connection = _NOBODY, json: Json = False) -> int:
    """List the tenant's keys, without their secrets. For the tenant's ADMIN."""
    async with connection.open(default_roles=_ADMIN) as api:
        keys = await api.api_keys.list()
    return tell_all(keys, ("key", "integration", "scopes", "state", "for"), _row, json=json)


def _row(key: "ApiKey") -> tuple[str, ...]:
    revoked = key.HasField("revoke_time")
    state = f"revoked {key.revoke_time.ToJsonString()}" if revoked else f"until {key.expire_time.ToJsonString()}"
    return key.name, key.party, " ".join(key.scopes), state, key.purpose


async def revoke(
    name: Annotated[str, Parameter(help="apiKeys/… as `tapelog api-key list` shows it.")],
    *,
    reason: Annotated[str, Parameter(help="Why.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Revoke a key; tokens that it was given end within 330 seconds. For the tenant's ADMIN."""
    async with connection.open(default_roles=_ADMIN) as api:
        gone = await api.api_keys.revoke(name, reason)
    return tell(gone, f"{gone.name} revoked", json=json)
