"""From a magnitude over frequency to an impulse response, linear or minimum in phase; the same bits on every machine.

Cosines, logarithms and the FFT are the kernels' own: those of NumPy and the C library differ between processors in the
last bit.
"""

import math
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import exp2_array, log2_array
from tapelog_dsp.kernels.fft import fft, inverse_fft, turned
from tapelog_dsp.units import DB_PER_OCTAVE

GRID: Final = 32_768
"""Points of the FFT in which responses are designed: 1.5 Hz apart at 48 kHz."""

MAGNITUDE_MIN: Final = 1e-6
"""-120 dB: minimum phase needs a logarithm everywhere."""

LN_2: Final = 0.6931471805599453
WINDOW_FLAT_SHARE: Final = 0.5
"""The middle half of a linear-phase response is kept as it is, the ends fade by a cosine."""


def grid_hz(sample_rate: int) -> Float64s:
    """Return the frequencies of the design grid."""
    return np.arange(GRID // 2 + 1, dtype=np.float64) * (sample_rate / GRID)


def sections_magnitude(sections: Float64s) -> Float64s:
    """Return what a cascade ``[sections, 5]`` does on the design grid, linear."""
    c1, _ = turned(np.arange(GRID // 2 + 1, dtype=np.float64) / GRID)
    c2 = 2.0 * c1 * c1 - 1.0
    squared = np.ones_like(c1)
    for b0, b1, b2, a1, a2 in sections.tolist():
        over = b0 * b0 + b1 * b1 + b2 * b2 + 2.0 * (b0 * b1 + b1 * b2) * c1 + 2.0 * b0 * b2 * c2
        under = 1.0 + a1 * a1 + a2 * a2 + 2.0 * (a1 + a1 * a2) * c1 + 2.0 * a2 * c2
        squared *= np.maximum(over, 0.0) / under
    return np.sqrt(squared)


def curve_magnitude(points: tuple[tuple[float, float], ...], sample_rate: int) -> Float64s:
    """Return a curve of (Hz, dB) on the design grid, linear; straight lines over log frequency, level at the ends."""
    frequencies = log2_array(np.array([hz for hz, _ in points]))
    levels = np.array([level / DB_PER_OCTAVE for _, level in points])
    places = log2_array(np.maximum(grid_hz(sample_rate), 1e-3))
    return exp2_array(np.interp(places, frequencies, levels))


def linear_phase(magnitude: Float64s, taps: int) -> Float64s:
    """Return a symmetric response of an odd number of taps, its centre in the middle."""
    whole = _even(magnitude)
    half = taps // 2
    response = np.concatenate((whole[-half:], whole[: half + 1]))
    flat = round(WINDOW_FLAT_SHARE * half)
    cosine, _ = turned((np.arange(half - flat, dtype=np.float64) + 1.0) / (2.0 * (half - flat + 1)))
    ramp = 0.5 + 0.5 * cosine
    window = np.concatenate((ramp[::-1], np.ones(2 * flat + 1), ramp))
    return response * window


def minimum_phase(magnitude: Float64s, taps: int) -> Float64s:
    """Return the response with the least delay, by folding the cepstrum; it fades out over its last eighth."""
    cepstrum = _even(log2_array(np.maximum(magnitude, MAGNITUDE_MIN)))
    folded = np.zeros(GRID)
    folded[0], folded[GRID // 2] = cepstrum[0], cepstrum[GRID // 2]
    folded[1 : GRID // 2] = 2.0 * cepstrum[1 : GRID // 2]
    logarithm, phase = fft(folded, np.zeros(GRID))
    size = exp2_array(logarithm)
    cosine, sine = turned(phase * (LN_2 / (2.0 * math.pi)))
    response = inverse_fft(size * cosine, size * sine)[0][:taps]
    fade = taps // 8
    cosine, _ = turned((np.arange(fade, dtype=np.float64) + 0.5) / (2.0 * fade))
    response[taps - fade :] *= 0.5 + 0.5 * cosine
    return response


def _even(half: Float64s) -> Float64s:
    """Return the inverse transform of a real spectrum that is given up to half the sample rate."""
    whole = np.concatenate((half, half[-2:0:-1]))
    return inverse_fft(whole, np.zeros(GRID))[0]
