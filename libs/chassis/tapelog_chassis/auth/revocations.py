"""Who is let in no more although their tokens are in date: parties and single tokens, in a file beside the key set."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

import msgspec

from tapelog_chassis.auth.issuer import write_private
from tapelog_chassis.auth.principal import Principal
from tapelog_chassis.errors import ConfigRefusal

REVOKED_FILE: Final = "revoked.json"
PARTIES_MAX: Final = 10_000
TOKENS_MAX: Final = 10_000
"""Single tokens; each can be dropped from the list 16 minutes later, when it has expired."""


class _Listed(msgspec.Struct):
    tenant: str
    party: str


class _File(msgspec.Struct):
    parties: list[_Listed] = []
    tokens: list[str] = []


@dataclasses.dataclass(frozen=True, slots=True)
class Revocations:
    """What is refused.

    Attributes
    ----------
    parties : Collection of (tenant, party)
        As callers, and as those who are named to be acted for.
    tokens : Collection[str]
        Token ids (`jti`).
    """

    parties: Collection[tuple[str, str]] = frozenset()
    tokens: Collection[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file; without one nobody is revoked.

        Raises
        ------
        ConfigRefusal
            It is damaged or too long.
        """
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            return cls()
        except (OSError, msgspec.MsgspecError) as failure:
            raise ConfigRefusal(f"the list of who is revoked, {path}, cannot be read: {failure}") from None
        if len(found.parties) > PARTIES_MAX or len(found.tokens) > TOKENS_MAX:
            raise ConfigRefusal(f"{path} lists more than {PARTIES_MAX} parties or {TOKENS_MAX} tokens: shorten it")
        return cls(frozenset((item.tenant, item.party) for item in found.parties), frozenset(found.tokens))

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; services take it over within two seconds."""
        parties = [{"tenant": tenant, "party": party} for tenant, party in sorted(self.parties)]
        write_private(path, json.dumps({"parties": parties, "tokens": sorted(self.tokens)}, indent=2).encode())

    def refuses(self, principal: Principal) -> bool:
        """Say whether a caller is let in no more, or names somebody who is not."""
        if not self.parties and not self.tokens:
            return False
        tenant = principal.tenant
        return (
            principal.token_id in self.tokens
            or (tenant, principal.party) in self.parties
            or (tenant, principal.on_behalf_of) in self.parties
        )

    def with_party(self, tenant: str, party: str) -> Self:
        """Return these and one party more."""
        return dataclasses.replace(self, parties=frozenset({*self.parties, (tenant, party)}))

    def without_party(self, tenant: str, party: str) -> Self:
        """Return these but one party."""
        return dataclasses.replace(self, parties=frozenset({*self.parties} - {(tenant, party)}))
