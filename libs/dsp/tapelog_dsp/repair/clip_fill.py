"""Rebuild clipped peaks by a linear model of the audio around them, within what the recording proves.

Alternating estimation of model and samples (Janssen, Veldhuis and Vries, IEEE Trans. ASSP 34(2), 1986) on 46 ms windows
that overlap by half and fade over one another, with two additions. Consistency: a rebuilt sample lies at or beyond the
clipping level; one that the model puts below stays at it, and the others are solved again. And a prior on how far
beyond: the model would otherwise make high peaks where a distorted amplifier had round ones. If the amplitudes above
the level fall off as they do below it, the mean overshoot is the clipped share over the density just below the level.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels import autoregression as ar
from tapelog_dsp.kernels.call import Float64s, Int64s
from tapelog_dsp.repair.windows import hann

WINDOW_S: Final = 0.0464
ORDER_S: Final = 0.00109  # 48 at 44.1 kHz
ROUNDS: Final = 12
CONSISTENCY_ROUNDS: Final = 6
PRIOR_WIDTH: Final = 20.0  # spread of the prior in mean overshoots: wide, it only has to stop the absurd
DENSITY_BAND: Final = 0.9  # the density below the level is counted from here up
NEAR: Final = 1e-4


def mean_overshoot(samples: Float64s, level: float) -> float:
    """Return how far a signal probably went beyond the level at which it was clipped, on average."""
    clipped = int((samples >= level).sum())
    below = int(((samples < level - NEAR) & (samples > DENSITY_BAND * level)).sum())
    return clipped * (1.0 - DENSITY_BAND) * level / max(below, 1)


def rebuild(samples: Float64s, high: float, low: float, sample_rate: int) -> Float64s:
    """Return ``[frames]`` with new values wherever a sample lies at or above ``high`` or at or below ``low``.

    Parameters
    ----------
    samples : ndarray [shape=(frames,)]
        One channel.
    high, low : float
        The clipping levels; infinite where a polarity is not clipped.
    sample_rate : int
        In Hz.
    """
    length = 2 * round(0.5 * WINDOW_S * sample_rate)
    order = round(ORDER_S * sample_rate)
    over = [
        mean_overshoot(sign * samples, sign * level) for sign, level in ((1.0, high), (-1.0, low)) if abs(level) < 1e9
    ]
    spread = PRIOR_WIDTH * max(over)
    clipped = (samples >= high) | (samples <= low)
    padded = np.concatenate((np.zeros(length), samples, np.zeros(2 * length)))
    result = padded.copy()
    window = hann(length)
    for start in range(length // 2, samples.size + length, length // 2):
        stretch = padded[start : start + length]
        bad = (stretch >= high) | (stretch <= low)
        bad[:order] = bad[-order:] = False
        if bad.any():
            gained = (
                _rebuild_window(stretch, np.flatnonzero(bad), high=high, low=low, order=order, spread=spread) - stretch
            )
            result[start : start + length] += window * gained
    inner = result[length : length + samples.size]
    return np.where(clipped, inner, samples)


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
