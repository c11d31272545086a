"""Settings that move in time: automation of a processor, as breakpoints of song time.

Song time is cut into cells that no block can shift: at every breakpoint, to the frame, and between breakpoints every
`step_frames` of the processor while anything moves. A setting is looked up at a cell's two ends; in between it goes in
a straight line, frame by frame, inside the processor, which counts in the song time of what leaves it. Faders, pans and
sends are looked up at every frame.
"""

import dataclasses
import itertools
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.automation import SHAPES, compiled
from tapelog_dsp.checks import movable, one_of
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.console import CurvePoints, apply_curve, curve, exp2_array
from tapelog_dsp.processors.base import GRID_FRAMES, Course, Processor
from tapelog_dsp.units import LOG2_10_OVER_20


@dataclass(frozen=True, slots=True)
class SettingPoint:
    """One breakpoint of a setting.

    Parameters
    ----------
    frame : int
        Song time.
    value : float
        In the setting's own unit; it replaces the one of the processor.
    shape : {"linear", "hold", "smooth", "early", "late"}
        How the value goes on to the next point; held values jump within 5 ms.
    """

    frame: int
    value: float
    shape: str = "linear"

    def __post_init__(self) -> None:
        one_of(self, "shape", SHAPES)

    @property
    def level(self) -> float:
        """The value."""
        return self.value


@dataclass(frozen=True, slots=True)
class MovingSetting:
    """A setting of one processor of a chain that moves.

    Parameters
    ----------
    position : int
        Place of the processor in the chain, from 0.
    name : str
        The setting, such as ``threshold_db``; of an equaliser's band ``bands.<place>.<setting>``.
    points : tuple of SettingPoint
        In rising order of time, at least one.
    """

    position: int
    name: str
    points: tuple[SettingPoint, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ParameterError(f"MovingSetting({self.name}).points", "none", "at least one point")
        for before, after in itertools.pairwise(self.points):
            if after.frame <= before.frame:
                limit = f"in rising order of frames, so above {before.frame}"
                raise ParameterError(f"MovingSetting({self.name}).points", after.frame, limit)

    def curve(self, sample_rate: int) -> CurvePoints:
        """Return it as the kernels read it."""
        return compiled(self.points, sample_rate)


if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FAR: Final = 1 << 62
"""Frames: beyond every song."""

_HOLD: Final = SHAPES.index("hold")


class MovingStage(Processor):
    """A running processor whose settings follow their curves.

    Parameters
    ----------
    running : Processor
        The processor; it is told where each setting goes in a cell by `Processor.move`.
    curves : mapping of str to CurvePoints
        Per setting.

    Raises
    ------
    ParameterError
        The processor has no such setting that can move, or a point is out of its range.
    """

    def __init__(self, running: Processor, curves: Mapping[str, CurvePoints]) -> None:
        self._running = running
        self._curves = dict(curves)
        self.latency_frames = running.latency_frames
        self.tail_frames = self._longest_tail()
        self._marks = sorted({frame for points in self._curves.values() for frame in points.frame.tolist()})
        self._present: tuple[int, int] | None = None

    def _longest_tail(self) -> int:
        """Try every point of every curve, setting by setting, and return the longest tail that was met."""
        for name, points in self._curves.items():
            tails = {}
            for value in sorted(set(points.value.tolist())):
                self._running.move(name, Course(value, value))
                tails[value] = self._running.tail_frames
            longest = max(tails, key=lambda value, tails=tails: tails[value])  # type: ignore[misc]  # mypy loses the default
            self._running.move(name, Course(longest, longest))
        return self._running.tail_frames

    def _cell(self, frame: int) -> tuple[int, int]:
        """Return the first frame of the cell that a frame lies in, and the first one after it."""
        after = bisect_right(self._marks, frame)
        first = self._marks[after - 1] if after else -FAR
        stop = self._marks[after] if after < len(self._marks) else FAR
        if any(_segment(points, frame) is not None for points in self._curves.values()):
            step = frame - frame % self._running.step_frames
            first, stop = max(first, step), min(stop, step + self._running.step_frames)
        return first, stop

    def _move_to(self, frame: int) -> int:
        """Tell the processor about the cell that a frame lies in, and return where the cell stops."""
        cell = self._cell(frame)
        if cell == self._present:
            return cell[1]
        self._present = cell
        first, stop = cell
        for name, points in self._curves.items():
            moves = _segment(points, frame) is not None
            start = _value(points, first if moves else frame)
            self._running.move(name, Course(start, _value(points, stop) if moves else start, first, stop - first))
        return stop

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Process one block, cell by cell."""
        return self._in_cells(samples, None, start_frame)

    def process_keyed(self, samples: Audio, key: Audio, start_frame: int) -> Audio:
        """Process one block while listening to another signal, cell by cell."""
        return self._in_cells(samples, key, start_frame)

    def _in_cells(self, samples: Audio, key: Audio | None, start_frame: int) -> Audio:
        parts, done, frames = [], 0, samples.shape[1]
        # Settings belong to what leaves the processor, so they are looked up at its song time.
        leaving = start_frame - self.latency_frames
        while done < frames:
            now = leaving + done
            size = min(self._move_to(now) - now, frames - done)
            part = np.ascontiguousarray(samples[:, done : done + size])
            if key is None:
                parts.append(self._running.process(part, now))
            else:
                parts.append(self._running.process_keyed(part, np.ascontiguousarray(key[:, done : done + size]), now))
            done += size
        return np.concatenate(parts, axis=1) if parts else samples

    def reset(self) -> None:
        """Forget the past; the settings follow song time."""
        self._running.reset()

    def telemetry(self) -> Mapping[str, float]:
        """Return the processor's own figures."""
        return self._running.telemetry()


Settings = TypeVar("Settings", bound="DataclassInstance")


def moved(start: Settings, end: Settings, name: str, course: Course) -> tuple[Settings, Settings]:
    """Return a processor's settings at the two ends of a cell, with one setting moved.

    Raises
    ------
    ParameterError
        The setting cannot move, or not that far.
    """
    movable(start, name, course=course)
    first: dict[str, Any] = {name: course.start}
    last: dict[str, Any] = {name: course.end}
    return dataclasses.replace(start, **first), dataclasses.replace(end, **last)


QUICK_MS: Final = 1.0
QUICK_STEP_FRAMES: Final = 4
"""A detector that smooths less than this follows its ratio and knee in shorter cells, or each would be a step."""


def detector_step(attack_ms: float) -> int:
    """Return the length of the cells of a detector with such an attack."""
    return QUICK_STEP_FRAMES if attack_ms < QUICK_MS else GRID_FRAMES


def under_threshold(key: Audio, threshold_db: Course, start_frame: int) -> Audio:
    """Return a key as a detector has to hear it whose threshold stays where it is at the cell's first frame.

    A threshold that comes down by a decibel and a key that goes up by one are the same, so a threshold moves by the
    frame although the detector knows only one per cell.
    """
    if threshold_db.start == threshold_db.end:
        return key
    levels = threshold_db.start - threshold_db.values(start_frame, key.shape[1])
    return apply_curve(key, exp2_array(levels * LOG2_10_OVER_20))


def _segment(points: CurvePoints, frame: int) -> int | None:
    """Return the place of the point from which the value is on its way at a frame, or None where it stands still."""
    place = int(np.searchsorted(points.frame, frame, side="right")) - 1
    still = place < 0 or place + 1 == points.frame.size or points.shape[place] == _HOLD or points.rise[place] == 0.0
    return None if still else place


def _value(points: CurvePoints, frame: int) -> float:
    return float(curve(points, frame, 1, decibels=False)[0])
