"""The ways up and down for processors that bend the wave: a windowed sinc, linear in phase, alike on every channel."""

import functools
import math
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.shaper import shape

TAPS: Final = 48
CUTOFF: Final = 0.93
"""Of half the sample rate; with this length and window flat to 20 kHz and 80 dB down from 24.6 kHz on at 48 kHz."""

KAISER_BETA: Final = 7.86
LATENCY_FRAMES: Final = TAPS - 1

OVERSAMPLED_HZ: Final = 384_000
"""The curve is evaluated at this rate or above."""

PHASES_MIN: Final = 2


def oversampling(sample_rate: int) -> int:
    """Return the factor: 8 up to 48 kHz, 4 up to 96 kHz, 2 above; at 8 kHz and other low rates no more than 8."""
    factor = PHASES_MIN
    while factor * sample_rate < OVERSAMPLED_HZ and factor < 8:
        factor *= 2
    return factor


@functools.cache
def ways(phases: int) -> tuple[Float64s, Float64s, float]:
    """Return interpolator and decimator ``[phases, taps]``, and the largest sum of magnitudes of the way up."""
    up, down = np.empty((phases, TAPS)), np.empty((phases, TAPS))
    for phase in range(phases):
        for k in range(TAPS):
            up[phase, k] = _windowed(k - (TAPS // 2 - 1) - phase / phases)
            down[phase, k] = _windowed(k - TAPS // 2 + phase / phases) / phases
    return up, down, max(math.fsum(abs(tap) for tap in row) for row in up.tolist()) * (1.0 + 1e-9)


def _windowed(x: float) -> float:
    place = 2.0 * x / TAPS
    if abs(place) >= 1.0:
        return 0.0
    sinc = CUTOFF if x == 0.0 else math.sin(math.pi * CUTOFF * x) / (math.pi * x)
    return sinc * _bessel_i0(KAISER_BETA * math.sqrt(1.0 - place * place)) / _bessel_i0(KAISER_BETA)


def _bessel_i0(x: float) -> float:
    term, total = 1.0, 1.0
    for k in range(1, 60):
        term *= (x / (2.0 * k)) ** 2
        total += term
    return total


class Shaper:
    """A curve over a stream: gives what it adds, and the signal in time with it.

    Parameters
    ----------
    sample_rate, channels : int
        Of the stream.
    curve : int
        Of `tapelog_dsp.kernels.shaper`.
    settings : ndarray
        Of the curve.
    idle : float
        Magnitude up to which the curve adds nothing.
    """

    def __init__(self, sample_rate: int, channels: int, *, curve: int, settings: Float64s, idle: float) -> None:
        self._up, self._down, self._gain_sum = ways(oversampling(sample_rate))
        self._curve, self._settings, self._idle = curve, settings, idle
        self._kept = np.zeros((channels, 2 * TAPS - 2))

    def process(self, samples: Audio) -> tuple[Audio, Audio]:
        """Return (the signal, what the curve adds), both `LATENCY_FRAMES` late."""
        frames = samples.shape[1]
        joined = np.concatenate((self._kept, samples), axis=1)
        self._kept = joined[:, frames:].copy()
        added = np.empty_like(samples)
        for channel, row in enumerate(joined):
            added[channel] = shape(
                row, self._up, self._down, gain_sum=self._gain_sum, idle=self._idle, curve=self._curve,
                settings=self._settings,
            )  # fmt: skip
        late = 2 * TAPS - 2 - LATENCY_FRAMES
        return joined[:, late : late + frames], added

    def reset(self) -> None:
        """Forget the past."""
        self._kept[:] = 0.0
