"""
Who may speak to the broker: an operator, one account, and users minted when they are needed.

Decentralised NATS authentication: the server knows only the operator and the account; a user is a JWT signed with the
account's key, so giving a new subscriber its own permissions needs no reload and no restart.

Source: NATS ADR-14 (JWT claims, version 2), `nkeys` (Ed25519 keys with a typed base32 form).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nkeys

from .key_files import Signer, load, load_or_make, new_seed, public_of, replace
from .permissions import Permissions
from .revoked import read_revoked

_NO_LIMIT: Final = -1
_PREFIXES: Final = {
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "system": nkeys.PREFIX_BYTE_ACCOUNT,
}

_JETSTREAM: Final = ("mem_storage", "disk_storage", "streams", "consumer")
"""An account's limits on JetStream, by their names in its claims."""

TRUST_ISSUED_AT: Final = 1_767_225_600
"""The same keys and limits make the same claims: a server whose operator's claims differ refuses to reload anything."""

MAX_CONNECTIONS: Final = 1024
"""Connections of the account; the embedded server's own limit is lower."""


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign_claims(issuer: Signer, claims: dict[str, Any]) -> str:
    """Make a JWT of the NATS kind: `alg` ed25519-nkey, `jti` the digest of the claims."""
    claims = {**claims, "iss": issuer.public}
    canonical = json.dumps({**claims, "jti": ""}, separators=(",", ":"), sort_keys=True).encode()
    claims = {**claims, "jti": base64.b32encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()}
    header = _base64url(b'{"typ":"JWT","alg":"ed25519-nkey"}')
    payload = _base64url(json.dumps(claims, separators=(",", ":")).encode())
    return f"{header}.{payload}.{_base64url(issuer.sign(f'{header}.{payload}'))}"


@dataclass(frozen=True, slots=True)
class ServerTrust:
    """What a server's configuration needs to recognise this identity's users; holds no secret."""

    operator_jwt: str
    account: str
    account_jwt: str
    system_account: str
    system_account_jwt: str


class UserMint:
    """Makes users of one account; needs that account's key and no other, so a service can be given it alone."""

    def __init__(self, account: Signer) -> None:
        self._account = account

    def __repr__(self) -> str:
        return f"UserMint(account={self._account.subject})"

    @classmethod
    def open(cls, key_file: Path) -> UserMint:
        """
        Read an account's key; keys are never made here.

        Raises
        ------
        NatsError
            If the file is readable by others or is not an account's key.
        """
        return cls(load(key_file, nkeys.PREFIX_BYTE_ACCOUNT))

    def mint_user(self, name: str, permissions: Permissions, expires_s: float | None = None) -> str:
        """
        Make a user with its own key and permissions; works at once on a running server.

        Parameters
        ----------
        name
            For logs and connection listings; not unique.
        permissions
            What the user may publish and subscribe to; nothing else.
        expires_s
            After this many seconds the server closes the user's connections; None for never.

        Returns
        -------
        str
            The text of a `.creds` file: secret, hand it over once.
        """
        seed = new_seed(nkeys.PREFIX_BYTE_USER)
        now = int(time.time())
        claims: dict[str, Any] = {
            "iat": now,
            "sub": public_of(seed),
            "name": name,
            "nats": {
                "type": "user",
                "version": 2,
                "pub": permissions.publish_claims(),
                "sub": permissions.subscribe_claims(),
                "subs": _NO_LIMIT,
                "data": _NO_LIMIT,
                "payload": _NO_LIMIT,
            },
        }
        if self._account.is_rotated:
            claims["nats"]["issuer_account"] = self._account.subject
        if expires_s is not None:
            claims["exp"] = now + max(1, round(expires_s))
        jwt = _sign_claims(self._account, claims)
        return (
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed.decode()}\n------END USER NKEY SEED------\n"
        )


class NatsIdentity:
    """
    The keys of one installation. Use `create`; keep the object only where users are minted.

    Attributes
    ----------
    trust
        What the server's configuration needs.
    """

    def __init__(
        self, operator: Signer, account: Signer, system: Signer, revoked: Mapping[str, int] | None = None
    ) -> None:
        self._operator = operator
        self._account = account
        self._system = system
        self._users = UserMint(account)
        self._revoked = dict(revoked or {})
        self.trust = self.make_trust()

    def __repr__(self) -> str:
        return f"NatsIdentity(account={self.trust.account})"

    @classmethod
    def create(cls, data_dir: Path) -> NatsIdentity:
        """
        Load the keys under `data_dir/keys`, making them at the first call (folder 0700, files 0600).

        Raises
        ------
        NatsError
            If a key file is readable by others or is not a key of its kind, or the list of revoked users is damaged.
        """
        folder = data_dir / "keys"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        signers = {name: load_or_make(folder / f"{name}.nk", prefix) for name, prefix in _PREFIXES.items()}
        return cls(signers["operator"], signers["account"], signers["system"], read_revoked(folder))

    @classmethod
    def rotate(cls, data_dir: Path) -> NatsIdentity:
        """
        Put new keys in the place of all under `data_dir/keys`; the broker must not run.

        The accounts keep their names, and so their streams. Whatever the keys before have signed or will sign is
        refused by a server with the new trust: it takes what signing keys sign and nothing else.
        """
        before, folder = cls.create(data_dir), data_dir / "keys"
        names = {
            "operator": public_of(new_seed(nkeys.PREFIX_BYTE_OPERATOR)),
            "account": before.trust.account,
            "system": before.trust.system_account,
        }
        for name, subject in names.items():
            replace(folder / f"{name}.nk", _PREFIXES[name], subject)
        return cls.create(data_dir)

    @property
    def operator(self) -> str:
        """The operator's public key."""
        return self._operator.subject

    def mint_user(self, name: str, permissions: Permissions, expires_s: float | None = None) -> str:
        """Make a user of the account; see `UserMint.mint_user`."""
        return self._users.mint_user(name, permissions, expires_s)

    def make_trust(self, *, storage_bytes: int = _NO_LIMIT) -> ServerTrust:
        """
        Sign the account for a server's configuration.

        Parameters
        ----------
        storage_bytes
            What all streams together may reserve, told to whoever asks the broker; -1 for the server's own limit.
        """
        claims: dict[str, Any] = {
            "iat": TRUST_ISSUED_AT,
            "sub": self._operator.subject,
            "name": "tapelog",
            "nats": {
                "type": "operator",
                "version": 2,
                "system_account": self._system.subject,
                **_signing_keys(self._operator),
            },
        }
        if self._operator.is_rotated:
            claims["nats"]["strict_signing_key_usage"] = True
        return ServerTrust(
            operator_jwt=_sign_claims(self._operator, claims),
            account=self._account.subject,
            account_jwt=self._account_jwt(
                self._account, "tapelog", _jetstream_limits(storage_bytes), revoked=self._revoked
            ),
            system_account=self._system.subject,
            system_account_jwt=self._account_jwt(self._system, "system", dict.fromkeys(_JETSTREAM, 0)),
        )

    def _account_jwt(
        self, account: Signer, name: str, jetstream: dict[str, int], *, revoked: Mapping[str, int] | None = None
    ) -> str:
        unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "leaf"), _NO_LIMIT)
        claims = {
            "iat": TRUST_ISSUED_AT,
            "sub": account.subject,
            "name": name,
            "nats": {
                "type": "account",
                "version": 2,
                "limits": {**unlimited, **jetstream, "conn": MAX_CONNECTIONS, "wildcards": True},
                "default_permissions": {"pub": {}, "sub": {}},
                **({"revocations": dict(revoked)} if revoked else {}),
                **_signing_keys(account),
            },
        }
        return _sign_claims(self._operator, claims)


def _signing_keys(signer: Signer) -> dict[str, list[str]]:
    return {"signing_keys": [signer.public]} if signer.is_rotated else {}


def _jetstream_limits(storage_bytes: int) -> dict[str, int]:
    return {**dict.fromkeys(_JETSTREAM, _NO_LIMIT), "disk_storage": storage_bytes}
