"""Dynamics of one band: dynamic equaliser and de-esser.

Both add a share of the band to the signal: y = x + (gain - 1) band, where the band is a band-pass of gain 1 at its
centre. That is a bell whose gain moves with every sample and whose coefficients stand still; at gain 1 it is the input.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default, fits_rate
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import exp2_array, log2_array
from tapelog_dsp.kernels.dynamics import COMPRESSOR_SETTINGS, COMPRESSOR_STATE, CompressorSettings, compress
from tapelog_dsp.kernels.recursion import sos, sos_state, svf
from tapelog_dsp.processors.base import Course, Key, Processor
from tapelog_dsp.processors.compressor import one_pole
from tapelog_dsp.processors.keyfilter import KEY_CHANNELS
from tapelog_dsp.processors.moving import detector_step, moved, under_threshold
from tapelog_dsp.processors.movingeq import state_variable
from tapelog_dsp.units import DB_PER_OCTAVE, LOG2_10_OVER_20

BODY_FLOOR_DB: Final = -70.0
"""A de-esser takes nothing off what is quieter than this: there is nothing to compare a hiss with."""

BODY_MS: Final = 5.0
"""Averaging time of both levels that a de-esser compares."""


def band_pass(frequency_hz: float, q: float, sample_rate: int) -> Float64s:
    """Return the section of a band-pass with gain 1 at its centre (bilinear), ``[1, 5]``."""
    g = math.tan(math.pi * frequency_hz / sample_rate)
    scale = 1.0 / (1.0 + g / q + g * g)
    peak = g / q * scale
    return np.array([[peak, 0.0, -peak, 2.0 * (g * g - 1.0) * scale, (1.0 - g / q + g * g) * scale]])


@dataclass(frozen=True, slots=True)
class DynamicEq:
    """One band that moves with its own level, or with a key's.

    Parameters
    ----------
    frequency_hz, q : float
        Centre and quality of the band.
    threshold_db, ratio, attack_ms, release_ms : float
        As on a compressor, on the level of the band.
    range_db : float
        How far the band goes at most: negative cuts it when it is loud, positive lifts it.
    key : Key, optional
        Another strip whose band is listened to: room for a vocal in a guitar.
    """

    frequency_hz: float
    q: float = default("DynamicEq", "q")
    threshold_db: float = -30.0
    ratio: float = default("DynamicEq", "ratio")
    range_db: float = default("DynamicEq", "range_db")
    attack_ms: float = default("DynamicEq", "attack_ms")
    release_ms: float = default("DynamicEq", "release_ms")
    key: Key | None = None

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running band."""
        fits_rate(self, sample_rate)
        return _RunningBand(self, sample_rate, channels)


class _BandPass:
    """The band of a signal: a section at rest, a state-variable filter from the first move on."""

    def __init__(self, section: Float64s, channels: int) -> None:
        self._section = section
        self._rows: tuple[Float64s, Float64s] | None = None
        self._first_frame, self._frames = 0, 1
        self._state = sos_state(1, channels)

    def move(self, start: Float64s, end: Float64s, course: Course) -> None:
        """Let the section go to another one over the next cell."""
        self._rows = state_variable(start), state_variable(end)
        self._first_frame, self._frames = course.first_frame, course.frames

    def process(self, samples: Audio, start_frame: int) -> Audio:
        state = self._state[: samples.shape[0]]
        if self._rows is None:
            return sos(self._section, state, samples)
        return svf(*self._rows, (start_frame - self._first_frame, self._frames), state, samples)

    def reset(self) -> None:
        self._state[:] = 0.0


class _RunningBand(Processor):
    def __init__(self, spec: DynamicEq, sample_rate: int, channels: int) -> None:
        self._spec, self._to, self._rate = spec, spec, sample_rate
        self._range = Course(spec.range_db, spec.range_db)
        self._threshold = Course(spec.threshold_db, spec.threshold_db)
        self.step_frames = detector_step(spec.attack_ms)
        section = band_pass(spec.frequency_hz, spec.q, sample_rate)
        self._own, self._heard = _BandPass(section, channels), _BandPass(section, KEY_CHANNELS)
        self._settings = np.empty(COMPRESSOR_SETTINGS)
        self._tune()
        self._state = np.zeros(COMPRESSOR_STATE)
        self._most_db = 0.0
        self.tail_frames = ringing_frames(section)

    def _tune(self) -> None:
        spec = self._spec
        self._settings[:] = CompressorSettings(
            spec.threshold_db, 6.0, 1.0 - 1.0 / spec.ratio, one_pole(spec.attack_ms, self._rate),
            one_pole(spec.release_ms, self._rate), 0.0, 1.0, 0.0,
        ).array()  # fmt: skip

    def move(self, name: str, course: Course) -> None:
        """Let a setting move: ratio and times cell by cell, all others in straight lines."""
        self._spec, self._to = moved(self._spec, self._to, name, course)
        fits_rate(self._spec, self._rate)
        fits_rate(self._to, self._rate)
        cell = course.first_frame, course.frames
        self._range = Course(self._spec.range_db, self._to.range_db, *cell)
        self._threshold = Course(self._spec.threshold_db, self._to.threshold_db, *cell)
        ends = [band_pass(spec.frequency_hz, spec.q, self._rate) for spec in (self._spec, self._to)]
        for part in (self._own, self._heard):
            part.move(ends[0], ends[1], course)
        self.tail_frames = ringing_frames(ends[0])
        self._tune()

    def process(self, samples: Audio, start_frame: int) -> Audio:
        band = self._own.process(samples, start_frame)
        return self._shape(samples, band, band, start_frame)

    def process_keyed(self, samples: Audio, key: Audio, start_frame: int) -> Audio:
        heard = self._heard.process(key, start_frame)
        return self._shape(samples, self._own.process(samples, start_frame), heard, start_frame)

    def _shape(self, samples: Audio, band: Audio, heard: Audio, start_frame: int) -> Audio:
        # The curve gives the reduction as a gain below 1; its decibels are held within the range, and up for a lift.
        against = under_threshold(heard, self._threshold, start_frame)
        reduction_db = -DB_PER_OCTAVE * log2_array(compress(self._settings, self._state, against))
        range_db = self._range.values(start_frame, samples.shape[1])
        moved_db = np.minimum(np.maximum(reduction_db, 0.0), np.abs(range_db))
        self._most_db = max(self._most_db, float(moved_db.max(initial=0.0)))
        signed = np.where(range_db > 0.0, moved_db, -moved_db)
        return samples + (exp2_array(signed * LOG2_10_OVER_20) - 1.0) * band

    def reset(self) -> None:
        self._own.reset()
        self._heard.reset()
        self._state[:] = 0.0
        self._most_db = 0.0

    def telemetry(self) -> Mapping[str, float]:
        """Return how far the band has gone at most, in dB, positive."""
        return {"gain_change_max_db": self._most_db}


@dataclass(frozen=True, slots=True)
class DeEsser:
    """Takes sibilance down by its share of the voice, so that it works the same on loud and on quiet takes.

    Parameters
    ----------
    frequency_hz, q : float
        Centre and quality of the sibilant band.
    sensitivity_db : float
        Level of the band against the whole signal above which it is taken down.
    range_db : float
        How far at most.
    attack_ms, release_ms : float
        Time to 63.2 %.
    """

    frequency_hz: float = default("DeEsser", "frequency_hz")
    q: float = default("DeEsser", "q")
    sensitivity_db: float = default("DeEsser", "sensitivity_db")
    range_db: float = default("DeEsser", "range_db")
    attack_ms: float = default("DeEsser", "attack_ms")
    release_ms: float = default("DeEsser", "release_ms")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running de-esser."""
        fits_rate(self, sample_rate)
        return _RunningDeEsser(self, sample_rate, channels)


def _follower(time_ms: float, sample_rate: int) -> Float64s:
    """Return a one-pole average as a section."""
    b = one_pole(time_ms, sample_rate)
    return np.array([[b, 0.0, 0.0, b - 1.0, 0.0]])


class _RunningDeEsser(Processor):
    """Mean squares of band and whole give the share; a compressor's recursion smooths the reduction it asks for."""

    def __init__(self, spec: DeEsser, sample_rate: int, channels: int) -> None:
        self._spec, self._to, self._rate = spec, spec, sample_rate
        self._course = Course(0.0, 0.0)
        section = band_pass(spec.frequency_hz, spec.q, sample_rate)
        self._band = _BandPass(section, channels)
        self._average = _follower(BODY_MS, sample_rate)
        self._level_state = sos_state(1, 2)
        self._smoothing = np.empty(COMPRESSOR_SETTINGS)
        self._tune()
        self._state = np.zeros(COMPRESSOR_STATE)
        self.tail_frames = ringing_frames(section)

    def _tune(self) -> None:
        # Threshold at -80 dBFS, slope 1: a key of level t + r dB asks for r dB, smoothed by attack and release.
        attack, release = (one_pole(time, self._rate) for time in (self._spec.attack_ms, self._spec.release_ms))
        self._smoothing[:] = CompressorSettings(-80.0, 0.0, 1.0, attack, release, 0.0, 1.0, 0.0).array()

    def move(self, name: str, course: Course) -> None:
        """Let a setting move: the times cell by cell, all others in straight lines."""
        self._spec, self._to = moved(self._spec, self._to, name, course)
        fits_rate(self._spec, self._rate)
        fits_rate(self._to, self._rate)
        self._course = course
        ends = [band_pass(spec.frequency_hz, spec.q, self._rate) for spec in (self._spec, self._to)]
        self._band.move(ends[0], ends[1], course)
        self.tail_frames = ringing_frames(ends[0])
        self._tune()

    def _along(self, start: float, end: float, start_frame: int, frames: int) -> Float64s:
        return Course(start, end, self._course.first_frame, self._course.frames).values(start_frame, frames)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        frames = samples.shape[1]
        band = self._band.process(samples, start_frame)
        powers = np.stack([(band * band).max(axis=0), (samples * samples).max(axis=0)])
        hiss, whole = 0.5 * DB_PER_OCTAVE * log2_array(np.maximum(sos(self._average, self._level_state, powers), 1e-20))
        sensitivity_db = self._along(self._spec.sensitivity_db, self._to.sensitivity_db, start_frame, frames)
        range_db = self._along(self._spec.range_db, self._to.range_db, start_frame, frames)
        over = np.minimum(np.maximum(hiss - whole - sensitivity_db, 0.0), range_db)
        over[whole < BODY_FLOOR_DB] = 0.0
        key = exp2_array((over - 80.0) * LOG2_10_OVER_20)
        gains = compress(self._smoothing, self._state, key[np.newaxis])
        gains = np.where(gains > 1.0 - 1e-12, 1.0, gains)  # the round trip through decibels leaves less than this
        return samples + (gains - 1.0) * band

    def reset(self) -> None:
        self._band.reset()
        self._level_state[:] = 0.0
        self._state[:] = 0.0

    def telemetry(self) -> Mapping[str, float]:
        """Return the largest reduction of the band in dB, positive."""
        return {"gain_reduction_max_db": float(self._state[3])}
