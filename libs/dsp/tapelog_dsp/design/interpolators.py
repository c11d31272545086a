"""The three interpolators by which a peak between samples is judged: two that others measure with, one that is right.

A table is ``[phases, taps]``: phase p at frame n is the sum over k of taps[p, k] * x[n + k]. Its values lie between the
samples n + `centre` and n + `centre` + 1.
"""

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float32s

_ITU_PHASE_0: Final = (
    0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
    0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
)  # fmt: skip
_ITU_PHASE_1: Final = (
    -0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
    0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
)  # fmt: skip
ITU48_PHASES: Final = (_ITU_PHASE_0, _ITU_PHASE_1, _ITU_PHASE_1[::-1], _ITU_PHASE_0[::-1])
"""ITU-R BS.1770-5, Annex 2: the 48-tap, 4-phase filter."""

OVERSAMPLING_FREE_RATE_HZ: Final = 192_000
"""From this rate on Annex 2 asks for no interpolation."""

LONG_PHASES: Final = 16
LONG_TAPS: Final = 128
LONG_CUTOFF: Final = 0.95566
LONG_KAISER_BETA: Final = 4.28
"""A converter's reconstruction filter: flat to 0.91 of half the sample rate (20 kHz at 44.1 kHz), closed at half of it.
The corner is where soxr's best filter has its own, and the window is the Kaiser one closest to that filter in energy,
so that this meter and a 16-fold soxr resampling agree within 0.02 dB on programme."""


SEARCH_WINDOWS: Final = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Widths of the nested windows over which ``truepeak_search.c`` sums second differences."""


@dataclass(frozen=True, slots=True, eq=False)
class Interpolator:
    """One table with what the kernels need to know about it.

    Parameters
    ----------
    taps : ndarray [shape=(phases, count)]
        float32.
    centre : int
        The values lie between the samples n + centre and n + centre + 1.
    gain_sum : float
        The largest sum of magnitudes of a phase, rounded up: no output exceeds it times the largest sample.
    """

    taps: Float32s
    centre: int
    gain_sum: float

    @property
    def count(self) -> int:
        """Taps per phase."""
        return int(self.taps.shape[1])


def _interpolator(phases: list[list[float]], centre: int) -> Interpolator:
    taps = np.array(phases, dtype=np.float32)
    gain_sum = max(math.fsum(abs(float(tap)) for tap in phase) for phase in taps)
    return Interpolator(taps, centre, gain_sum * (1.0 + 1e-4))


@functools.cache
def itu48() -> Interpolator:
    """Return the meter of BS.1770-5, Annex 2."""
    return _interpolator([list(phase[::-1]) for phase in ITU48_PHASES], 5)


@functools.cache
def hann49() -> Interpolator:
    """Return the meter of many programs: a 49-tap sinc under a Hann window at 4 times the rate, without its phase 0."""
    taps = []
    for j in range(49):
        x = math.pi * (j - 24) / 4.0
        sinc = 1.0 if j == 24 else math.sin(x) / x
        taps.append(sinc * 0.5 * (1.0 - math.cos(2.0 * math.pi * j / 48.0)))
    return _interpolator([taps[phase:48:4][::-1] for phase in (1, 2, 3)], 5)


@functools.cache
def long128(phases: int = LONG_PHASES) -> Interpolator:
    """Return a Kaiser-windowed sinc of 128 taps per phase, phase 0 included: it is not quite the sample itself."""
    half = LONG_TAPS // 2
    highest = _bessel_i0(LONG_KAISER_BETA)
    rows = []
    for phase in range(phases):
        offset = half - 1 + phase / phases
        rows.append([_sinc(k - offset) * _kaiser((k - offset) / half, highest) for k in range(LONG_TAPS)])
    return _interpolator(rows, half - 1)


def _sinc(x: float) -> float:
    return LONG_CUTOFF if x == 0.0 else math.sin(math.pi * LONG_CUTOFF * x) / (math.pi * x)


def _kaiser(x: float, highest: float) -> float:
    if abs(x) >= 1.0:
        return 0.0
    return _bessel_i0(LONG_KAISER_BETA * math.sqrt(1.0 - x * x)) / highest


def _bessel_i0(x: float) -> float:
    """Return the modified Bessel function of order 0 by its power series."""
    term, total = 1.0, 1.0
    for k in range(1, 60):
        term *= (x / (2.0 * k)) ** 2
        if total + term == total:
            break
        total += term
    return total


@functools.cache
def long_lanes() -> Float32s:
    """Return the long interpolator with its phases as columns ``[128, 16]``."""
    return np.ascontiguousarray(long128().taps.T)


@functools.cache
def standard_lanes() -> Float32s:
    """Return the ITU's and the Hann interpolator beside each other ``[12, 16]``, unused columns zero."""
    lanes = np.zeros((itu48().count, LONG_PHASES), dtype=np.float32)
    both = np.concatenate((itu48().taps, hann49().taps))
    lanes[:, : len(both)] = both.T
    return lanes


@functools.cache
def search_bound() -> Float32s:
    """Return what bounds every interpolated value by samples and second differences, for ``truepeak_search.c``.

    A phase h is split into two taps s at the nearest samples that have its sum and its first moment, and a rest that
    is the second difference (x[n] - 2 x[n + 1] + x[n + 2]) / 4 filtered by q.

    Returns
    -------
    ndarray [shape=(139,)]
        The largest sum of |s|; the sum of e, e[k] being the largest |q[k]| of all phases of the three interpolators;
        then, of the staircase over e, the height lost from each nested window to the next, and the height outside; then
        e itself.
    """
    nearest = LONG_TAPS // 2 - 1
    rows = np.zeros((LONG_PHASES + len(itu48().taps) + len(hann49().taps), LONG_TAPS))
    rows[:LONG_PHASES] = long128().taps
    first = nearest - itu48().centre
    rows[LONG_PHASES:, first : first + itu48().count] = np.concatenate((itu48().taps, hann49().taps))
    moment = rows @ (np.arange(LONG_TAPS) - nearest)
    taps = np.stack((rows.sum(axis=1) - moment, moment), axis=1)
    rest = rows.copy()
    rest[:, nearest : nearest + 2] -= taps
    # Divided by (1 - 2 z + z^2) / 4: summed up twice.
    envelope = np.abs(4.0 * np.cumsum(np.cumsum(rest, axis=1), axis=1))[:, :-2].max(axis=0)
    half = envelope.size // 2
    sides = np.maximum(envelope[:half][::-1], envelope[half:])
    heights = np.maximum.accumulate(sides[::-1])[::-1][[0, *(width // 2 for width in SEARCH_WINDOWS)]]
    bound = [np.abs(taps).sum(axis=1).max(), envelope.sum(), *(heights[:-1] - heights[1:]), heights[-1], *envelope]
    return np.array(bound, dtype=np.float32)
