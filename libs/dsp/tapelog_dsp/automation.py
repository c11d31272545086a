"""Automation: breakpoints become a value for every frame of song time, whatever the cutting into blocks."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import CurvePoints, curve, exp2_array
from tapelog_dsp.units import LOG2_10_OVER_20, SILENCE_DB, db_to_gain

SHAPES: Final = ("linear", "hold", "smooth", "early", "late")
"""How a value goes on to the next point, in the order of the kernels' numbers."""

HOLD_RAMP_S: Final = 0.005
"""A held value jumps in a straight line of this length from the next point on, so that no jump clicks."""


class Point(Protocol):
    """A breakpoint: its song time, its value, and the shape of what follows."""

    @property
    def frame(self) -> int:
        """Song time in frames."""
        ...  # pragma: no cover

    @property
    def level(self) -> float:
        """The value there."""
        ...  # pragma: no cover

    @property
    def shape(self) -> str:
        """One of `SHAPES`."""
        ...  # pragma: no cover


def compiled(points: Sequence[Point], sample_rate: int, *, base: float = 0.0) -> CurvePoints:
    """Return breakpoints as the kernels read them, jumps turned into short ramps.

    Parameters
    ----------
    points : sequence of Point
        In rising order of time; before the first and after the last point the value stands still. Empty: always `base`.
    sample_rate : int
        In Hz.
    base : float
        Added to every value.
    """
    ramp = max(round(HOLD_RAMP_S * sample_rate), 1)
    rows: list[tuple[int, float, int]] = []
    for index, point in enumerate(points):
        held = index > 0 and points[index - 1].shape == "hold" and points[index - 1].level != point.level
        if held:
            # A point that is followed within the ramp keeps the last frame before the next one for itself.
            room = points[index + 1].frame - point.frame - 1 if index + 1 < len(points) else ramp
            length = min(ramp, room)
            if length > 0:
                rows.append((point.frame, points[index - 1].level, 0))
                rows.append((point.frame + length, point.level, SHAPES.index(point.shape)))
                continue
        rows.append((point.frame, point.level, SHAPES.index(point.shape)))
    rows = rows or [(0, 0.0, 1)]
    frames = np.array([row[0] for row in rows], dtype=np.int64)
    levels = np.array([row[1] for row in rows])
    return CurvePoints(
        frame=frames,
        value=np.array([base + row[1] for row in rows]),
        rise=np.append(np.diff(levels), 0.0),
        span=np.append(np.diff(frames), 1).astype(np.float64),
        shape=np.array([row[2] for row in rows], dtype=np.int64),
    )


class Fader:
    """A level in dB with any number of automations added to it: the strip's own and those of its VCAs.

    Parameters
    ----------
    base_db : float
        The fader's position, fixed offsets of VCAs included.
    automations : sequence of sequences of Point
        Each is added in decibels.
    sample_rate : int
        In Hz.
    """

    def __init__(self, base_db: float, automations: Sequence[Sequence[Point]], sample_rate: int) -> None:
        moving = [points for points in automations if points]
        first, *more = moving or [()]
        self._curves = [compiled(first, sample_rate, base=base_db), *(compiled(points, sample_rate) for points in more)]
        self._still: float | None = None if moving else db_to_gain(base_db)

    @property
    def lane_curve(self) -> CurvePoints | None:
        """The one curve that says everything, or None where several are added."""
        return self._curves[0] if len(self._curves) == 1 else None

    def gains(self, start_frame: int, frames: int) -> float | Float64s:
        """Return the linear gain of each frame, or one number for a fader that never moves."""
        if self._still is not None:
            return self._still
        if len(self._curves) == 1:
            return curve(self._curves[0], start_frame, frames, decibels=True)
        levels = curve(self._curves[0], start_frame, frames, decibels=False)
        for points in self._curves[1:]:
            levels += curve(points, start_frame, frames, decibels=False)
        gains = exp2_array(levels * LOG2_10_OVER_20)
        gains[levels <= SILENCE_DB] = 0.0
        return gains
