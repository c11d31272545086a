"""Saturation without the aliases of a plain curve: anti-derivative anti-aliasing of the first order.

J. Parker, V. Zavalishin, E. Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time
convolution", DAFx 2016: y = (F(x1) - F(x0)) / (x1 - x0) with F the integral of the curve, here ln cosh for tanh. The
half step by which such a quotient is late is taken off before it, by interpolating to the middles between the samples.
"""

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.sincs import TAPS, windowed_sinc
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import apply_curve, exp2_array
from tapelog_dsp.kernels.saturate import reach_frames, saturate
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.moving import moved
from tapelog_dsp.units import LOG2_10_OVER_20, db_to_gain, exp2

LOG2_E: Final = 1.4426950408889634

ENTRY_DB: Final = 1.0
"""Over the first decibel of drive the curve comes in, so that a drive that moves down to 0 dB ends without a jump."""


@dataclass(frozen=True, slots=True)
class Saturation:
    """A soft curve, tanh, with a gain before and after it.

    Parameters
    ----------
    drive_db : float
        How far the signal is pushed into the curve; small signals keep their level. 0 leaves it alone altogether.
    bias : float
        Shifts the curve, for even harmonics; the offset that it makes is taken off.
    output_db : float
        Level afterwards.
    oversampling : {1, 2, 4, 8}
        How many times the sample rate the curve works at: more folds fewer harmonics back.
    """

    drive_db: float
    bias: float = 0.0
    output_db: float = 0.0
    oversampling: int = int(default("Saturation", "oversampling"))

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running saturation: 24 frames late, 47 where it is oversampled, none where nothing is driven."""
        del sample_rate
        return _RunningSaturation(self, channels, moves=False)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running saturation whose settings move, late by the same at any drive."""
        del sample_rate
        return _RunningSaturation(self, channels, moves=True)

    def numbers(self) -> Float64s:
        """Return the settings in the kernel's order."""
        rest = _tanh(self.bias)
        drive = db_to_gain(self.drive_db)
        weight = min(self.drive_db / ENTRY_DB, 1.0)
        return np.array([drive, self.bias, rest, 1.0 / (drive * (1.0 - rest * rest)), weight])


@functools.cache
def _ways(phases: int) -> tuple[Float64s, Float64s]:
    """Return the interpolator to the middles between the grid's points, and the decimator, ``[phases, taps]``."""
    up, down = np.empty((phases, TAPS)), np.empty((phases, TAPS))
    for phase in range(phases):
        for k in range(TAPS):
            up[phase, k] = windowed_sinc(k - (TAPS // 2 - 1) - (phase + 0.5) / phases)
            down[phase, k] = windowed_sinc(k - TAPS // 2 + phase / phases) / phases
    return up, down


class _RunningSaturation(Processor):
    def __init__(self, spec: Saturation, channels: int, *, moves: bool) -> None:
        self._start, self._end = spec, spec
        self._course = Course(0.0, 0.0)
        self._up, self._down = _ways(spec.oversampling)
        self._neutral = spec.drive_db == 0.0 and not moves
        self._numbers = self._to = spec.numbers()
        self._reach = reach_frames(*self._up.shape)
        self._kept = np.zeros((channels, self._reach))
        if not self._neutral:
            self.latency_frames = TAPS // 2 if spec.oversampling == 1 else TAPS - 1
            self.tail_frames = TAPS

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another."""
        self._start, self._end = moved(self._start, self._end, name, course)
        self._course = course
        self._numbers = self._to = self._start.numbers()
        if self._start != self._end:
            self._to = self._end.numbers()

    def process(self, samples: Audio, start_frame: int) -> Audio:
        if self._neutral:
            return samples * db_to_gain(self._start.output_db) if self._start.output_db != 0.0 else samples
        frames = samples.shape[1]
        joined = np.concatenate((self._kept, samples), axis=1)
        self._kept = joined[:, frames:].copy()
        late = self._reach - self.latency_frames
        ends, place = (self._numbers, self._to), self._course.place(start_frame)
        added = [saturate(row, self._up, self._down, ends, place) for row in joined]
        result = joined[:, late : late + frames] + np.stack(added)
        if self._start.output_db == self._end.output_db:
            return result * db_to_gain(self._start.output_db)
        levels = Course(self._start.output_db, self._end.output_db, self._course.first_frame, self._course.frames)
        return apply_curve(result, exp2_array(levels.values(start_frame, frames) * LOG2_10_OVER_20))

    def reset(self) -> None:
        self._kept[:] = 0.0


def _tanh(x: float) -> float:
    small = exp2(-2.0 * LOG2_E * abs(x))
    return (1.0 - small) / (1.0 + small) if x >= 0.0 else (small - 1.0) / (1.0 + small)
