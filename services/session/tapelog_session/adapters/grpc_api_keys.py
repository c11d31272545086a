"""RPCs on the keys of integrations."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from typing import Any

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.audit import annotate
from tapelog_chassis.auth import LocalIssuer

from tapelog_session.adapters.grpc_common import Part, request_of, rpc
from tapelog_session.application import api_keys
from tapelog_session.application.access import Call


class IssuedTokens:
    """`TokenDesk` by the installation's issuer."""

    def __init__(self, issuer: LocalIssuer) -> None:
        self._issuer = issuer

    def token_for(self, tenant: str, key: pb.ApiKey, lifetime_s: int) -> str:
        """See `TokenDesk.token_for`: for the services that the scopes name, and session, which others ask."""
        return self._issuer.mint(
            audiences={"session", *(scope.partition(":")[0] for scope in key.scopes)},
            tenant=tenant,
            party=key.party,
            kind="integration",
            tenant_roles=key.tenant_roles,
            on_behalf_of=key.on_behalf_of,
            scopes=key.scopes,
            lifetime_s=lifetime_s,
        )

    def __repr__(self) -> str:
        return f"IssuedTokens({self._issuer!r})"


class ApiKeyPart(Part):
    """Keys of integrations."""

    @rpc
    async def CreateApiKey(self, request: wire.CreateApiKeyRequest, call: Call) -> wire.CreateApiKeyResponse:
        """See the proto."""
        return await api_keys.create_key(self._aggregates, self._desk.clock, call, request_of(request), request)

    @rpc
    async def ListApiKeys(self, _request: wire.ListApiKeysRequest, call: Call) -> wire.ListApiKeysResponse:
        """See the proto."""
        return await api_keys.list_keys(self._aggregates, call)

    @rpc
    async def RevokeApiKey(self, request: wire.RevokeApiKeyRequest, call: Call) -> pb.ApiKey:
        """See the proto."""
        return await api_keys.revoke_key(self._aggregates, call, request_of(request), request.name, request.reason)

    async def ExchangeApiKey(self, request: wire.ExchangeApiKeyRequest, _context: Any) -> wire.ExchangeApiKeyResponse:
        """See the proto: nobody is signed in yet."""
        annotate(tenant="", party="", resource=api_keys.named_in(request.secret))
        given = await api_keys.exchange_key(self._aggregates, self._desk.tokens, self._desk.clock, request.secret)
        annotate(tenant=given.tenant, party=given.key.party, resource=given.key.name)
        response = wire.ExchangeApiKeyResponse(token=given.token)
        response.expire_time.FromDatetime(given.expires)
        return response
