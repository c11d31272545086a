"""
Files of the keys with which operator and account sign (`nkeys`): private, made once, replaced by a rotation.

A file has a seed, and after a rotation a second line: the public key of whom the seed signs for. An account keeps its
name then, under which the broker keeps its streams; the seed that had the name is gone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import nkeys

from .errors import NatsError


def new_seed(prefix: int) -> bytes:
    """Make a key of a kind."""
    return bytes(nkeys.encode_seed(os.urandom(32), prefix))


def public_of(seed: bytes) -> str:
    """Return the public half of a key."""
    return str(nkeys.from_seed(bytearray(seed)).public_key.decode())


@dataclass(frozen=True, slots=True)
class Signer:
    """
    A key that signs.

    Attributes
    ----------
    seed
        The private key.
    subject
        Public key of whom it signs for: its own, until it is replaced for the first time.
    """

    seed: bytes = field(repr=False)
    subject: str

    @property
    def public(self) -> str:
        """Its own public half."""
        return public_of(self.seed)

    @property
    def is_rotated(self) -> bool:
        """Whether it signs for a name that is not its own."""
        return self.public != self.subject

    def sign(self, content: str) -> bytes:
        """Sign."""
        return bytes(nkeys.from_seed(bytearray(self.seed)).sign(content.encode()))


def load_or_make(path: Path, prefix: int) -> Signer:
    """Read a key, made at the first time; raises as `load`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new_seed(prefix))
            file.flush()
            os.fsync(file.fileno())
    return load(path, prefix)


def load(path: Path, prefix: int) -> Signer:
    """
    Read a key.

    Raises
    ------
    NatsError
        If the file is readable by others or is not a key of its kind.
    """
    if path.stat().st_mode & 0o077:
        raise NatsError(f"{path} holds a private key and is open to others: chmod 600 it")
    seed, *subject = path.read_bytes().split() or [b""]
    try:
        kind, _ = nkeys.decode_seed(seed)
    except Exception as error:
        raise NatsError(f"{path} is not a key: restore it from a backup, or delete the folder to begin anew") from error
    if kind != prefix:
        raise NatsError(f"{path} is a key of another kind: restore it from a backup")
    return Signer(seed, subject[0].decode() if subject else public_of(seed))


def replace(path: Path, prefix: int, subject: str) -> None:
    """Put a new key in the place of a file's, signing for `subject`; the file is whole at any moment."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(new_seed(prefix) + b"\n" + subject.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
