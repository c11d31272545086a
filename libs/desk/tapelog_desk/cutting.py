"""A piece of an audio file as a file of its own, sample for sample."""

from pathlib import Path
from typing import Final

import numpy as np
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.errors import SourceError
from tapelog_desk.files.readers import open_audio
from tapelog_desk.files.writers import open_writer

_BLOCK_FRAMES: Final = 65_536


def cut_audio(source: Path, target: Path, *, offset_s: float, length_s: float | None) -> int:
    """Write a piece of a file as 32-bit float WAV, which holds samples of up to 24 bits exactly.

    Parameters
    ----------
    source : Path
        The whole file.
    target : Path
        The file to write.
    offset_s : float
        Where the piece begins, to the nearest frame.
    length_s : float or None
        How long it is; None is to the end. What lies beyond the end is not there.

    Returns
    -------
    int
        Frames written, at least 1.

    Raises
    ------
    SourceError
        It cannot be read, or nothing of it lies in the piece (``SOURCE_EMPTY``).
    OutputError
        The piece cannot be written.
    """
    with open_audio(source) as reader:
        rate = reader.format.sample_rate_hz
        skip = round(offset_s * rate)
        left = reader.format.length_frames - skip if length_s is None else round(length_s * rate)
        if left <= 0 or skip >= reader.format.length_frames:
            problem = f"nothing of {source.name} lies {offset_s:.3f} s after its start"
            raise SourceError("SOURCE_EMPTY", problem, "check the clip", file=source.name)
        writer = open_writer(
            target, pb.CONTAINER_WAV, sample_rate_hz=rate, channels=reader.format.channels, bit_depth=32
        )
        written = 0
        while left and (block := reader.read(_BLOCK_FRAMES)).shape[1]:
            drop = min(skip, block.shape[1])
            skip -= drop
            piece = block[:, drop : drop + left]
            left -= piece.shape[1]
            written += piece.shape[1]
            writer.write(np.ascontiguousarray(piece.T, dtype="<f4").tobytes(), None)
        writer.close()
    return written
