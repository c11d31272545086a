"""The SDK's client of each person who is signed in, over shared connections."""

from collections import OrderedDict
from pathlib import Path
from typing import Final

from tapelog_client import Tapelog
from tapelog_client.link import Channels
from tapelog_client.tokens import LocalKeyTokenSource

from .cookies import SignedIn

CLIENTS_MAX: Final = 512
"""Clients kept; each is a token and a few stubs. One that gave way is made again at the next request."""
OWN_PARTY: Final = "svc-console"
"""As whom the console itself follows events; it reads nothing else in its own name."""


class Clients:
    """Makes and keeps clients.

    Parameters
    ----------
    channels : Channels
    issuer_dir : Path
        Folder of the issuer's key: tokens are minted for one person, for minutes, and never leave this process but in
        calls, and to the child that makes their report.
    """

    def __init__(self, channels: Channels, issuer_dir: Path) -> None:
        self._channels = channels
        self._issuer_dir = issuer_dir
        self._kept: OrderedDict[tuple[str, str, tuple[str, ...]], Tapelog] = OrderedDict()

    def of(self, person: SignedIn) -> Tapelog:
        """Return the client of a person."""
        key = (person.tenant, person.party, person.tenant_roles)
        client = self._kept.pop(key, None)
        if client is None:
            client = Tapelog(self._channels, self._tokens(person))
        self._kept[key] = client
        if len(self._kept) > CLIENTS_MAX:
            self._kept.popitem(last=False)
        return client

    def token(self, person: SignedIn) -> str:
        """Return a token of a person, for a process that works for them."""
        return self._tokens(person).token()

    def _tokens(self, person: SignedIn) -> LocalKeyTokenSource:
        return LocalKeyTokenSource(
            self._issuer_dir, tenant=person.tenant, party=person.party, tenant_roles=person.tenant_roles
        )

    def own(self, tenant: str) -> Tapelog:
        """Return the client of the console itself in a tenant."""
        tokens = LocalKeyTokenSource(self._issuer_dir, tenant=tenant, party=OWN_PARTY, kind="service")
        return Tapelog(self._channels, tokens)
