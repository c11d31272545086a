"""Keys of integrations."""

from collections.abc import Iterable

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import Group


class ApiKeys(Group):
    """Keys with which a studio's own programs call: for a person who is the tenant's ADMIN."""

    async def create(
        self,
        party: str,
        purpose: str,
        scopes: Iterable[str],
        *,
        tenant_roles: Iterable[str] = (),
        on_behalf_of: str = "",
        lifetime_days: int = 0,
        request_id: str = "",
    ) -> rpc.CreateApiKeyResponse:
        """Make a key; its `secret` is in this answer and nowhere else.

        Parameters
        ----------
        party : str
            The integration that is to call with it.
        scopes : Iterable[str]
            `session:read`, `session:write`, and the same of `render` and `notify`.
        tenant_roles : Iterable[str]
            `AUDITOR`, `BILLING_READER`, `INTEGRATION`.
        on_behalf_of : str
            The party for whom alone it acts; empty lets each call name one.
        lifetime_days : int
            1 to 366; 0 is 90.
        """
        request = rpc.CreateApiKeyRequest(
            party=party,
            purpose=purpose,
            scopes=scopes,
            tenant_roles=tenant_roles,
            on_behalf_of=on_behalf_of,
            lifetime_days=lifetime_days,
            request_id=request_id,
        )
        return await self._link.unary(self._link.session.CreateApiKey, request)

    async def list(self) -> list[res.ApiKey]:
        """Return all keys of the tenant, the revoked ones too."""
        answer = await self._link.unary(self._link.session.ListApiKeys, rpc.ListApiKeysRequest())
        return list(answer.keys)

    async def revoke(self, name: str, reason: str = "", *, request_id: str = "") -> res.ApiKey:
        """Revoke `apiKeys/{key}`: no token is given for it any more, and those it had end within 330 s."""
        request = rpc.RevokeApiKeyRequest(name=name, reason=reason, request_id=request_id)
        return await self._link.unary(self._link.session.RevokeApiKey, request)

    async def exchange(self, secret: str) -> rpc.ExchangeApiKeyResponse:
        """Get a token for a key; `ApiKeyTokenSource` does this by itself."""
        return await self._link.unary(self._link.session.ExchangeApiKey, rpc.ExchangeApiKeyRequest(secret=secret))
