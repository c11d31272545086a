"""Filters and equalisers whose settings move: state-variable filters after A. Simper, in series.

A section is taken as it is designed for a band at rest, matched to its analog prototype, and written as the
state-variable filter of the same poles and zeros, whose numbers can move at any frame without a click. So a band has
the same response at rest and while it moves, and nothing happens where an automation begins or ends.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import movable
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.recursion import svf
from tapelog_dsp.processors.base import Course, Processor

if TYPE_CHECKING:
    from tapelog_dsp.processors.filters import Band

AUDIBLE_DB: Final = 1e-3
"""A band at 0 dB is designed for this much, to know where its poles stand; then it is left out of the sum."""


THROUGH: Final = np.array([[1.0, 2.0, 1.0, 0.0, 0.0]])
"""A state-variable filter that lets everything pass."""


def state_variable(sections: Float64s) -> Float64s:
    """Return sections ``[sections, 5]`` as state-variable filters ``[sections, 5]``.

    Per filter g, k and the shares of input, band and low in its output: with 1 + a1 + a2 = 4 g^2 / D,
    1 - a1 + a2 = 4 / D and 1 - a2 = 2 g k / D the poles are those of the section; its zeros give the three shares.
    """
    rows = []
    for b0, b1, b2, a1, a2 in sections.tolist():
        low, high = 1.0 + a1 + a2, 1.0 - a1 + a2
        g = math.sqrt(low / high)
        scale = 4.0 / high
        whole = (b0 - b1 + b2) / high
        rows.append(
            (
                g,
                0.5 * (1.0 - a2) * scale / g,
                whole,
                0.5 * (b0 - b2 - whole * (1.0 - a2)) * scale / g,
                2.0 * (b1 - whole * a1) / low,
            )
        )
    return np.array(rows).reshape(-1, 5)


def _band_rows(band: "Band", sample_rate: int) -> Float64s:
    sections = band.sections(sample_rate)
    silent = (sections == np.array([1.0, 0.0, 0.0, 0.0, 0.0])).all(axis=1)
    if not silent.any():
        return state_variable(sections)
    rows = state_variable(_changed(band, "gain_db", AUDIBLE_DB).sections(sample_rate))
    rows[:, 2:] = (1.0, 0.0, 0.0)
    return rows


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
        self._place = (0, 1)
        self._tune()
        self._state = np.zeros((channels, len(self._from), 2))

    def _tune(self) -> None:
        self._from, self._to = (
            np.concatenate([np.empty((0, 5)), *(_band_rows(band, self._rate) for band in bands)])
            for bands in (self._start, self._end)
        )
        if self._start == self._end:
            self.tail_frames = ringing_frames(np.concatenate([band.sections(self._rate) for band in self._start]))

    def move(self, name: str, course: Course) -> None:
        """Let one setting of one band go from one value to another within the cell."""
        place, setting = self._place_of(name)
        if not 0 <= place < len(self._start):
            raise ParameterError(name, place, f"0 to {len(self._start) - 1}, the places of the bands")
        before = self._start[place], self._end[place]
        movable(before[0], setting, "" if hasattr(before[0], "cutoff_hz") else "EqBand")
        self._start[place] = _changed(before[0], setting, course.start)
        self._end[place] = _changed(before[1], setting, course.end)
        self._place = course.first_frame, course.frames
        if (self._start[place], self._end[place]) != before:
            self._tune()

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Filter a block within one cell."""
        first, frames = self._place
        return svf(self._from, self._to, (start_frame - first, frames), self._state, samples)

    def reset(self) -> None:
        """Forget the past."""
        self._state[:] = 0.0
