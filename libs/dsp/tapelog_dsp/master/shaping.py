"""The ways up and down for processors that bend the wave: a windowed sinc, linear in phase, alike on every channel."""

import functools
import math
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.design.sincs import TAPS, windowed_sinc
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.shaper import shape
from tapelog_dsp.processors.base import Course

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
            up[phase, k] = windowed_sinc(k - (TAPS // 2 - 1) - phase / phases)
            down[phase, k] = windowed_sinc(k - TAPS // 2 + phase / phases) / phases
    return up, down, max(math.fsum(abs(tap) for tap in row) for row in up.tolist()) * (1.0 + 1e-9)


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
        self._curve, self._idle = curve, idle
        self._settings = self._to = settings
        self._course = Course(0.0, 0.0)
        self._kept = np.zeros((channels, 2 * TAPS - 2))

    def move(self, start: Float64s, end: Float64s, *, idle: float, course: Course) -> None:
        """Let the curve's settings go from one to another over the next cell, in a straight line."""
        self._settings = self._to = start
        if not np.array_equal(start, end):
            self._to = end
        self._idle, self._course = idle, course

    def process(self, samples: Audio, start_frame: int) -> tuple[Audio, Audio]:
        """Return (the signal, what the curve adds), both `LATENCY_FRAMES` late."""
        frames = samples.shape[1]
        joined = np.concatenate((self._kept, samples), axis=1)
        self._kept = joined[:, frames:].copy()
        added = np.empty_like(samples)
        for channel, row in enumerate(joined):
            if self._to is self._settings:
                added[channel] = self._added(row, self._settings)
                continue
            for n in range(frames):
                way = (start_frame + n - self._course.first_frame) / self._course.frames
                settings = self._settings + (self._to - self._settings) * way
                added[channel, n : n + 1] = self._added(row[n : n + 2 * TAPS - 1], settings)
        late = 2 * TAPS - 2 - LATENCY_FRAMES
        return joined[:, late : late + frames], added

    def _added(self, row: Float64s, settings: Float64s) -> Float64s:
        return shape(
            row, self._up, self._down, gain_sum=self._gain_sum, idle=self._idle, curve=self._curve, settings=settings
        )

    def reset(self) -> None:
        """Forget the past."""
        self._kept[:] = 0.0
