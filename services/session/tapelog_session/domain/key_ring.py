"""The KeyRing aggregate: the keys with which a tenant's integrations get their tokens. It holds no secret."""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, TITLE_CHARS_MAX, Fields
from tapelog_session.domain.errors import NotNow, Unknown

KEYS_MAX: Final = 1000
"""Of one tenant, the revoked ones too: they stay on the list, so that what they did can be understood."""
LIFETIME_DAYS: Final = 90
LIFETIME_DAYS_MAX: Final = 366
SCOPES_MAX: Final = 6
SCOPES: Final = ("session:read", "session:write", "render:read", "render:write", "notify:read", "notify:write")
TENANT_ROLES: Final = frozenset({"AUDITOR", "BILLING_READER", "INTEGRATION"})
"""Roles that a key may carry. ADMIN is for people."""
PREFIX: Final = "apiKeys/"


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept."""

    content: pb.ApiKey
    secret_sha256: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class KeyRing:
    """A tenant's keys, by id, the oldest first."""

    keys: Mapping[str, Key] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    def require(self, id_: str) -> Key:
        """Return a key, or raise `Unknown`."""
        if id_ not in self.keys:
            raise Unknown("NO_SUCH_API_KEY", f"there is no {PREFIX}{id_[:64]}", key=id_[:64])
        return self.keys[id_]

    def opened_by(self, id_: str, secret_sha256: bytes, now: datetime) -> pb.ApiKey | None:
        """Return the key that a secret opens, if it counts now."""
        key = self.keys.get(id_)
        fits = hmac.compare_digest(key.secret_sha256 if key else bytes(32), secret_sha256)
        if key is None or not fits or key.content.HasField("revoke_time"):
            return None
        return key.content if key.content.expire_time.ToDatetime(tzinfo=now.tzinfo) > now else None


def create_key(ring: KeyRing, wanted: pb.ApiKey, lifetime_days: int, secret_sha256: bytes) -> Sequence[Message]:
    """Make a key; `wanted` has its name and who makes it already."""
    fields = Fields()
    fields.id("party", wanted.party)
    fields.text("purpose", wanted.purpose, TITLE_CHARS_MAX)
    known = 1 <= len(wanted.scopes) <= SCOPES_MAX and set(wanted.scopes) <= set(SCOPES)
    fields.that(known, "scopes", f"name at least one of {', '.join(SCOPES)}, and no other")
    fields.unique("scopes", list(wanted.scopes[:SCOPES_MAX]))
    lacks_songs = "render:write" in wanted.scopes and "session:read" not in wanted.scopes
    fields.that(not lacks_songs, "scopes", "render:write needs session:read: render asks about songs with its token")
    allowed = set(wanted.tenant_roles) <= TENANT_ROLES and len(wanted.tenant_roles) <= len(TENANT_ROLES)
    fields.that(allowed, "tenant_roles", f"a key may have {', '.join(sorted(TENANT_ROLES))}")
    if wanted.on_behalf_of:
        fields.id("on_behalf_of", wanted.on_behalf_of)
    in_range = 0 <= lifetime_days <= LIFETIME_DAYS_MAX
    fields.that(
        in_range, "lifetime_days", f"{lifetime_days} is outside 1 to {LIFETIME_DAYS_MAX}, or 0 for {LIFETIME_DAYS}"
    )
    fields.refuse()
    if len(ring.keys) >= KEYS_MAX:
        raise NotNow("TOO_MANY_API_KEYS", f"the tenant has {KEYS_MAX} keys, which is the limit")
    made = pb.ApiKey()
    made.CopyFrom(wanted)
    expires = wanted.create_time.ToDatetime() + timedelta(days=lifetime_days or LIFETIME_DAYS)
    made.expire_time.FromDatetime(expires)
    return [events_pb2.ApiKeyCreated(key=made, secret_sha256=secret_sha256)]


def revoke_key(ring: KeyRing, id_: str, reason: str) -> Sequence[Message]:
    """Revoke a key; nothing if that was done."""
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX, chars_min=0)
    fields.refuse()
    if ring.require(id_).content.HasField("revoke_time"):
        return []
    return [events_pb2.ApiKeyRevoked(key=id_, reason=reason)]


def evolve(ring: KeyRing, event: Message, time: datetime) -> KeyRing:
    """Return the ring after an event."""
    match event:
        case events_pb2.ApiKeyCreated():
            id_ = event.key.name.removeprefix(PREFIX)
            return KeyRing(MappingProxyType({**ring.keys, id_: Key(event.key, event.secret_sha256)}))
        case events_pb2.ApiKeyRevoked():
            known = ring.keys[event.key]
            content = pb.ApiKey()
            content.CopyFrom(known.content)
            content.revoke_time.FromDatetime(time)
            return KeyRing(MappingProxyType({**ring.keys, event.key: Key(content, known.secret_sha256)}))
    raise TypeError(f"{type(event).__name__} is not an event of a key ring")
