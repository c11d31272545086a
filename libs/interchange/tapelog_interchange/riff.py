"""The chunks of a WAV file: found without trusting their sizes, and rewritten around samples that stay as they are.

Sources: Microsoft/IBM multimedia programming interface 1.0 (RIFF); EBU Tech 3306 (RF64).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tapelog_interchange.errors import NotPossibleError, RefusedError
from tapelog_interchange.limits import RIFF_CHUNKS_MAX, TAG_BYTES_MAX

_BLOCK_BYTES: Final = 1024 * 1024
_RIFF_MAX: Final = 0xFFFFFFFF
_REMEDY: Final = "export the file again"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its four letters, where its body begins, and how many bytes are really there."""

    kind: bytes
    offset: int
    size: int


def read_chunks(file: BinaryIO, name: str) -> list[Chunk]:
    """Return the chunks of a RIFF, RF64 or BW64 file in their order.

    Raises
    ------
    RefusedError
        ``WAV_REFUSED``: it is no WAV file, or has too many chunks.
    """
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        raise RefusedError("WAV_REFUSED", f"{name} is no WAV file", "give a .wav; FLAC and AIFF carry other tags")
    chunks: list[Chunk] = []
    long_data: int | None = None
    place = 12
    while place + 8 <= end:
        if len(chunks) == RIFF_CHUNKS_MAX:
            raise RefusedError("WAV_REFUSED", f"{name} has more than {RIFF_CHUNKS_MAX} chunks", _REMEDY)
        file.seek(place)
        kind, size = struct.unpack("<4sI", file.read(8))
        if kind == b"ds64":
            body = file.read(16)
            long_data = struct.unpack("<Q", body[8:16])[0] if len(body) == 16 else None
        if kind == b"data" and size == _RIFF_MAX and long_data is not None:
            size = long_data
        size = min(size, end - place - 8)
        chunks.append(Chunk(kind, place + 8, size))
        place += 8 + size + size % 2
    return chunks


def body_of(file: BinaryIO, chunks: list[Chunk], kind: bytes, name: str) -> bytes | None:
    """Return the body of the first chunk of a kind, or None.

    Raises
    ------
    RefusedError
        ``WAV_REFUSED``: it is larger than any tag has to be.
    """
    chunk = next((each for each in chunks if each.kind == kind), None)
    if chunk is None:
        return None
    if chunk.size > TAG_BYTES_MAX:
        problem = (
            f"the {kind.decode('latin-1').strip()} chunk of {name} has {chunk.size} bytes, at most {TAG_BYTES_MAX}"
        )
        raise RefusedError("WAV_REFUSED", problem, _REMEDY)
    file.seek(chunk.offset)
    return file.read(chunk.size)


def write_with_tags(source: Path, sink: BinaryIO, tags: dict[bytes, bytes]) -> None:
    """Copy a WAV file with some chunks replaced or added before its samples; the samples stay byte for byte.

    Parameters
    ----------
    source : Path
        A RIFF WAV file.
    sink : BinaryIO
        Where the copy is written.
    tags : dict of bytes to bytes
        Chunk name -> body; an empty body removes the chunk.

    Raises
    ------
    RefusedError
        ``WAV_REFUSED``: it is no WAV file, or has no samples.
    NotPossibleError
        ``WAV_TOO_LARGE``: it is RF64, or would pass 4 GiB.
    """
    with source.open("rb") as file:
        chunks = read_chunks(file, source.name)
        file.seek(0)
        if file.read(4) != b"RIFF":
            raise NotPossibleError("WAV_TOO_LARGE", f"{source.name} is RF64", "tags are written to files up to 4 GiB")
        if not any(chunk.kind == b"data" for chunk in chunks):
            raise RefusedError("WAV_REFUSED", f"{source.name} has no samples", _REMEDY)
        kept = [chunk for chunk in chunks if chunk.kind not in tags]
        added = {kind: body for kind, body in tags.items() if body}
        total = 4 + sum(8 + c.size + c.size % 2 for c in kept) + sum(8 + len(b) + len(b) % 2 for b in added.values())
        if total > _RIFF_MAX:
            problem = f"{source.name} would have {total} bytes"
            raise NotPossibleError("WAV_TOO_LARGE", problem, "tags are written to files up to 4 GiB")
        sink.write(struct.pack("<4sI4s", b"RIFF", total, b"WAVE"))
        for chunk in kept:
            if chunk.kind == b"data":
                sink.writelines(
                    struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) % 2)
                    for kind, body in added.items()
                )
            sink.write(struct.pack("<4sI", chunk.kind, chunk.size))
            _copy(file, sink, chunk)


def _copy(file: BinaryIO, sink: BinaryIO, chunk: Chunk) -> None:
    file.seek(chunk.offset)
    left = chunk.size
    while left and (block := file.read(min(left, _BLOCK_BYTES))):
        sink.write(block)
        left -= len(block)
    sink.write(b"\0" * (chunk.size % 2))
