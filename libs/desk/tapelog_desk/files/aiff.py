"""The one thing libsndfile does not say of an AIFF file: whether its end is missing."""

import struct
from typing import BinaryIO

from tapelog_desk.errors import SourceError
from tapelog_desk.limits import RIFF_CHUNKS_MAX


def refuse_truncated(file: BinaryIO, offset: int, name: str) -> None:
    """Raise ``SOURCE_TRUNCATED`` if the sample chunk declares more bytes than the file has."""
    size = file.seek(0, 2)
    position = offset + 12
    for _ in range(RIFF_CHUNKS_MAX):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        kind, length = header[:4], struct.unpack(">I", header[4:])[0]
        if kind == b"SSND" and position + 8 + length > size:
            problem = f"{name} is cut off: it declares {length} bytes of samples, {size - position - 8} are there"
            raise SourceError("SOURCE_TRUNCATED", problem, "export or upload it again", file=name)
        position += 8 + length + length % 2
    raise SourceError(
        "SOURCE_DAMAGED", f"{name}: it has more than {RIFF_CHUNKS_MAX} chunks", "export or upload it again", file=name
    )
