"""Where a client's tokens come from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from tapelog_chassis.auth import Kind, LocalIssuer
from tapelog_chassis.auth.issuer import LIFETIME_S_MAX
from tapelog_chassis.clock import Clock, SystemClock

AUDIENCES: Final = ("session", "render", "notify")
REFRESH_BEFORE_S: Final = 120
"""A token is replaced this long before it expires, more than any deadline of a unary call."""


class TokenSource(Protocol):
    """Gives a token that is in date, as often as it is asked."""

    def token(self) -> str:
        """Return a token; cheap, called before every call."""
        ...


class LocalKeyTokenSource:
    """Mints tokens with the local issuer's key, as the machine's owner may.

    Parameters
    ----------
    issuer_dir : Path
        The data folder's `identity`.
    tenant, party : str
        As whom to call.
    kind : Kind
    tenant_roles : Iterable[str]
    on_behalf_of : str
        For whom an integration acts.
    audiences : Iterable[str]
        Services the token is for.

    Raises
    ------
    ConfigRefusal
        There is no readable key.
    """

    def __init__(
        self,
        issuer_dir: Path,
        *,
        tenant: str,
        party: str,
        kind: Kind = "person",
        tenant_roles: Iterable[str] = (),
        on_behalf_of: str = "",
        audiences: Iterable[str] = AUDIENCES,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._issuer = LocalIssuer.open(issuer_dir, clock=self._clock)
        self.tenant = tenant
        self.party = party
        self.kind: Kind = kind
        self.tenant_roles = frozenset(tenant_roles)
        self.on_behalf_of = on_behalf_of
        self.audiences = tuple(audiences)
        self._token = ""
        self._fresh_until_s = 0.0

    def token(self) -> str:
        """Return a token with at least `REFRESH_BEFORE_S` of life left."""
        now_s = self._clock.now().timestamp()
        if now_s >= self._fresh_until_s:
            self._token = self._issuer.mint(
                audiences=self.audiences,
                tenant=self.tenant,
                party=self.party,
                kind=self.kind,
                tenant_roles=self.tenant_roles,
                on_behalf_of=self.on_behalf_of,
            )
            self._fresh_until_s = now_s + LIFETIME_S_MAX - REFRESH_BEFORE_S
        return self._token

    def __repr__(self) -> str:
        return f"LocalKeyTokenSource(tenant={self.tenant!r}, party={self.party!r}, kind={self.kind!r})"


class StaticTokenSource:
    """One token that somebody else minted; when it expires, calls fail with `Unauthenticated`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """Return the token."""
        return self._token

    def __repr__(self) -> str:
        return "StaticTokenSource(<hidden>)"
