"""Credentials for outside tools: each may read one consumer of the public stream, and nothing else."""

from pathlib import Path
from typing import Final, Self

from tapelog_chassis.errors import FailedPrecondition
from tapelog_chassis.nats import UserMint, inbox_prefix, subscriber

from tapelog_notify.application.ports import NatsAccess

ACCOUNT_KEY: Final = Path("keys") / "account.nk"


class IdentityMint:
    """
    `NatsAccessMint` with the installation's account key.

    Parameters
    ----------
    identity
        None where this process may not make credentials.
    url
        Where outside tools connect.
    """

    def __init__(self, identity: UserMint | None, *, url: str) -> None:
        self._identity = identity
        self._url = url

    @classmethod
    def open(cls, folder: Path, *, url: str) -> Self:
        """Open the identity in a folder, if there is one; keys are never made here."""
        key = folder / ACCOUNT_KEY
        return cls(UserMint.open(key) if key.exists() else None, url=url)

    @property
    def is_possible(self) -> bool:
        """See `NatsAccessMint.is_possible`."""
        return self._identity is not None

    def mint(self, subscription: str) -> NatsAccess:
        """See `NatsAccessMint.mint`."""
        if self._identity is None:
            raise FailedPrecondition("NATS_ACCESS_UNAVAILABLE", "notify has no identity key to make credentials with")
        return NatsAccess(
            credentials=self._identity.mint_user(subscription, subscriber(subscription, subscription)),
            url=self._url,
            inbox_prefix=inbox_prefix(subscription),
        )
