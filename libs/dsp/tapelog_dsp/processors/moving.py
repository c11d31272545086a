"""Settings that move in time: automation of a processor, as breakpoints of song time.

A processor's settings are looked up on a grid of song time that no block can shift, every `GRID_FRAMES`; in between
they go in a straight line, sample by sample, inside the processor. Faders, pans and sends do not need the grid.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.automation import SHAPES, compiled
from tapelog_dsp.checks import one_of
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import CurvePoints, curve
from tapelog_dsp.processors.base import Processor

GRID_FRAMES: Final = 32
"""0.67 ms at 48 kHz: finer than an ear or a hand, and coarse enough to compute filters anew at each."""


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


class MovingStage(Processor):
    """A running processor whose settings follow their curves.

    Parameters
    ----------
    running : Processor
        The processor; it is told each grid cell's two ends by `Processor.move`.
    curves : mapping of str to CurvePoints
        Per setting.
    """

    def __init__(self, running: Processor, curves: Mapping[str, CurvePoints]) -> None:
        self._running = running
        self._curves = dict(curves)
        self.latency_frames = running.latency_frames
        self.tail_frames = running.tail_frames
        self._move_to(0)

    def _move_to(self, frame: int) -> None:
        cell = frame - frame % GRID_FRAMES
        for name, points in self._curves.items():
            start, end = curve(points, cell, GRID_FRAMES + 1, decibels=False)[[0, GRID_FRAMES]].tolist()
            self._running.move(name, start, end)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Process one block, cell by cell of the grid."""
        return self._in_cells(samples, None, start_frame)

    def process_keyed(self, samples: Audio, key: Audio, start_frame: int) -> Audio:
        """Process one block while listening to another signal, cell by cell of the grid."""
        return self._in_cells(samples, key, start_frame)

    def _in_cells(self, samples: Audio, key: Audio | None, start_frame: int) -> Audio:
        parts, done, frames = [], 0, samples.shape[1]
        while done < frames:
            now = start_frame + done
            size = min(GRID_FRAMES - now % GRID_FRAMES, frames - done)
            self._move_to(now)
            part = np.ascontiguousarray(samples[:, done : done + size])
            if key is None:
                parts.append(self._running.process(part, now))
            else:
                parts.append(self._running.process_keyed(part, np.ascontiguousarray(key[:, done : done + size]), now))
            done += size
        return np.concatenate(parts, axis=1)

    def reset(self) -> None:
        """Forget the past; the settings follow song time."""
        self._running.reset()

    def telemetry(self) -> Mapping[str, float]:
        """Return the processor's own figures."""
        return self._running.telemetry()


def ramp(start: float, end: float, start_frame: int, frames: int) -> Float64s:
    """Return what a setting is at each frame of a block within one grid cell, between the cell's two ends."""
    offsets = np.arange(frames, dtype=np.float64) + float(start_frame % GRID_FRAMES)
    return start + (end - start) * (offsets / float(GRID_FRAMES))
