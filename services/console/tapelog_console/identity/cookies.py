"""The session cookie: who is signed in, signed so that nobody else can write it."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapelog_chassis.auth.issuer import write_private
from tapelog_chassis.clock import Clock

SESSION_S: Final = 12 * 3600
"""A working day: longer, and a forgotten laptop stays signed in; shorter, and a studio day is interrupted."""
KEY_BYTES: Final = 32
COOKIE_CHARS_MAX: Final = 2048
"""Ours have about 300."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in.

    Attributes
    ----------
    tenant, party : str
    tenant_roles : tuple of str
        Roles in the whole tenant, as the sign-in code gave them.
    session : str
        Id of this sign-in: what signing out ends.
    expires_s : int
        Unix time.
    """

    tenant: str
    party: str
    tenant_roles: tuple[str, ...]
    session: str
    expires_s: int


class CookieKey:
    """Signs and checks what browsers keep.

    Parameters
    ----------
    key : bytes
    clock : Clock
    """

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        suffix = hashlib.sha256(b"name" + key).hexdigest()[:8]
        # Cookies are shared by all ports of a host: two installations must not sign each other out.
        self.session_name: Final = f"tapelog_session_{suffix}"
        self.visitor_name: Final = f"tapelog_visitor_{suffix}"

    @classmethod
    def open(cls, path: Path, clock: Clock) -> "CookieKey":
        """Read the key, or make it at the first start."""
        if not path.exists():
            write_private(path, secrets.token_bytes(KEY_BYTES))
        return cls(path.read_bytes(), clock)

    def begin(self, tenant: str, party: str, tenant_roles: tuple[str, ...]) -> SignedIn:
        """Return a new session of a person."""
        expires_s = int(self._clock.now().timestamp()) + SESSION_S
        return SignedIn(tenant, party, tenant_roles, secrets.token_urlsafe(16), expires_s)

    def write(self, signed_in: SignedIn) -> str:
        """Return the cookie's value."""
        fields = [
            signed_in.tenant,
            signed_in.party,
            list(signed_in.tenant_roles),
            signed_in.session,
            signed_in.expires_s,
        ]
        body = base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()
        return f"{body}.{self._sign('session', body)}"

    def read(self, value: str) -> SignedIn | None:
        """Return who a cookie's value is about; None when it is forged, out of date or not ours."""
        body, _, signature = value[:COOKIE_CHARS_MAX].partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", body).encode()):
            return None
        fields: list[Any] = json.loads(base64.urlsafe_b64decode(body))
        tenant, party, roles, session, expires_s = fields
        if self._clock.now().timestamp() >= expires_s:
            return None
        return SignedIn(tenant, party, tuple(roles), session, expires_s)

    def form_token(self, visit: str) -> str:
        """Return what every form of a visit carries, so that no other site can send one."""
        return self._sign("form", visit)

    def is_form_token(self, visit: str, token: str) -> bool:
        """Say whether a form is of this visit."""
        return bool(visit) and hmac.compare_digest(token.encode(), self.form_token(visit).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "CookieKey(<hidden>)"
