"""Places that belong together: runs of true values, and positions with small gaps."""

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.call import Int64s


def runs(mask: npt.ArrayLike) -> list[tuple[int, int]]:
    """Return first and one past last position of every run of true values, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0])))).reshape(-1, 2)
    return [(int(start), int(end)) for start, end in edges]


def groups(positions: Int64s, gap: int) -> list[Int64s]:
    """Return rising positions cut wherever two neighbours are more than ``gap`` apart; nothing of nothing."""
    return np.split(positions, np.flatnonzero(np.diff(positions) > gap) + 1) if positions.size else []
