"""Doors to ``mix.c``: curves, faders, sums."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.kernels.call import Float32s, Float64s, Int16s, Int64s, address, function


def log2_array(values: Float64s) -> Float64s:
    """Return log2 of positive normal numbers."""
    result = np.empty_like(values)
    function("tl_log2_array", "ppl")(address(values), address(result), values.size)
    return result


def exp2_array(exponents: Float64s) -> Float64s:
    """Return two to the power of each number."""
    result = np.empty_like(exponents)
    function("tl_exp2_array", "ppl")(address(exponents), address(result), exponents.size)
    return result


@dataclass(frozen=True, slots=True)
class CurvePoints:
    """An automation as the kernels read it; one entry per point in each array.

    Parameters
    ----------
    frame : ndarray
        Song time of the point.
    value : ndarray
        The value there.
    rise, span : ndarray
        How far the value goes until the next point, and in how many frames.
    shape : ndarray
        How it goes: 0 straight, 1 not at all until the next point, 2 smooth, 3 early, 4 late.
    """

    frame: Int64s
    value: Float64s
    rise: Float64s
    span: Float64s
    shape: Int64s

    def addresses(self) -> tuple[int, ...]:
        """Return where the arrays stand and how long they are, in the kernels' order."""
        arrays = (self.frame, self.value, self.rise, self.span, self.shape)
        return (*(address(array) for array in arrays), self.frame.size)


def curve(points: CurvePoints, start_frame: int, frames: int, *, decibels: bool) -> Float64s:
    """Return the automation's value for every frame, as linear gains when it is in decibels."""
    result = np.empty(frames)
    function("tl_curve", "ppppplllpl")(*points.addresses(), start_frame, decibels, address(result), frames)
    return result


def fade(samples: Float64s, gain: float | Float64s, side: float, out: Float32s) -> None:
    """Write samples * gain * side of one channel into ``out``: on the grid of `tapelog_dsp.graph.grid`, in float32."""
    if isinstance(gain, float):
        function("tl_fade_fixed", "pddpl")(address(samples), gain, side, address(out), samples.size)
    else:
        function("tl_fade", "ppdpl")(address(samples), address(gain), side, address(out), samples.size)


class Sums:
    """Weighted sums of rows, all made in one pass: the rows and where they go are looked up once.

    Parameters
    ----------
    parts : sequence of (sources, gains, out)
        For each sum float32 rows of equal length on the grid, one gain for each, and the float64 row that receives the
        sum of the products, each on the grid: it is exact.
    """

    def __init__(self, parts: Sequence[tuple[Sequence[Float32s], Sequence[float], Float64s]]) -> None:
        self._rows = parts  # held, because the kernel knows them by address
        self._sources = np.array([address(row) for sources, _, _ in parts for row in sources], dtype=np.uint64)
        self._gains = np.array([gain for _, gains, _ in parts for gain in gains])
        self._counts = np.array([len(sources) for sources, _, _ in parts], dtype=np.int64)
        self._outs = np.array([address(out) for _, _, out in parts], dtype=np.uint64)

    def run(self) -> None:
        """Make the sums of what the rows hold now."""
        if not self._rows:
            return
        function("tl_sums", "ppppll")(
            address(self._sources), address(self._gains), address(self._counts), address(self._outs),
            len(self._rows), self._rows[0][2].size,
        )  # fmt: skip


def weighted_sum(sources: Sequence[Float32s], gains: Float64s, out: Float64s) -> None:
    """Write the sum of sources times gains into ``out``, each product on the grid."""
    Sums([(sources, gains.tolist(), out)]).run()


def split_sum(total: Float64s, high: Float32s, low: Int16s) -> float:
    """Write a sum on the grid as ``high`` plus ``low`` steps, exactly where its magnitude is below 32; return that."""
    return float(function("tl_split_sum", "pppl", "d")(address(total), address(high), address(low), total.size))


def add_split(high: Float32s, low: Int16s, total: Float64s) -> None:
    """Add what `split_sum` wrote to a sum."""
    function("tl_add_split", "pppl")(address(high), address(low), address(total), total.size)


def apply_curve(samples: Float64s, gains: Float64s) -> Float64s:
    """Return each channel times one gain per frame."""
    result = np.empty_like(samples)
    function("tl_apply_curve", "pppll")(address(samples), address(gains), address(result), *samples.shape)
    return result


def magnitude(samples: Float64s) -> float:
    """Return the largest magnitude, infinity where any sample is not finite."""
    return float(function("tl_magnitude", "pl", "d")(address(samples), samples.size))
