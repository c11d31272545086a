"""Transient shaper: what a fast follower of the level sees before a slow one is attack, what stays after is sustain."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import apply_curve, exp2_array, log2_array
from tapelog_dsp.kernels.dynamics import COMPRESSOR_STATE, CompressorSettings, compress
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.compressor import one_pole
from tapelog_dsp.processors.moving import moved
from tapelog_dsp.units import DB_PER_OCTAVE, LOG2_10_OVER_20

FLOOR_DB: Final = -70.0
"""What is quieter is left alone."""

FULL_DB: Final = 12.0
"""A difference of the two followers of this much brings the whole of the setting."""

FAST_MS: Final = (0.5, 40.0)
SLOW_ATTACK_MS: Final = (25.0, 40.0)
SLOW_RELEASE_MS: Final = (0.5, 400.0)
"""Attack and release of the followers that are compared: with the second for the attack, with the third for sustain."""


@dataclass(frozen=True, slots=True)
class TransientShaper:
    """Lifts or softens the beginnings of notes and what rings after them, whatever their level.

    Parameters
    ----------
    attack_db, sustain_db : float
        At most so much more or less of each.
    """

    attack_db: float = 0.0
    sustain_db: float = 0.0

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running shaper."""
        del channels
        return _RunningShaper(self, sample_rate)


class _Follower:
    """Level in dB above the floor, smoothed like a compressor's reduction."""

    def __init__(self, times_ms: tuple[float, float], sample_rate: int) -> None:
        attack, release = (one_pole(time, sample_rate) for time in times_ms)
        self._settings = CompressorSettings(FLOOR_DB, 0.0, 1.0, attack, release, 0.0, 1.0, 0.0).array()
        self.state = np.zeros(COMPRESSOR_STATE)

    def process(self, samples: Audio) -> Float64s:
        return -DB_PER_OCTAVE * log2_array(compress(self._settings, self.state, samples))


class _RunningShaper(Processor):
    def __init__(self, spec: TransientShaper, sample_rate: int) -> None:
        self._spec, self._to = spec, spec
        self._course = Course(0.0, 0.0)
        self._moves = False
        self._followers = [_Follower(times, sample_rate) for times in (FAST_MS, SLOW_ATTACK_MS, SLOW_RELEASE_MS)]

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another; from now on the followers listen even where nothing is done."""
        self._spec, self._to = moved(self._spec, self._to, name, course)
        self._course, self._moves = course, True

    def process(self, samples: Audio, start_frame: int) -> Audio:
        if not self._moves and self._spec.attack_db == 0.0 and self._spec.sustain_db == 0.0:
            return samples
        fast, late, long = (follower.process(samples) for follower in self._followers)
        attack = np.minimum(np.maximum(fast - late, 0.0) / FULL_DB, 1.0)
        sustain = np.minimum(np.maximum(long - fast, 0.0) / FULL_DB, 1.0)
        attack_db, sustain_db = (
            Course(start, end, self._course.first_frame, self._course.frames).values(start_frame, samples.shape[1])
            for start, end in (
                (self._spec.attack_db, self._to.attack_db), (self._spec.sustain_db, self._to.sustain_db)
            )
        )  # fmt: skip
        level_db = attack * attack_db + sustain * sustain_db
        return apply_curve(samples, exp2_array(level_db * LOG2_10_OVER_20))

    def reset(self) -> None:
        for follower in self._followers:
            follower.state[:] = 0.0
