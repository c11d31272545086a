"""The checksum that every FLAC file carries of its samples, and that libsndfile does not check (RFC 9639, 8.2)."""

import hashlib
from pathlib import Path
from typing import Final

from tapelog_desk.errors import SourceError
from tapelog_desk.files.sniff import sniff

_MD5_BYTES: Final = 16
_STREAMINFO_BYTES: Final = 34


def declared_md5(path: Path, name: str) -> bytes:
    """Return the MD5 of the samples that a FLAC file declares; empty for none, or for odd word lengths."""
    with path.open("rb") as file:
        file.seek(sniff(file, name).offset)
        head = file.read(8 + _STREAMINFO_BYTES)
    # The first metadata block is STREAMINFO; its last 16 bytes are the checksum.
    if head[:4] != b"fLaC" or head[4] & 0x7F or len(head) < 8 + _STREAMINFO_BYTES:
        return b""
    bits = ((head[20] & 1) << 4 | head[21] >> 4) + 1
    checksum = head[-_MD5_BYTES:]
    return checksum if any(checksum) and bits % 8 == 0 else b""


class FlacCheck:
    """Compares the decoded samples of a FLAC file with its checksum.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        How errors call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._declared = declared_md5(path, name)
        # The format's choice; it guards against accidents, not against people.
        self._found = hashlib.md5(usedforsecurity=False)

    def add(self, packed: bytes | memoryview) -> None:
        """Take the next block as interleaved little-endian PCM."""
        if self._declared:
            self._found.update(packed)

    def finish(self) -> None:
        """Raise ``SOURCE_DAMAGED`` unless the samples are those that were encoded."""
        if self._declared and self._found.digest() != self._declared:
            problem = f"{self._name}: the checksum of its samples does not match; something changed them"
            raise SourceError("SOURCE_DAMAGED", problem, "export or upload it again", file=self._name)
