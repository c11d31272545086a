"""Rebuild clipped peaks by a linear model of the audio around them, within what the recording proves.

Alternating estimation of model and samples (Janssen, Veldhuis and Vries, IEEE Trans. ASSP 34(2), 1986) on 46 ms windows
that overlap by half and fade over one another, with two additions. Consistency: a rebuilt sample lies at or beyond the
clipping level; one that the model puts below stays at it, and the others are solved again. And a prior on how far
beyond: the model would otherwise make high peaks where a distorted amplifier had round ones. If the amplitudes above
the level fall off as they do below it, the mean overshoot is the clipped share over the density just below the level.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels import autoregression as ar
from tapelog_dsp.kernels.call import Float64s, Int64s
from tapelog_dsp.repair.store import Store, blocks, row_of
from tapelog_dsp.repair.windows import hann

WINDOW_S: Final = 0.0464
ORDER_S: Final = 0.00109  # 48 at 44.1 kHz
ROUNDS: Final = 12
CONSISTENCY_ROUNDS: Final = 6
PRIOR_WIDTH: Final = 20.0  # spread of the prior in mean overshoots: wide, it only has to stop the absurd
DENSITY_BAND: Final = 0.9  # the density below the level is counted from here up
NEAR: Final = 1e-4
HALVES_AT_A_TIME: Final = 64
"""Half windows that are rebuilt before the next are read: 1.5 s."""


def mean_overshoot(store: Store, channel: int, level: float) -> float:
    """Return how far a signal probably went beyond the level at which it was clipped, on average."""
    sign = 1.0 if level > 0.0 else -1.0
    height, clipped, below = sign * level, 0, 0
    for _, block in blocks(store):
        values = sign * block[channel]
        clipped += int((values >= height).sum())
        below += int(((values < height - NEAR) & (values > DENSITY_BAND * height)).sum())
    return clipped * (1.0 - DENSITY_BAND) * height / max(below, 1)


def rebuilt(store: Store, channel: int, high: float, low: float, sample_rate: int) -> Iterator[tuple[int, Float64s]]:
    """Yield start and samples of a channel, new wherever one lies at or above ``high`` or at or below ``low``.

    Parameters
    ----------
    store : Store
        The recording; windows stand on a grid that starts at frame 0.
    channel : int
        Which.
    high, low : float
        The clipping levels; infinite where a polarity is not clipped.
    sample_rate : int
        In Hz.
    """
    length = 2 * round(0.5 * WINDOW_S * sample_rate)
    half, order = length // 2, round(ORDER_S * sample_rate)
    spread = PRIOR_WIDTH * max(mean_overshoot(store, channel, level) for level in (high, low) if abs(level) < 1e9)
    window = hann(length)
    for first in range(0, store.frames, HALVES_AT_A_TIME * half):
        last = min(first + HALVES_AT_A_TIME * half, store.frames)
        # With the two windows that reach in from either side.
        wide = row_of(store, channel, first - length, last + 2 * length)
        result = wide.copy()
        for start in range(half, last - first + length, half):
            stretch = wide[start : start + length]
            bad = (stretch >= high) | (stretch <= low)
            bad[:order] = bad[-order:] = False
            if bad.any():
                places = np.flatnonzero(bad)
                gained = _rebuild_window(stretch, places, high=high, low=low, order=order, spread=spread) - stretch
                result[start : start + length] += window * gained
        inner, old = (row[length : length + last - first] for row in (result, wide))
        yield first, np.where((old >= high) | (old <= low), inner, old)


def _rebuild_window(
    stretch: Float64s, places: Int64s, *, high: float, low: float, order: int, spread: float
) -> Float64s:
    current = stretch.copy()
    good = np.ones(stretch.size, dtype=bool)
    good[places] = False
    top, bottom = stretch >= high, stretch <= low
    for _ in range(ROUNDS):
        correlation = ar.autocorrelation(current * hann(stretch.size), order)
        correlation[0] *= 1.0 + 1e-9
        model, _ = ar.levinson(correlation, order)
        excitation = float(np.median(np.abs(ar.residual(current, model)[good[order:]]))) / 0.6745
        solved = _solve(stretch, places, top, bottom, model, pull=(excitation / max(spread, 1e-9)) ** 2)
        if solved is None:
            break
        current = solved
    return current


def _solve(
    stretch: Float64s,
    places: Int64s,
    top: npt.NDArray[np.bool_],
    bottom: npt.NDArray[np.bool_],
    model: Float64s,
    *,
    pull: float,
) -> Float64s | None:
    """Fill the places; those that come out inside the clipping level go back to it, the rest is filled again."""
    for _ in range(CONSISTENCY_ROUNDS):
        filled = stretch.copy()
        if not ar.fill(filled, model, places, pull=pull):
            return None
        inside = (top & (filled < stretch))[places] | (bottom & (filled > stretch))[places]
        if not inside.any():
            break
        places = places[~inside]
        if not places.size:
            return stretch.copy()
    return np.where(top, np.maximum(filled, stretch), np.where(bottom, np.minimum(filled, stretch), filled))
