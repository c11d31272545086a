"""
The compression of the broker's archives: read whatever it writes, write what it reads.

Sources: the Snappy framing format (google/snappy, `framing_format.txt`) and block format, with the extensions of S2
(klauspost/compress, `s2/README.md`: another stream identifier, larger blocks, and a copy that repeats its offset).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from tapelog_cli.backup.crc32c import crc32c
from tapelog_cli.backup.errors import ArchiveError

IDENTIFIER: Final = b"\xff\x06\x00\x00S2sTwO"
BLOCK_BYTES: Final = 1024 * 1024
"""Of content in one block that is written."""
BLOCK_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of content in one block that is read: the largest that S2 makes."""
_COMPRESSED, _PLAIN, _SKIPPABLE = 0x00, 0x01, 0x80
_MASK_DELTA: Final = 0xA282EAD8


def _masked(content: bytes) -> bytes:
    """Return the check sum of a block as it is written."""
    code = crc32c(content)
    return (((code >> 15 | code << 17) + _MASK_DELTA) & 0xFFFFFFFF).to_bytes(4, "little")


def encoded(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield content as an S2 stream, uncompressed."""
    yield IDENTIFIER
    waiting = bytearray()
    for block in blocks:
        waiting += block
        while len(waiting) >= BLOCK_BYTES:
            yield _plain(bytes(waiting[:BLOCK_BYTES]))
            del waiting[:BLOCK_BYTES]
    if waiting:
        yield _plain(bytes(waiting))


def _plain(content: bytes) -> bytes:
    return bytes([_PLAIN]) + (len(content) + 4).to_bytes(3, "little") + _masked(content) + content


class S2Reader:
    """Takes an S2 stream in pieces of any size and gives its content block by block."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._is_begun = False

    def take(self, piece: bytes) -> Iterator[bytes]:
        """
        Take the next piece; yield the blocks that are whole by now.

        Raises
        ------
        ArchiveError
            It is not S2, or was changed.
        """
        self._waiting += piece
        if not self._is_begun and len(self._waiting) >= len(IDENTIFIER):
            if not self._waiting.startswith(IDENTIFIER):
                raise ArchiveError("the archive does not begin as S2 does")
            self._is_begun = True
        while self._is_begun and len(self._waiting) >= 4:
            end = 4 + int.from_bytes(self._waiting[1:4], "little")
            if len(self._waiting) < end:
                return
            kind, body = self._waiting[0], bytes(self._waiting[4:end])
            del self._waiting[:end]
            if kind in (_COMPRESSED, _PLAIN):
                content = body[4:] if kind == _PLAIN else _decoded(body[4:])
                if _masked(content) != body[:4]:
                    raise ArchiveError("a block of the archive does not fit its check sum")
                yield content
            elif kind < _SKIPPABLE:
                raise ArchiveError(f"the archive has a block of the unknown kind {kind}")

    def end(self) -> None:
        """Say that this was all; raises `ArchiveError` in the middle of a block."""
        if self._waiting or not self._is_begun:
            raise ArchiveError("the archive's end is missing")


def uvarint(content: bytes, at: int) -> tuple[int, int]:
    """Read a number (Protocol Buffers' varint) at a place; return it and the place behind it."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _decoded(block: bytes) -> bytes:
    try:
        length, at = uvarint(block, 0)
        if length > BLOCK_BYTES_MAX:
            raise ArchiveError(f"a block of the archive has {length} bytes, at most {BLOCK_BYTES_MAX} are read")
        content = _unpacked(block, at, length)
    except IndexError:
        raise ArchiveError("a block of the archive ends too early") from None
    if len(content) != length:
        raise ArchiveError("a block of the archive has another length than it says")
    return content


def _unpacked(block: bytes, at: int, length: int) -> bytes:
    """Follow literals and copies; one function, because there are millions of them."""
    out, offset, end = bytearray(), 0, len(block)
    while at < end and len(out) <= length:
        tag = block[at]
        kind = tag & 3
        if kind == 0:
            size, at = _literal(block, at)
            out += block[at : at + size]
            at += size
            continue
        if kind == 1:
            near, size = (tag & 0xE0) << 3 | block[at + 1], tag >> 2 & 7
            at += 2
            if near:
                offset, size = near, size + 4
            else:
                size, at = _repeated(block, at, size)
        else:
            width = 2 if kind == 2 else 4
            size, offset = 1 + (tag >> 2), int.from_bytes(block[at + 1 : at + 1 + width], "little")
            at += 1 + width
        start = len(out) - offset
        if start < 0 or not offset:
            raise ArchiveError("a block of the archive refers to what is before it")
        if offset >= size:
            out += out[start : start + size]
        else:
            out += (bytes(out[start:]) * (size // offset + 1))[:size]
    return bytes(out)


def _literal(block: bytes, at: int) -> tuple[int, int]:
    """Return a literal's length and where it begins."""
    size = block[at] >> 2
    if size < 60:
        return size + 1, at + 1
    width = size - 59
    return int.from_bytes(block[at + 1 : at + 1 + width], "little") + 1, at + 1 + width


def _repeated(block: bytes, at: int, code: int) -> tuple[int, int]:
    """Return the length of a copy from the offset of the one before, and the place behind it."""
    if code < 5:
        return code + 4, at
    width = code - 4
    base = (4, 1 << 8, 1 << 16)[width - 1]
    return int.from_bytes(block[at : at + width], "little") + base + 4, at + width
