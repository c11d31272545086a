"""Twin of ``checksum.c``."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

_WORD: Final = 2**64


def checksum(data: npt.NDArray[Any], seed: int = 0) -> int:
    """Add up words and their sums, lane by lane, and join the lanes."""
    raw = data.tobytes()
    words = np.frombuffer(raw + bytes(-len(raw) % 64), dtype="<u8").reshape(-1, 8)
    sums = np.cumsum(words, axis=0, dtype=np.uint64)
    last = sums[-1].tolist() if len(sums) else [0] * 8
    order = sums.sum(axis=0, dtype=np.uint64).tolist()
    joined = (seed ^ len(raw)) * 0x9E3779B97F4A7C15 % _WORD
    for one, other in zip(last, order, strict=True):
        joined = (joined ^ one) * 0xFF51AFD7ED558CCD % _WORD
        joined ^= joined >> 32
        joined = (joined ^ other) * 0xC4CEB9FE1A85EC53 % _WORD
        joined ^= joined >> 29
    return joined
