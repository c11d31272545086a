"""Help for tests of services: tokens, a real server on a free port, and the policy table's completeness."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence

import grpc
from google.protobuf import descriptor_pool

from tapelog_chassis.audit import AuditLog
from tapelog_chassis.auth import Kind, LocalIssuer, PolicyTable, TokenVerifier
from tapelog_chassis.clock import Clock
from tapelog_chassis.rpc.call_layers import AUTHORIZATION, ON_BEHALF_OF
from tapelog_chassis.rpc.grpc_options import ServerConfig
from tapelog_chassis.rpc.grpc_server import RpcServer, ServedService, build_server


class TokenFactory:
    """Mints tokens and call metadata of made-up callers."""

    def __init__(self, *, audience: str, issuer: LocalIssuer | None = None, clock: Clock | None = None) -> None:
        self.issuer = issuer or LocalIssuer.generate(clock=clock)
        self.audience = audience

    def token(
        self, party: str = "ana", *, tenant: str = "acme", kind: Kind = "person", tenant_roles: Iterable[str] = ()
    ) -> str:
        """Return a token of a caller."""
        return self.issuer.mint(
            audiences=[self.audience], tenant=tenant, party=party, kind=kind, tenant_roles=tenant_roles
        )

    def metadata(
        self,
        party: str = "ana",
        *,
        tenant: str = "acme",
        kind: Kind = "person",
        tenant_roles: Iterable[str] = (),
        on_behalf_of: str = "",
    ) -> tuple[tuple[str, str], ...]:
        """Return call metadata of a caller."""
        token = self.token(party, tenant=tenant, kind=kind, tenant_roles=tenant_roles)
        acting = ((ON_BEHALF_OF, on_behalf_of),) if on_behalf_of else ()
        return ((AUTHORIZATION, f"Bearer {token}"), *acting)

    def verifier(self) -> TokenVerifier:
        """Return a verifier of these tokens."""
        return TokenVerifier.from_jwks(self.issuer.jwks(), audience=self.audience)

    def __repr__(self) -> str:
        return f"TokenFactory(audience={self.audience!r})"


@dataclasses.dataclass(frozen=True)
class LocalServer:
    """A server that runs, a channel to it, and callers."""

    server: RpcServer
    channel: grpc.aio.Channel
    tokens: TokenFactory


@contextlib.asynccontextmanager
async def running_server(
    services: Sequence[ServedService],
    *,
    policies: PolicyTable,
    audience: str,
    config: ServerConfig | None = None,
    tokens: TokenFactory | None = None,
    audit: AuditLog | None = None,
) -> AsyncIterator[LocalServer]:
    """Run services behind the real builder on a free loopback port."""
    factory = tokens or TokenFactory(audience=audience)
    server = build_server(
        config or ServerConfig(drain_s=1.0), services, verifier=factory.verifier(), policies=policies, audit=audit
    )
    async with server, grpc.aio.insecure_channel(server.address) as channel:
        yield LocalServer(server, channel, factory)


def assert_every_rpc_has_a_row(policies: PolicyTable, *services: str) -> None:
    """Fail when an RPC of a service has no policy, or a policy no RPC.

    Parameters
    ----------
    policies : PolicyTable
    *services : str
        Full service names; their generated modules must be imported.
    """
    pool = descriptor_pool.Default()
    wanted = {f"/{service}/{method.name}" for service in services for method in pool.FindServiceByName(service).methods}
    missing, unknown = sorted(wanted - policies.keys()), sorted(policies.keys() - wanted)
    if missing or unknown:
        raise AssertionError(f"RPCs without a policy row: {missing}; rows without an RPC: {unknown}")
