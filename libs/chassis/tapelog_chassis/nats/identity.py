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
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nkeys

from .errors import NatsError
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


def _new_seed(prefix: int) -> bytes:
    return bytes(nkeys.encode_seed(os.urandom(32), prefix))


def _public(seed: bytes) -> str:
    return str(nkeys.from_seed(bytearray(seed)).public_key.decode())


def _sign_claims(issuer_seed: bytes, claims: dict[str, Any]) -> str:
    """Make a JWT of the NATS kind: `alg` ed25519-nkey, `jti` the digest of the claims."""
    canonical = json.dumps({**claims, "jti": ""}, separators=(",", ":"), sort_keys=True).encode()
    claims = {**claims, "jti": base64.b32encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()}
    header = _base64url(b'{"typ":"JWT","alg":"ed25519-nkey"}')
    payload = _base64url(json.dumps(claims, separators=(",", ":")).encode())
    signature = nkeys.from_seed(bytearray(issuer_seed)).sign(f"{header}.{payload}".encode())
    return f"{header}.{payload}.{_base64url(signature)}"


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

    def __init__(self, account_seed: bytes) -> None:
        self._account_seed = account_seed

    def __repr__(self) -> str:
        return f"UserMint(account={_public(self._account_seed)})"

    @classmethod
    def open(cls, key_file: Path) -> UserMint:
        """
        Read an account's key; keys are never made here.

        Raises
        ------
        NatsError
            If the file is readable by others or is not an account's key.
        """
        return cls(_load(key_file, nkeys.PREFIX_BYTE_ACCOUNT))

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
        seed = _new_seed(nkeys.PREFIX_BYTE_USER)
        now = int(time.time())
        claims: dict[str, Any] = {
            "iat": now,
            "iss": _public(self._account_seed),
            "sub": _public(seed),
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
        if expires_s is not None:
            claims["exp"] = now + max(1, round(expires_s))
        jwt = _sign_claims(self._account_seed, claims)
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
        self, operator_seed: bytes, account_seed: bytes, system_seed: bytes, revoked: Mapping[str, int] | None = None
    ) -> None:
        self._operator_seed = operator_seed
        self._account_seed = account_seed
        self._system_seed = system_seed
        self._users = UserMint(account_seed)
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
        seeds = {name: _load_or_make(folder / f"{name}.nk", prefix) for name, prefix in _PREFIXES.items()}
        return cls(seeds["operator"], seeds["account"], seeds["system"], read_revoked(folder))

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
        operator, account, system = map(_public, (self._operator_seed, self._account_seed, self._system_seed))
        operator_jwt = _sign_claims(
            self._operator_seed,
            {
                "iat": TRUST_ISSUED_AT,
                "iss": operator,
                "sub": operator,
                "name": "tapelog",
                "nats": {"type": "operator", "version": 2, "system_account": system},
            },
        )
        return ServerTrust(
            operator_jwt=operator_jwt,
            account=account,
            account_jwt=self._account_jwt(
                operator, account, "tapelog", _jetstream_limits(storage_bytes), revoked=self._revoked
            ),
            system_account=system,
            system_account_jwt=self._account_jwt(operator, system, "system", dict.fromkeys(_JETSTREAM, 0)),
        )

    def _account_jwt(
        self,
        operator: str,
        account: str,
        name: str,
        jetstream: dict[str, int],
        *,
        revoked: Mapping[str, int] | None = None,
    ) -> str:
        unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "leaf"), _NO_LIMIT)
        claims = {
            "iat": TRUST_ISSUED_AT,
            "iss": operator,
            "sub": account,
            "name": name,
            "nats": {
                "type": "account",
                "version": 2,
                "limits": {**unlimited, **jetstream, "conn": MAX_CONNECTIONS, "wildcards": True},
                "default_permissions": {"pub": {}, "sub": {}},
                **({"revocations": dict(revoked)} if revoked else {}),
            },
        }
        return _sign_claims(self._operator_seed, claims)


def _jetstream_limits(storage_bytes: int) -> dict[str, int]:
    return {**dict.fromkeys(_JETSTREAM, _NO_LIMIT), "disk_storage": storage_bytes}


def _load_or_make(path: Path, prefix: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_new_seed(prefix))
            file.flush()
            os.fsync(file.fileno())
    return _load(path, prefix)


def _load(path: Path, prefix: int) -> bytes:
    if path.stat().st_mode & 0o077:
        raise NatsError(f"{path} holds a private key and is open to others: chmod 600 it")
    seed = path.read_bytes().strip()
    try:
        kind, _ = nkeys.decode_seed(seed)
    except Exception as error:
        raise NatsError(f"{path} is not a key: restore it from a backup, or delete the folder to begin anew") from error
    if kind != prefix:
        raise NatsError(f"{path} is a key of another kind: restore it from a backup")
    return seed
