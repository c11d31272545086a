"""
The key with which the writer of anchors signs them (Ed25519, RFC 8032): who can only write the journals forges none.

A signature is made over the hash of a line, which covers all lines before, so the last one vouches for the journal.
A new key begins with a handover: it signs which line the key before wrote last. So lines from before still verify with
the public key of their time, and what the old key signs after that is worth nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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


def is_unfinished(folder: Path, context: str) -> bool:
    """Say whether a rotation was broken off."""
    return _unfinished_path(folder, context).exists()


def handovers_path(folder: Path, context: str) -> Path:
    """Return the file of the handovers, to be kept beside the public half."""
    return folder / f"{context}.handovers.json"


@dataclass(frozen=True, slots=True)
class Handover:
    """
    One key ends, the next begins.

    Attributes
    ----------
    number, line_hash
        Of the last line that the key before has signed; 0 and empty if there was none.
    public
        Public half of the key before, base64.
    signature
        Of the key after it, over all of this.
    """

    number: int
    line_hash: str
    public: str
    signature: str = ""

    def content(self, context: str) -> bytes:
        """Return what is signed."""
        return f"tapelog anchor handover\n{context}\n{self.number}\n{self.line_hash}\n{self.public}".encode()

    @property
    def key(self) -> Ed25519PublicKey:
        """The public half of the key before."""
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public, validate=True))


class AnchorVerifier:
    """
    Tells whether a signature was made with a context's key.

    Parameters
    ----------
    key
        The public half of the key of today.
    handovers
        From the keys before, the earliest first.
    """

    def __init__(self, key: Ed25519PublicKey, handovers: Sequence[Handover] = ()) -> None:
        self._key = key
        # Of several at one line, the first tells whose line it is; the keys between have signed nothing.
        self._handovers = {handover.number: handover for handover in reversed(handovers)}

    @property
    def last_handover(self) -> int:
        """The line of the last handover; 0 if there was none."""
        return max(self._handovers, default=0)

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
        return cls(key, _read_handovers(folder, context, key))

    def fits(self, context: str, line_hash: str, signature: str) -> bool:
        """Say whether a line's signature is right."""
        return _fits(self._key, _signed(context, line_hash), signature)

    def vouches(self, context: str, number: int, line_hash: str, signature: str) -> bool:
        """Say whether the last line of a journal is the key's own, or the one with which the key has begun."""
        if number == self.last_handover:
            return self.ends(context, number, line_hash, signature)
        return number > self.last_handover and self.fits(context, line_hash, signature)

    def ends(self, context: str, number: int, line_hash: str, signature: str) -> bool:
        """Say whether a line is as it was when its key ended, and signed with that key; so is a line of any other."""
        handover = self._handovers.get(number)
        if handover is None:
            return True
        return line_hash == handover.line_hash and _fits(handover.key, _signed(context, line_hash), signature)


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

    def __init__(self, key: Ed25519PrivateKey, *, is_new: bool, handovers: Sequence[Handover] = ()) -> None:
        self._key = key
        self.is_new = is_new
        self.verifier = AnchorVerifier(key.public_key(), handovers)

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
        if is_unfinished(folder, context):
            raise ConfigRefusal(
                f"the key of {context} in {folder} was being replaced and that was broken off: "
                "`tapelog access rotate-key --of anchors` finishes it"
            )
        is_new = not key_path(folder, context).exists() and _create(folder, context)
        key = _load(key_path(folder, context))
        _put_public(folder, context, key)
        return cls(key, is_new=is_new, handovers=_read_handovers(folder, context, key.public_key()))

    @classmethod
    def rotate(cls, folder: Path, context: str, number: int, line_hash: str) -> Self:
        """
        Put a new key in the place of a context's; nobody may write the journal meanwhile.

        One that was broken off is finished by the next.

        Parameters
        ----------
        folder, context
            Whose key.
        number, line_hash
            Of the journal's last line; 0 and empty if it has none.
        """
        unfinished = _unfinished_path(folder, context)
        if not is_unfinished(folder, context):
            _write(unfinished, _private(Ed25519PrivateKey.generate()))
        key, before = _load(unfinished), _load(key_path(folder, context))
        public = base64.b64encode(before.public_key().public_bytes_raw()).decode()
        known = [one for one in _handovers(folder, context) if one.public != public]
        if number:
            made = Handover(number, line_hash, public)
            known.append(replace(made, signature=base64.b64encode(key.sign(made.content(context))).decode()))
        _write(handovers_path(folder, context), json.dumps([asdict(one) for one in known], indent=1).encode())
        public_path(folder, context).unlink(missing_ok=True)
        _put_public(folder, context, key)
        unfinished.replace(key_path(folder, context))
        return cls.open(folder, context)

    def sign(self, context: str, line_hash: str) -> str:
        """Sign a line by its hash."""
        return base64.b64encode(self._key.sign(_signed(context, line_hash))).decode()


def _signed(context: str, line_hash: str) -> bytes:
    return f"tapelog anchor\n{context}\n{line_hash}".encode()


def _fits(key: Ed25519PublicKey, content: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _handovers(folder: Path, context: str) -> list[Handover]:
    path = handovers_path(folder, context)
    try:
        return [Handover(**one) for one in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise ConfigRefusal(f"{path} cannot be read ({error}): restore it from a backup") from error


def _read_handovers(folder: Path, context: str, key: Ed25519PublicKey) -> list[Handover]:
    """Read the handovers; each is signed by the key after it, the last by the key of today."""
    found = _handovers(folder, context)
    for handover in reversed(found):
        if not _fits(key, handover.content(context), handover.signature):
            raise ConfigRefusal(
                f"{handovers_path(folder, context)} does not fit the key: restore both from a backup, together"
            )
        key = handover.key
    return found


def _unfinished_path(folder: Path, context: str) -> Path:
    return folder / f"{context}.pem.new"


def _load(path: Path) -> Ed25519PrivateKey:
    if path.stat().st_mode & 0o077:
        raise ConfigRefusal(f"{path} can be read by other users: chmod 600 it, or replace it if they did")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigRefusal(f"{path} is not a private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigRefusal(f"{path} is not an Ed25519 key")
    return key


def _private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _create(folder: Path, context: str) -> bool:
    """Make a key, unless another process is faster; it appears whole."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}"
    try:
        _create_file(temporary, _private(Ed25519PrivateKey.generate()))
        os.link(temporary, key_path(folder, context))
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _put_public(folder: Path, context: str, key: Ed25519PrivateKey) -> None:
    path = public_path(folder, context)
    if not path.exists():
        _write(
            path,
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        )


def _write(path: Path, content: bytes) -> None:
    """Write a file; it appears whole."""
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    _create_file(temporary, content)
    temporary.replace(path)


def _create_file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
