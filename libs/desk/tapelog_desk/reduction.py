"""How much a limiter takes off, over time: seen from outside, by comparing what goes in with what comes out."""

import math
from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np

from tapelog_desk.files.decoders import Samples

STEPS_PER_S: Final = 10
"""Values per second."""

AUDIBLE: Final = 1e-4
"""Input below -80 dBFS says nothing about gain."""


class GainReduction:
    """Gain at the loudest sample of each 100 ms; blocks of any length, input ahead of output.

    Parameters
    ----------
    sample_rate_hz, channels : int
        Of both signals.
    gain : float
        Linear gain between the input as given here and the limiter.
    """

    def __init__(self, sample_rate_hz: int, channels: int, gain: float) -> None:
        self._step = max(sample_rate_hz // STEPS_PER_S, 1)
        self._gain = gain
        self._before = np.zeros((channels, 0))
        self._after = np.zeros((channels, 0))
        self._values = array("d")

    def before(self, samples: Samples) -> None:
        """Take a block that goes into the limiter."""
        self._before = np.concatenate((self._before, samples), axis=1)

    def after(self, samples: Samples) -> None:
        """Take a block that came out, in time with the input."""
        self._after = np.concatenate((self._after, samples), axis=1)
        while min(self._before.shape[1], self._after.shape[1]) >= self._step:
            self._take(self._step)

    def _take(self, frames: int) -> None:
        into = np.abs(self._before[:, :frames]) * self._gain
        out = np.abs(self._after[:, :frames])
        self._before, self._after = self._before[:, frames:], self._after[:, frames:]
        loudest = int(into.argmax())
        peak, kept = float(into.flat[loudest]), float(out.flat[loudest])
        reduced = AUDIBLE <= kept < peak
        self._values.append(20.0 * math.log10(peak / kept) if reduced else 0.0)

    def result(self) -> Sequence[float]:
        """Return the reduction in dB, 0 or more, of every 100 ms."""
        left = min(self._before.shape[1], self._after.shape[1])
        if left:
            self._take(left)
        return self._values
