"""Doors to ``detect.c`` and ``limiter.c``: the peaks between the samples, and the gain that keeps them down."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from tapelog_dsp.design.interpolators import Interpolator
from tapelog_dsp.kernels.call import Float32s, Float64s, Int64s, UInt64s, address, function

LIMITER_NUMBERS = 9
"""Clock, head and tail of both windows, fast and slow envelope, the sums of both boxes; the rings follow them."""

STRETCH: Final = 16
"""Frames that are judged together, as in the kernel."""

REACH: Final = 4
"""Blocks of a stretch's length that an interpolator may reach to either side of it."""

ROUNDING: Final = 1e-4
"""Share of the largest sample by which float32 may be off in 128 taps, ten times over."""


class PeakTables:
    """Interpolators as the detector reads them, with the gains of the bound below which a stretch is passed.

    Parameters
    ----------
    tables : sequence of Interpolator
        None of them longer than 128 taps, none reaching beyond `REACH` stretches.
    """

    def __init__(self, tables: Sequence[Interpolator]) -> None:
        self.lag = max(table.count - 1 - table.centre for table in tables)
        self.before = max(table.centre for table in tables)
        self._kept = [(table.taps, bound_gains(table)) for table in tables]
        self.fields: UInt64s = np.array(
            [
                (address(taps), *taps.shape, table.centre, address(gains))
                for table, (taps, gains) in zip(tables, self._kept, strict=True)
            ],
            dtype=np.uint64,
        )


def bound_gains(table: Interpolator) -> Float32s:
    """Return what the detector's bound weighs: the samples beside a value, and the bends of each block around it.

    Each phase is a straight line between the two samples and a rest without sum and first moment; the rest summed
    twice weighs the second differences.
    """
    places = np.arange(table.count)
    most = np.zeros(2 + 2 * REACH)
    for phase in table.taps.astype(np.float64):
        slope = float((phase * (places - table.centre)).sum())
        rest = phase.copy()
        rest[table.centre] -= phase.sum() - slope
        rest[table.centre + 1] -= slope
        weights = np.abs(np.concatenate(([0.0], np.cumsum(np.cumsum(rest))[:-1])))
        line = abs(float(phase.sum()) - slope) + abs(slope)
        most[0] = max(most[0], line + ROUNDING * float(np.abs(phase).sum()))
        for first in range(STRETCH):
            blocks = (first - table.centre + places) // STRETCH + REACH
            most[1:] = np.maximum(most[1:], np.bincount(blocks, weights, minlength=2 * REACH + 1))
    return (most * (1.0 + ROUNDING)).astype(np.float32)


def limiter_peaks(tables: PeakTables, samples: Float32s, bound: float, frames: int) -> Float32s:
    """Return the largest magnitude at and after each frame, over all channels and tables.

    Parameters
    ----------
    tables : PeakTables
        The interpolators.
    samples : ndarray [shape=(channels, tables.before + frames + tables.lag + STRETCH)]
        Frame n is sample ``tables.before + n``; the last `STRETCH` are only room to read.
    bound : float
        What is at or below it is of no interest: there the sample's own magnitude may stand.
    frames : int
        How many are wanted.
    """
    peaks = np.empty(frames, dtype=np.float32)
    channels, stride = samples.shape
    function("tl_limiter_peaks", "pllllplfpl")(
        address(samples), channels, stride, stride - STRETCH, tables.before, address(tables.fields),
        len(tables.fields), bound, address(peaks), frames,
    )  # fmt: skip
    return peaks


def limiter_state(shape: Int64s) -> Int64s:
    """Return the memory of a limiter at rest for a shape of (look-ahead window, hold window, first box, second box)."""
    ahead, hold, first, second = (int(length) for length in shape)
    return np.zeros(LIMITER_NUMBERS + 2 * ahead + 2 * hold + first + second, dtype=np.int64)


def limit(shape: Int64s, ceiling: float, factors: Float64s, state: Int64s, peaks: Float32s) -> Float64s:
    """Return the linear gain ``[frames]`` that brings ``peaks`` below the ceiling; the state moves on in place.

    ``factors`` are what is left of the fast envelope after one frame, and the slow one's steps up and down per frame.
    The gain belongs to the sample that entered (first box + second box - 2) frames and the dilation earlier: see
    `tapelog_dsp.processors.limiter`.
    """
    gains = np.empty(peaks.size)
    function("tl_limit", "pdppppl")(
        address(shape), ceiling, address(factors), address(state), address(peaks), address(gains), peaks.size
    )
    return gains
