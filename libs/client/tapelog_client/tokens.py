"""Where a client's tokens come from."""

import asyncio
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Final, Protocol

import grpc
from tapelog.session.v1.session_service_pb2 import ExchangeApiKeyRequest
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.auth import Kind, LocalIssuer
from tapelog_chassis.auth.issuer import LIFETIME_S_MAX
from tapelog_chassis.clock import Clock, SystemClock

from tapelog_client.client_errors import AddressMissing
from tapelog_client.errors import from_rpc_error

AUDIENCES: Final = ("session", "render", "notify")
REFRESH_BEFORE_S: Final = 120
"""A token is replaced this long before it expires, more than any deadline of a unary call."""


class TokenSource(Protocol):
    """Gives a token that is in date, as often as it is asked."""

    def token(self) -> str:
        """Return a token; cheap, called before every call."""
        ...


API_KEY_PREFIX: Final = "tl_"
EXCHANGE_BEFORE_S: Final = 60
"""A token of an API key lives 300 s; it is replaced when this much is left."""
EXCHANGE_TIMEOUT_S: Final = 10.0


class ApiKeyTokenSource:
    """Tokens for an API key, got from the session service whenever the last one nears its end.

    Parameters
    ----------
    secret : str
        The whole key, beginning with `tl_`.
    """

    def __init__(self, secret: str, *, clock: Clock | None = None) -> None:
        self._secret = secret
        self._clock = clock or SystemClock()
        self._session: grpc.aio.Channel | None = None
        self._getting = asyncio.Lock()
        self._token = ""
        self._fresh_until_s = 0.0

    def use(self, session: grpc.aio.Channel) -> None:
        """Take the channel to ask on; the client does this."""
        self._session = session

    def token(self) -> str:
        """Return the token that `refresh` got."""
        return self._token

    async def refresh(self) -> None:
        """Get another token if the last one has less than `EXCHANGE_BEFORE_S` left.

        Raises
        ------
        Unauthenticated
            The key does not count any more.
        """
        if self._clock.now().timestamp() < self._fresh_until_s:
            return
        async with self._getting:
            if self._clock.now().timestamp() < self._fresh_until_s:
                return
            if self._session is None:
                raise AddressMissing("session")
            stub = SessionServiceStub(self._session)
            request = ExchangeApiKeyRequest(secret=self._secret)
            try:
                given = await stub.ExchangeApiKey(request, timeout=EXCHANGE_TIMEOUT_S, wait_for_ready=True)
            except grpc.aio.AioRpcError as failure:
                raise from_rpc_error(failure) from None
            self._token = given.token
            self._fresh_until_s = given.expire_time.ToDatetime(tzinfo=UTC).timestamp() - EXCHANGE_BEFORE_S

    def __repr__(self) -> str:
        return "ApiKeyTokenSource(<hidden>)"


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
