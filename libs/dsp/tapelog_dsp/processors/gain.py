"""Gain, polarity, stereo width: one multiplication per sample, no memory."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, movable
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.console import apply_curve, exp2_array
from tapelog_dsp.kernels.lanes import SCALE
from tapelog_dsp.processors.base import Course, LaneStage, Processor
from tapelog_dsp.units import LOG2_10_OVER_20, SILENCE_DB, db_to_gain


@dataclass(frozen=True, slots=True)
class Gain:
    """A fixed gain inside a chain.

    Parameters
    ----------
    gain_db : float
        From -144 (silence) to +48 dB.
    """

    gain_db: float = 0.0

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running gain; nothing depends on rate or channels."""
        del sample_rate, channels
        return _Scale(db_to_gain(self.gain_db))

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running gain that moves."""
        del sample_rate, channels
        return _MovingGain()


@dataclass(frozen=True, slots=True)
class Polarity:
    """Turns the wave upside down on every channel."""

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running inverter."""
        del sample_rate, channels
        return _Scale(-1.0)


@dataclass(frozen=True, slots=True)
class Width:
    """Stereo width by scaling the side signal S = (L - R) / 2.

    Parameters
    ----------
    width : float
        0 is mono, 1 leaves the image as it is, 2 doubles the sides. The mono fold-down never changes.
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running widener; raises `ParameterError` for mono."""
        del sample_rate
        if channels != 2:
            raise ParameterError("Width", f"{channels} channels", "used on a stereo signal")
        return _Widen(self.width)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running widener that moves."""
        return self.prepare(sample_rate, channels)


class _Scale(Processor):
    def __init__(self, gain: float) -> None:
        self._gain = gain

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        return samples if self._gain == 1.0 else samples * self._gain

    def lane_stages(self) -> tuple[LaneStage, ...]:
        """Return the gain, or nothing where it changes nothing."""
        return () if self._gain == 1.0 else (LaneStage(SCALE, np.array([self._gain]), np.empty(0)),)

    def reset(self) -> None:
        """Nothing is remembered."""


class _MovingGain(Processor):
    """Straight lines in dB within a cell."""

    def __init__(self) -> None:
        self._course = Course(0.0, 0.0)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        if self._course.start == self._course.end:
            return samples * db_to_gain(self._course.start)
        levels = self._course.values(start_frame, samples.shape[1])
        gains = exp2_array(levels * LOG2_10_OVER_20)
        gains[levels <= SILENCE_DB] = 0.0
        return apply_curve(samples, gains)

    def move(self, name: str, course: Course) -> None:
        """Let the gain go from one value to another."""
        movable(Gain(), name, course=course)
        self._course = course

    def reset(self) -> None:
        """Nothing is remembered."""


class _Widen(Processor):
    """Keeps width 1 exact: L' = L (1+w)/2 + R (1-w)/2 multiplies by 1 and 0."""

    def __init__(self, width: float) -> None:
        self._course = Course(width, width)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        still = self._course.start == self._course.end
        width = self._course.start if still else self._course.values(start_frame, samples.shape[1])
        return samples * ((1.0 + width) / 2.0) + np.ascontiguousarray(samples[::-1]) * ((1.0 - width) / 2.0)

    def move(self, name: str, course: Course) -> None:
        """Let the width go from one value to another."""
        movable(Width(), name, course=course)
        self._course = course

    def reset(self) -> None:
        """Nothing is remembered."""
