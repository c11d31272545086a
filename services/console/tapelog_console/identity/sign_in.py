"""Signing in: a one-time code of the issuer, carried by a link behind the `#`, which no server and no log ever sees."""

import hashlib
from pathlib import Path
from typing import Final

from tapelog_chassis.auth import LocalIssuer, Principal, TokenVerifier
from tapelog_chassis.auth.issuer import LIFETIME_S_MAX
from tapelog_chassis.auth.verifier import LEEWAY_S
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import Unauthenticated

from tapelog_console.errors import SignInRefused

from .spent import Spent

AUDIENCE: Final = "console"
"""No service accepts a code, and the console accepts no token of a service."""


def sign_in_link(
    issuer_dir: Path, base_url: str, *, tenant: str, party: str, tenant_roles: tuple[str, ...] = ()
) -> str:
    """Return a link that signs a person in, once, within fifteen minutes.

    Raises
    ------
    ConfigRefusal
        There is no readable key in `issuer_dir`.
    """
    issuer = LocalIssuer.open(issuer_dir)
    code = issuer.mint(audiences=[AUDIENCE], tenant=tenant, party=party, tenant_roles=tenant_roles)
    return f"{base_url}/sign-in#{code}"


class SignIn:
    """Exchanges codes for principals, each once.

    Parameters
    ----------
    verifier : TokenVerifier
        For the audience `AUDIENCE`.
    spent : Spent
    clock : Clock
    """

    def __init__(self, verifier: TokenVerifier, spent: Spent, clock: Clock) -> None:
        self._verifier = verifier
        self._spent = spent
        self._clock = clock

    def exchange(self, code: str) -> Principal:
        """Return who a code is for.

        Raises
        ------
        SignInRefused
            It is forged, out of date, used already, or not a person's.
        """
        self._verifier.refresh()
        try:
            principal = self._verifier.verify(code)
        except Unauthenticated as refused:
            raise SignInRefused("The code was refused: it is out of date, or not of this installation.") from refused
        if principal.kind != "person":
            raise SignInRefused(f"The code is of a {principal.kind}; only people sign in here.")
        until_s = self._clock.now().timestamp() + LIFETIME_S_MAX + LEEWAY_S
        signed = code.rpartition(".")[0]  # without the signature, whose encoding has spare bits
        if not self._spent.add(f"code:{hashlib.sha256(signed.encode()).hexdigest()}", until_s):
            raise SignInRefused("This link was used already.")
        return principal
