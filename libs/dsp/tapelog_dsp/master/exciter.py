"""Exciter: harmonics of the upper band, made between the samples and mixed in."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import below_nyquist, declared, default
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.design.sincs import TAPS
from tapelog_dsp.kernels import shaper
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import exp2_array
from tapelog_dsp.kernels.recursion import sos, sos_state, svf
from tapelog_dsp.master.shaping import LATENCY_FRAMES, Shaper
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.processors.moving import moved
from tapelog_dsp.processors.movingeq import state_variable
from tapelog_dsp.units import LOG2_10_OVER_20, SILENCE_DB, db_to_gain


@dataclass(frozen=True, slots=True)
class Exciter:
    """Adds harmonics of what lies above a frequency; the dry signal passes bit for bit.

    Parameters
    ----------
    frequency_hz : float
        Lower edge of the band (12 dB per octave), and of what is added.
    drive_db : float
        How far the band is driven into its curve.
    amount_db : float
        Level of the harmonics; -144 is off.
    even : float
        Share of even harmonics, 0 (odd only, tape-like) to 1 (even only, tube-like).
    """

    frequency_hz: float = default("Exciter", "frequency_hz")
    drive_db: float = default("Exciter", "drive_db")
    amount_db: float = default("Exciter", "amount_db")
    even: float = default("Exciter", "even")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running exciter."""
        below_nyquist(self, "frequency_hz", sample_rate)
        return _RunningExciter(self, sample_rate, channels)


class _RunningExciter(Processor):
    latency_frames = LATENCY_FRAMES

    def __init__(self, spec: Exciter, sample_rate: int, channels: int) -> None:
        self._start, self._end, self._rate = spec, spec, sample_rate
        self._course = Course(spec.amount_db, spec.amount_db)
        self._moves = False
        self._tune()
        self._before, self._after = (sos_state(len(self._band), channels) for _ in range(2))
        self._shaper = Shaper(sample_rate, channels, curve=shaper.EXCITE, settings=_numbers(spec), idle=0.0)
        self._delay = DelayLine(channels, LATENCY_FRAMES)

    def _tune(self) -> None:
        bands = [butterworth(s.frequency_hz, 12, self._rate, highpass=True) for s in (self._start, self._end)]
        self._band, self._rows = bands[0], (state_variable(bands[0]), state_variable(bands[1]))
        self.tail_frames = TAPS + 2 * ringing_frames(self._band)

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another."""
        self._start, self._end = moved(self._start, self._end, name, course)
        below_nyquist(self._start, "frequency_hz", self._rate)
        below_nyquist(self._end, "frequency_hz", self._rate)
        self._course, self._moves = course, True
        self._tune()
        self._shaper.move(_numbers(self._start), _numbers(self._end), idle=0.0, course=course)

    def _filter(self, state: Float64s, samples: Audio, start_frame: int) -> Audio:
        if not self._moves:
            return sos(self._band, state, samples)
        return svf(*self._rows, self._course.place(start_frame), state, samples)

    def _amounts(self, start_frame: int, frames: int) -> Float64s | float:
        if self._start.amount_db == self._end.amount_db:
            return db_to_gain(self._start.amount_db)
        ends = Course(self._start.amount_db, self._end.amount_db, self._course.first_frame, self._course.frames)
        levels = ends.values(start_frame, frames)
        amounts = exp2_array(levels * LOG2_10_OVER_20)
        amounts[levels <= SILENCE_DB] = 0.0
        return amounts

    def process(self, samples: Audio, start_frame: int) -> Audio:
        dry = self._delay.process(samples)
        if not self._moves and self._start.amount_db <= SILENCE_DB:
            return dry
        _, added = self._shaper.process(self._filter(self._before, samples, start_frame), start_frame)
        return dry + self._amounts(start_frame, samples.shape[1]) * self._filter(self._after, added, start_frame)

    def reset(self) -> None:
        self._before[:] = 0.0
        self._after[:] = 0.0
        self._shaper.reset()
        self._delay.reset()


def _numbers(spec: Exciter) -> Float64s:
    return np.array([db_to_gain(spec.drive_db), 1.0 - spec.even, spec.even])
