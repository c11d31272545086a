"""Frequency bands that reports speak of, third octaves, and weighting curves over frequency."""

import math
from typing import Final

import numpy as np

from tapelog_dsp.analysis.spectrum import Spectrum
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.meters.weighting import k_weighting

BANDS_HZ: Final[dict[str, tuple[float, float]]] = {
    "sub": (20.0, 60.0),
    "bass": (60.0, 250.0),
    "low mids": (250.0, 500.0),
    "mids": (500.0, 2_000.0),
    "upper mids": (2_000.0, 6_000.0),
    "presence": (6_000.0, 12_000.0),
    "air": (12_000.0, 20_000.0),
}
"""Name -> lower and upper edge."""

VOICE_HZ: Final = (1_000.0, 4_000.0)
THIRDS_HZ: Final = tuple(1_000.0 * 2.0 ** (k / 3.0) for k in range(-16, 14))
"""Centres of third octaves from 25 Hz to 20 kHz."""

POWER_MIN: Final = 1e-20


def decibels(power: float) -> float:
    """Return a power in dB, -200 for nothing."""
    return 10.0 * math.log10(max(power, POWER_MIN))


def k_power(frequencies_hz: Float64s, sample_rate: int) -> Float64s:
    """Return the K-weighting's power gain over frequency."""
    z = np.exp(-2j * math.pi * frequencies_hz / sample_rate)
    gain = np.ones(z.size, dtype=np.complex128)
    for b0, b1, b2, a1, a2 in k_weighting(sample_rate):
        gain *= (b0 + b1 * z + b2 * z * z) / (1.0 + a1 * z + a2 * z * z)
    power: Float64s = gain.real**2 + gain.imag**2
    return power


def curve_db(points: tuple[tuple[float, float], ...], frequencies_hz: Float64s) -> Float64s:
    """Return a curve of (Hz, dB) over frequency, straight over log frequency, level at the ends."""
    places = np.log2([hz for hz, _ in points])
    return np.interp(np.log2(np.maximum(frequencies_hz, 1e-3)), places, [level for _, level in points])


def third_octaves_db(spectrum: Spectrum, row: Float64s) -> Float64s:
    """Return the level of each third octave of `THIRDS_HZ` in dB; bands narrower than a bin share it."""
    step = float(spectrum.frequencies_hz[1])
    edges = np.arange(row.size + 1) * step - 0.5 * step
    total = np.concatenate(([0.0], np.cumsum(row)))
    outer = np.array([[centre * 2.0 ** (side / 6.0) for centre in THIRDS_HZ] for side in (-1, 1)])
    low, high = np.interp(outer, edges, total)
    return np.array([decibels(power) for power in (high - low).tolist()])
