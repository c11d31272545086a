"""Filters and equalisers whose settings move: state-variable filters after A. Simper, in series.

They have the bilinear shapes (cramped near half the sample rate), where still ones are matched to their prototypes.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import movable
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.recursion import svf
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.moving import GRID_FRAMES

if TYPE_CHECKING:
    from tapelog_dsp.processors.filters import Band

Rows = list[tuple[float, float, float, float, float]]
"""Per filter g, k and the shares of input, band and low in its output."""


def _g(frequency_hz: float, sample_rate: int) -> float:
    return math.tan(math.pi * min(frequency_hz, 0.49 * sample_rate) / sample_rate)


def bell_rows(frequency_hz: float, gain_db: float, q: float, sample_rate: int) -> Rows:
    """Return a bell."""
    a = 10.0 ** (gain_db / 40.0)
    k = 1.0 / (q * a)
    return [(_g(frequency_hz, sample_rate), k, 1.0, k * (a * a - 1.0), 0.0)]


def low_shelf_rows(frequency_hz: float, gain_db: float, sample_rate: int) -> Rows:
    """Return a Butterworth low shelf."""
    a, k = 10.0 ** (gain_db / 40.0), math.sqrt(2.0)
    return [(_g(frequency_hz, sample_rate) / math.sqrt(a), k, 1.0, k * (a - 1.0), a * a - 1.0)]


def high_shelf_rows(frequency_hz: float, gain_db: float, sample_rate: int) -> Rows:
    """Return a Butterworth high shelf."""
    a, k = 10.0 ** (gain_db / 40.0), math.sqrt(2.0)
    return [(_g(frequency_hz, sample_rate) * math.sqrt(a), k, a * a, k * (1.0 - a) * a, 1.0 - a * a)]


def notch_rows(frequency_hz: float, q: float, sample_rate: int) -> Rows:
    """Return a notch."""
    return [(_g(frequency_hz, sample_rate), 1.0 / q, 1.0, -1.0 / q, 0.0)]


def pass_rows(cutoff_hz: float, slope_db_per_octave: int, sample_rate: int, *, highpass: bool) -> Rows:
    """Return a Butterworth high-pass or low-pass of even order.

    Raises
    ------
    ParameterError
        The order is odd: its first-order part has no state-variable form.
    """
    order = slope_db_per_octave // 6
    if order % 2:
        raise ParameterError("slope_db_per_octave", slope_db_per_octave, "12, 24, 36 or 48 for a filter that moves")
    g = _g(cutoff_hz, sample_rate)
    dampings = [2.0 * math.sin((2 * j + 1) * math.pi / (2 * order)) for j in range(order // 2)]
    return [(g, k, 1.0, -k, -1.0) if highpass else (g, k, 0.0, 0.0, 1.0) for k in dampings]


def _changed(band: "Band", setting: str, value: float) -> "Band":
    changes: dict[str, Any] = {setting: value}
    return dataclasses.replace(band, **changes)


class MovingEq(Processor):
    """Bands in series whose settings move.

    Parameters
    ----------
    bands : tuple of Band
        Their settings at rest.
    sample_rate, channels : int
        Of every block.
    place_of : callable
        Turns the name of a setting into the place of its band and the name of the band's own setting.
    """

    def __init__(
        self,
        bands: "tuple[Band, ...]",
        sample_rate: int,
        channels: int,
        place_of: Callable[[str], tuple[int, str]],
    ) -> None:
        self._rate = sample_rate
        self._place_of = place_of
        self._start, self._end = list(bands), list(bands)
        self._from, self._to = self._rows(self._start), self._rows(self._end)
        self._state = np.zeros((channels, len(self._from), 2))
        self.tail_frames = sample_rate // 2

    def _rows(self, bands: "list[Band]") -> Float64s:
        return np.array([row for band in bands for row in band.moving_rows(self._rate)])

    def move(self, name: str, start: float, end: float) -> None:
        """Let one setting of one band go from one value to another within the grid cell."""
        place, setting = self._place_of(name)
        if not 0 <= place < len(self._start):
            raise ParameterError(name, place, f"0 to {len(self._start) - 1}, the places of the bands")
        before = self._start[place], self._end[place]
        movable(before[0], setting, "" if hasattr(before[0], "cutoff_hz") else "EqBand")
        self._start[place] = _changed(before[0], setting, start)
        self._end[place] = _changed(before[1], setting, end)
        if (self._start[place], self._end[place]) != before:
            self._from, self._to = self._rows(self._start), self._rows(self._end)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Filter a block within one grid cell."""
        return svf(self._from, self._to, (start_frame % GRID_FRAMES, GRID_FRAMES), self._state, samples)

    def reset(self) -> None:
        """Forget the past."""
        self._state[:] = 0.0
