"""
The key with which the writer of anchors signs them (Ed25519, RFC 8032): who can only write the journals forges none.

A signature is made over the hash of a line, which covers all lines before, so the last one vouches for the journal.
"""

from __future__ import annotations

import base64
import binascii
import os
import uuid
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tapelog_chassis.errors import ConfigRefusal


def key_path(folder: Path, context: str) -> Path:
    """Return the file of the key that signs a context's anchors."""
    return folder / f"{context}.pem"


def public_path(folder: Path, context: str) -> Path:
    """Return the file of its public half, to be kept elsewhere by whoever wants to verify on their own."""
    return folder / f"{context}.pub.pem"


class AnchorVerifier:
    """Tells whether a signature was made with a context's key."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"AnchorVerifier({base64.b16encode(self._key.public_bytes_raw()).decode()[:16]})"

    @classmethod
    def read(cls, folder: Path, context: str) -> Self | None:
        """Read the public half of a context's key; None if there is no such key.

        Raises
        ------
        ConfigRefusal
            The file is no Ed25519 public key.
        """
        path = public_path(folder, context)
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ConfigRefusal(f"{path} is not a public key in PEM: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigRefusal(f"{path} is not an Ed25519 key")
        return cls(key)

    def fits(self, context: str, line_hash: str, signature: str) -> bool:
        """Say whether a line's signature is right."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), _signed(context, line_hash))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


class AnchorKey:
    """
    Signs the anchors of one context.

    Attributes
    ----------
    is_new
        Whether it was made just now: what was anchored before could not be signed.
    verifier
        Its public half.
    """

    def __init__(self, key: Ed25519PrivateKey, *, is_new: bool) -> None:
        self._key = key
        self.is_new = is_new
        self.verifier = AnchorVerifier(key.public_key())

    def __repr__(self) -> str:
        return f"AnchorKey({self.verifier!r})"

    @classmethod
    def open(cls, folder: Path, context: str) -> Self:
        """Read a context's key, made at the first time.

        Raises
        ------
        ConfigRefusal
            The file is no Ed25519 key, or others can read it.
        """
        path = key_path(folder, context)
        is_new = not path.exists() and _create(folder, context)
        if path.stat().st_mode & 0o077:
            raise ConfigRefusal(f"{path} can be read by other users: chmod 600 it, or replace it if they did")
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise ConfigRefusal(f"{path} is not a private key in PEM: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigRefusal(f"{path} is not an Ed25519 key")
        _put_public(folder, context, key)
        return cls(key, is_new=is_new)

    def sign(self, context: str, line_hash: str) -> str:
        """Sign a line by its hash."""
        return base64.b64encode(self._key.sign(_signed(context, line_hash))).decode()


def _signed(context: str, line_hash: str) -> bytes:
    return f"tapelog anchor\n{context}\n{line_hash}".encode()


def _create(folder: Path, context: str) -> bool:
    """Make a key, unless another process is faster; it appears whole."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    temporary = folder / f".{uuid.uuid4().hex}"
    try:
        _write(temporary, pem)
        os.link(temporary, key_path(folder, context))
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _put_public(folder: Path, context: str, key: Ed25519PrivateKey) -> None:
    path = public_path(folder, context)
    if path.exists():
        return
    temporary = folder / f".{uuid.uuid4().hex}"
    _write(
        temporary,
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )
    temporary.replace(path)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
