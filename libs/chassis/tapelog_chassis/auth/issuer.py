"""The local issuer: an Ed25519 key in the data folder that mints short-lived EdDSA tokens."""

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tapelog_chassis.auth.principal import Kind
from tapelog_chassis.clock import Clock, SystemClock
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.watched import WatchedFile

ALGORITHM: Final = "EdDSA"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068, not a secret
ISSUER: Final = "tapelog-local"
LIFETIME_S_MAX: Final = 900
"""A token lives 15 minutes at most, so that a leaked one is soon worthless."""
KEY_FILE: Final = "issuer.ed25519.pem"
JWKS_FILE: Final = "jwks.json"

Jwks = Mapping[str, Any]
"""A JSON Web Key Set (RFC 7517)."""


class LocalIssuer:
    """Mints tokens with a private key that only this machine's user can read.

    Parameters
    ----------
    key : Ed25519PrivateKey
    issuer : str
        The `iss` of its tokens.
    clock : Clock
    """

    def __init__(self, key: Ed25519PrivateKey, *, issuer: str = ISSUER, clock: Clock | None = None) -> None:
        self._key = key
        self.issuer = issuer
        self.key_id = thumbprint(key.public_key())
        self._clock = clock or SystemClock()
        self._file: WatchedFile | None = None

    @classmethod
    def open(cls, folder: Path, *, create: bool = False, clock: Clock | None = None) -> Self:
        """Open the issuer of a data folder.

        Parameters
        ----------
        folder : Path
            Holds the key (mode 0600; the folder itself 0700) and the public `jwks.json` beside it.
        create : bool
            Make the key when there is none; only `tapelog up` does.

        Raises
        ------
        ConfigRefusal
            There is no key, it can be read by other users, or it is not an Ed25519 key.
        """
        path = folder / KEY_FILE
        if create and not path.exists():
            _create_key(folder, path)
        issuer = cls(_read_key(path), clock=clock)
        issuer._file = WatchedFile(path)
        jwks_path = folder / JWKS_FILE
        if create and not jwks_path.exists():
            write_private(jwks_path, json.dumps(issuer.jwks(), indent=2).encode())
        return issuer

    @classmethod
    def generate(cls, *, clock: Clock | None = None) -> Self:
        """Make an issuer whose key lives in memory alone."""
        return cls(Ed25519PrivateKey.generate(), clock=clock)

    def mint(
        self,
        *,
        audiences: Iterable[str],
        tenant: str,
        party: str,
        kind: Kind = "person",
        tenant_roles: Iterable[str] = (),
        on_behalf_of: str = "",
        scopes: Iterable[str] | None = None,
        lifetime_s: int = LIFETIME_S_MAX,
    ) -> str:
        """Return a signed token.

        Parameters
        ----------
        audiences : Iterable[str]
            Service names that accept it: `session`, `render`, `notify`.
        scopes : Iterable[str], optional
            What it is limited to (`auth.scopes`); absent is no limit beyond the party's own.
        lifetime_s : int
            1 to 900 seconds.
        """
        if not 0 < lifetime_s <= LIFETIME_S_MAX:
            raise ValueError(f"lifetime_s {lifetime_s} is outside 1 to {LIFETIME_S_MAX}")
        self._take_over_new_key()
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": sorted(audiences),
            "sub": party,
            "tenant": tenant,
            "kind": kind,
            "tenant_roles": sorted(tenant_roles),
            "iat": now,
            "exp": now + lifetime_s,
            "jti": str(uuid.uuid4()),
        }
        if on_behalf_of:
            claims["on_behalf_of"] = on_behalf_of
        if scopes is not None:
            claims["scopes"] = sorted(scopes)
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE, "kid": self.key_id})

    def _take_over_new_key(self) -> None:
        """Sign with the folder's key of today: it may have been rotated while this process runs."""
        if self._file is not None and self._file.has_changed():
            self._key = _read_key(self._file.path)
            self.key_id = thumbprint(self._key.public_key())

    def jwks(self) -> Jwks:
        """Return the public half as a JSON Web Key Set."""
        return {"keys": [_jwk(self._key.public_key())]}

    def __repr__(self) -> str:
        return f"LocalIssuer(issuer={self.issuer!r}, key_id={self.key_id!r}, key=<hidden>)"


def rotate_key(folder: Path) -> str:
    """Make a new signing key and return its id; tokens of the one before count until `retire_keys`.

    The key set is written first: a service that has not read it yet would refuse the new key's tokens, so wait two
    seconds before a token of the new key is needed on a service of another machine.
    """
    path = folder / KEY_FILE
    before, fresh = _read_key(path), Ed25519PrivateKey.generate()
    _write_keys(folder, [fresh, before])
    write_private(path, _pem(fresh))
    return thumbprint(fresh.public_key())


def retire_keys(folder: Path) -> str:
    """Let go of every key but the one that signs, and return its id: tokens of the others end at once."""
    key = _read_key(folder / KEY_FILE)
    _write_keys(folder, [key])
    return thumbprint(key.public_key())


def _write_keys(folder: Path, keys: Iterable[Ed25519PrivateKey]) -> None:
    listed = {"keys": [_jwk(key.public_key()) for key in keys]}
    write_private(folder / JWKS_FILE, json.dumps(listed, indent=2).encode())


def thumbprint(key: Ed25519PublicKey) -> str:
    """Return the key id: the JWK thumbprint (RFC 7638) of an Ed25519 public key."""
    required = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _x(key)}, separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(required.encode()).digest())


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only this user can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _create_key(folder: Path, path: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_private(path, _pem(Ed25519PrivateKey.generate()))


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        mode = path.stat().st_mode & 0o777
        pem = path.read_bytes()
    except FileNotFoundError:
        raise ConfigRefusal(
            f"no issuer key at {path}: start `tapelog up` with this data folder once, or name the right folder"
        ) from None
    if mode & 0o077:
        raise ConfigRefusal(f"issuer key {path} has mode {mode:04o}, so other users can read it: run chmod 600 on it")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise ConfigRefusal(
            f"issuer key {path} is not a PEM private key: restore it, or remove it to make a new one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigRefusal(f"issuer key {path} is a {type(key).__name__}, not an Ed25519 key")
    return key


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": _x(key), "kid": thumbprint(key), "alg": ALGORITHM, "use": "sig"}


def _x(key: Ed25519PublicKey) -> str:
    return _base64url(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
