"""
Backups that only the holder of a key can read.

Each file has a key of its own, HKDF-SHA-256 (RFC 5869) of the backup's key and a random salt; its blocks are sealed
with AES-256-GCM (NIST SP 800-38D), their number as nonce and whether one is the last bound in, so that a block that is
missing, moved or of another file does not open.
"""

import hashlib
import hmac
import os
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tapelog_cli.backup.errors import KeyUnusable, SealBroken

MAGIC: Final = b"TLB1"
KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
BLOCK_BYTES: Final = 1024 * 1024
"""Of content in one sealed block."""
_TAG_BYTES: Final = 16
_LENGTH: Final = struct.Struct(">I")
_MORE, _LAST = b"more", b"last"


class Seal:
    """
    Seals and opens the files of a backup.

    Parameters
    ----------
    key
        32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Seal()"

    @classmethod
    def read(cls, path: Path, *, create: bool = False) -> Self:
        """
        Read a key file; `create` makes it where it is missing.

        Raises
        ------
        KeyUnusable
            It is missing, can be read by others, or is not 32 bytes long.
        """
        if create and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        try:
            key, mode = path.read_bytes(), path.stat().st_mode
        except FileNotFoundError:
            raise KeyUnusable(path, "there is no such file") from None
        if mode & 0o077:
            raise KeyUnusable(path, "other users can read it")
        if len(key) != KEY_BYTES:
            raise KeyUnusable(path, f"it has {len(key)} bytes, a key has {KEY_BYTES}")
        return cls(key)

    def mark(self, content: bytes) -> str:
        """Return what vouches for content that is not secret: HMAC-SHA-256 (RFC 2104), hex."""
        return hmac.new(self._file_key(b"manifest"), content, hashlib.sha256).hexdigest()

    async def sealed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the sealed form of content."""
        salt = os.urandom(SALT_BYTES)
        cipher, number, waiting = AESGCM(self._file_key(salt)), 0, b""
        yield MAGIC + salt
        async for chunk in chunks:
            waiting += chunk
            while len(waiting) > BLOCK_BYTES:
                yield _block(cipher, number, waiting[:BLOCK_BYTES], _MORE)
                waiting, number = waiting[BLOCK_BYTES:], number + 1
        yield _block(cipher, number, waiting, _LAST)

    def opened(self, path: Path) -> Iterator[bytes]:
        """
        Yield the content of a sealed file.

        Raises
        ------
        SealBroken
            It was sealed with another key, or changed.
        """
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise SealBroken(path, "it is not sealed")
            cipher, number, kind = AESGCM(self._file_key(file.read(SALT_BYTES))), 0, _MORE
            while kind == _MORE:
                length = file.read(_LENGTH.size)
                if len(length) < _LENGTH.size:
                    raise SealBroken(path, "its end is missing")
                size, kind = _LENGTH.unpack(length)[0] & 0x7FFFFFFF, _LAST if length[0] & 0x80 else _MORE
                if size > BLOCK_BYTES + _TAG_BYTES:
                    raise SealBroken(path, "it was changed")
                try:
                    yield cipher.decrypt(_nonce(number), file.read(size), kind)
                except (InvalidTag, ValueError):
                    raise SealBroken(path, "it was sealed with another key, or changed") from None
                number += 1
            if file.read(1):
                raise SealBroken(path, "something was added to it")

    def _file_key(self, salt: bytes) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=b"tapelog backup").derive(self._key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _block(cipher: AESGCM, number: int, content: bytes, kind: bytes) -> bytes:
    sealed = cipher.encrypt(_nonce(number), content, kind)
    return _LENGTH.pack(len(sealed) | (0x80000000 if kind == _LAST else 0)) + sealed


def content_of(path: Path, seal: Seal | None, size_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield what a file of a backup holds, in blocks of at most `size_bytes`; raises as `Seal.opened`."""
    for block in _plain(path) if seal is None else seal.opened(path):
        for start in range(0, len(block), size_bytes):
            yield block[start : start + size_bytes]


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


async def in_one(content: bytes) -> AsyncIterator[bytes]:
    """Yield content that is there already."""
    yield content


async def as_stream(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield blocks to whoever awaits them."""
    for block in blocks:
        yield block
