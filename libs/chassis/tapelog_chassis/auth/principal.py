"""The caller of an RPC, as the token proved it."""

import dataclasses
from typing import Final, Literal

Kind = Literal["person", "integration", "service"]
"""A person; a program of the studio that acts for a person it names; another service of Tapelog."""

KINDS: Final[frozenset[str]] = frozenset({"person", "integration", "service"})


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """Who calls.

    Attributes
    ----------
    tenant : str
        Studio or label whose data the caller may see; every stream and object key begins with it.
    party : str
        Who it is: a party id.
    kind : Kind
    tenant_roles : frozenset[str]
        Roles that hold in the whole tenant, such as `AUDITOR` and `BILLING_READER`; project roles are looked up in
        the project.
    on_behalf_of : str
        Party for whom an integration or a service acts, or empty.
    scopes : frozenset[str], optional
        What the token is limited to (`auth.scopes`); None is no limit.
    token_id : str
        The token's own id.
    expires_s : float
        When the token ends, Unix time.
    """

    tenant: str
    party: str
    kind: Kind
    tenant_roles: frozenset[str] = frozenset()
    on_behalf_of: str = ""
    scopes: frozenset[str] | None = None
    token_id: str = dataclasses.field(default="", repr=False, compare=False)
    expires_s: float = dataclasses.field(default=0.0, repr=False, compare=False)

    @property
    def acting_party(self) -> str:
        """The party whose project roles count: the one named, else the caller."""
        return self.on_behalf_of or self.party
