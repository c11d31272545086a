"""Keys of integrations: made and revoked by the tenant's administrator, exchanged for tokens by who holds them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis import ids
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import Unauthenticated
from tapelog_chassis.event_log import Metadata

from tapelog_session.application.access import Call
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.song_commands import Request
from tapelog_session.domain import key_ring as domain
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.key_ring import KeyRing

RING: Final = "key-ring"
"""Id of the one aggregate of each tenant."""
TOKEN_LIFETIME_S: Final = 300
"""How long a token that was given for a key lasts: with the verifiers' leeway of 30 s a revoked key is worthless
everywhere after 330 s."""
SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(r"tl_([a-z][a-z0-9-]{0,31})_([a-z][a-z0-9-]{0,31})_([A-Za-z0-9-]{43})")
_NAME: Final = re.compile(r"apiKeys/([a-z][a-z0-9-]{0,31})")


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """A token for a key of a tenant, and when it ends."""

    tenant: str
    key: pb.ApiKey
    token: str
    expires: datetime


class TokenDesk(Protocol):
    """Signs tokens for keys."""

    def token_for(self, tenant: str, key: pb.ApiKey, lifetime_s: int) -> str:
        """Return a token that may do what the key may."""
        ...


async def create_key(
    aggregates: Aggregates, clock: Clock, call: Call, request: Request, wanted: wire.CreateApiKeyRequest
) -> wire.CreateApiKeyResponse:
    """Make a key; only the call that made it learns its secret."""
    ids.validate_request_id(request.request_id)
    id_ = ids.derive_id("key", call.tenant, call.party, call.rpc, request.request_id)
    secret = secrets.token_urlsafe(SECRET_BYTES).replace("_", "-")
    digest = _digest(secret)
    key = pb.ApiKey(
        name=f"{domain.PREFIX}{id_}",
        party=wanted.party,
        purpose=wanted.purpose,
        scopes=wanted.scopes,
        tenant_roles=wanted.tenant_roles,
        on_behalf_of=wanted.on_behalf_of,
        created_by=call.party,
    )
    key.create_time.FromDatetime(clock.now())
    outcome = await aggregates.key_rings.execute(
        aggregates.key_rings.aggregate(call.tenant, RING),
        lambda ring: domain.create_key(ring, key, wanted.lifetime_days, digest),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=_metadata(call),
    )
    made = outcome.versioned.state.require(id_)
    is_ours = made.secret_sha256 == digest
    return wire.CreateApiKeyResponse(key=made.content, secret=f"tl_{call.tenant}_{id_}_{secret}" if is_ours else "")


async def list_keys(aggregates: Aggregates, call: Call) -> wire.ListApiKeysResponse:
    """Return all keys of the tenant."""
    ring = await _ring(aggregates, call.tenant)
    return wire.ListApiKeysResponse(keys=[key.content for key in ring.keys.values()])


async def revoke_key(aggregates: Aggregates, call: Call, request: Request, name: str, reason: str) -> pb.ApiKey:
    """Revoke a key; again, it changes nothing."""
    ids.validate_request_id(request.request_id)
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidCommand("INVALID_NAME", [("name", f"{name[:64]!r} is not of the form apiKeys/{{key}}")])
    outcome = await aggregates.key_rings.execute(
        aggregates.key_rings.aggregate(call.tenant, RING),
        lambda ring: domain.revoke_key(ring, match[1], reason),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=_metadata(call),
    )
    return outcome.versioned.state.require(match[1]).content


async def exchange_key(aggregates: Aggregates, desk: TokenDesk, clock: Clock, presented: str) -> Given:
    """Give a token for a key.

    Raises
    ------
    Unauthenticated
        It does not count, for whatever reason: nobody learns from the answer what keys or tenants there are.
    """
    match = _SECRET.fullmatch(presented)
    now = clock.now()
    key = None
    if match is not None:
        ring = await _ring(aggregates, match[1])
        key = ring.opened_by(match[2], _digest(match[3]), now)
    if match is None or key is None:
        raise Unauthenticated(
            "API_KEY_REFUSED", "the key is unknown, revoked or expired; ask the tenant's administrator for another one"
        )
    left_s = int((key.expire_time.ToDatetime(tzinfo=UTC) - now).total_seconds())
    lifetime_s = max(1, min(TOKEN_LIFETIME_S, left_s))
    return Given(match[1], key, desk.token_for(match[1], key, lifetime_s), now + timedelta(seconds=lifetime_s))


def named_in(presented: str) -> str:
    """Return the name of the key that a text claims to be, or nothing; for the audit, not a proof of anything."""
    match = _SECRET.fullmatch(presented)
    return f"{domain.PREFIX}{match[2]}" if match else ""


async def _ring(aggregates: Aggregates, tenant: str) -> KeyRing:
    return (await aggregates.key_rings.load(aggregates.key_rings.aggregate(tenant, RING))).state


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _metadata(call: Call) -> Metadata:
    return Metadata(
        actor=call.principal.party, on_behalf_of=call.principal.on_behalf_of, correlation_id=call.correlation_id
    )
