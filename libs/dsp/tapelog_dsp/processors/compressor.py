"""Compressor: feed-forward, in the log domain, gain computer before smoothing.

D. Giannoulis, M. Massberg, J. D. Reiss, "Digital Dynamic Range Compressor Design: A Tutorial and Analysis", JAES 60(6),
2012: soft knee of eq. (4), smooth decoupled peak detector of eq. (17).
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default, movable
from tapelog_dsp.kernels.console import apply_curve, exp2_array
from tapelog_dsp.kernels.dynamics import COMPRESSOR_SETTINGS, COMPRESSOR_STATE, CompressorSettings, compress
from tapelog_dsp.kernels.lanes import COMPRESS
from tapelog_dsp.processors.base import Course, Key, LaneStage, Processor
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.processors.keyfilter import KeyFilter
from tapelog_dsp.processors.moving import detector_step, under_threshold
from tapelog_dsp.units import LOG2_10_OVER_20, db_to_gain

MEAN_SQUARE: Final = 2
"""Place of the detector's mean square in its state."""


def one_pole(time_ms: float, sample_rate: int) -> float:
    """Return b = 1 - exp(-1 / (tau fs)) of y += b (x - y), which covers 63.2 % of a step in tau; 1 for no smoothing."""
    if time_ms <= 0.0:
        return 1.0
    return -math.expm1(-1000.0 / (time_ms * sample_rate))


@dataclass(frozen=True, slots=True)
class Compressor:
    """A compressor whose channels share one gain.

    Parameters
    ----------
    threshold_db : float
        Level in dBFS above which the gain comes down.
    ratio : float
        Input dB per output dB above the threshold, from 1 to 100.
    attack_ms, release_ms : float
        Times to 63.2 % of a step.
    knee_db : float
        Width of the soft knee around the threshold; 0 is a hard one.
    makeup_db : float
        Gain after the curve.
    mix : float
        Share of the compressed signal, 1 for all of it.
    sidechain_highpass_hz : float or None
        Keeps the lows out of the detector (12 dB per octave), as a glue compressor wants it.
    rms_ms : float
        0 detects peaks; above it the level is the root mean square over this time.
    lookahead_ms : float
        How far the detector hears ahead; the mix graph evens the latency out.
    sidechain_lowpass_hz : float or None
        Keeps the highs out of the detector.
    key : Key, optional
        Another strip of the mix that the detector hears instead; both filters apply to it.
    """

    threshold_db: float
    ratio: float
    attack_ms: float = default("Compressor", "attack_ms")
    release_ms: float = default("Compressor", "release_ms")
    knee_db: float = default("Compressor", "knee_db")
    makeup_db: float = 0.0
    mix: float = 1.0
    sidechain_highpass_hz: float | None = None
    rms_ms: float = 0.0
    lookahead_ms: float = 0.0
    sidechain_lowpass_hz: float | None = None
    key: Key | None = None

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running compressor."""
        return _RunningCompressor(self, sample_rate, channels)


class _RunningCompressor(Processor):
    def __init__(self, spec: Compressor, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._spec = spec
        self._settings = np.empty(COMPRESSOR_SETTINGS)
        self._ends: dict[str, Course] = {}
        self._threshold = Course(spec.threshold_db, spec.threshold_db)
        self.step_frames = detector_step(spec.attack_ms)
        self._tune()
        self._state = np.zeros(COMPRESSOR_STATE)
        self._frames = 0
        self.latency_frames = round(spec.lookahead_ms * sample_rate / 1000.0)
        self._delay = DelayLine(channels, self.latency_frames)
        self._key_filter = KeyFilter(spec.sidechain_highpass_hz, spec.sidechain_lowpass_hz, sample_rate)

    def _tune(self) -> None:
        spec = self._spec
        self._settings[:] = CompressorSettings(
            threshold_db=spec.threshold_db,
            knee_db=spec.knee_db,
            slope=1.0 - 1.0 / spec.ratio,
            attack=one_pole(spec.attack_ms, self._rate),
            release=one_pole(spec.release_ms, self._rate),
            makeup_db=0.0 if self._ends else spec.makeup_db,
            mix=1.0 if self._ends else spec.mix,
            power=one_pole(spec.rms_ms, self._rate) if spec.rms_ms > 0.0 else 0.0,
        ).array()

    def process(self, samples: Audio, start_frame: int) -> Audio:
        return self.process_keyed(samples, samples, start_frame)

    def process_keyed(self, samples: Audio, key: Audio, start_frame: int) -> Audio:
        heard = under_threshold(self._key_filter.process(key, start_frame), self._threshold, start_frame)
        gains = compress(self._settings, self._state, heard)
        if self._ends:
            # Ratio, knee and times are smoothed by the detector itself; what comes after it moves by the frame.
            frames = samples.shape[1]
            share, makeup_db = (
                course.values(start_frame, frames) if course else np.full(frames, still)
                for course, still in (
                    (self._ends.get("mix"), self._spec.mix), (self._ends.get("makeup_db"), self._spec.makeup_db)
                )
            )  # fmt: skip
            gains = gains * exp2_array(makeup_db * LOG2_10_OVER_20) * share + (1.0 - share)
        self._frames += samples.shape[1]
        return apply_curve(self._delay.process(samples), gains)

    def move(self, name: str, course: Course) -> None:
        """Let a setting move: ratio, knee and times cell by cell, all others in straight lines."""
        movable(self._spec, name, course=course)
        if name == "threshold_db":
            # The mean square was taken of a key that was heard against the threshold before.
            self._state[MEAN_SQUARE] *= db_to_gain(course.start - self._threshold.start) ** 2
            self._threshold = course
        changes: dict[str, Any] = {name: course.start}
        self._spec = dataclasses.replace(self._spec, **changes)
        if name.startswith("sidechain"):
            self._key_filter.move(name, course)
        elif name in ("mix", "makeup_db"):
            self._ends[name] = course
        self._tune()

    def lane_stages(self) -> tuple[LaneStage, ...] | None:
        if self._spec.key is not None or not self._key_filter.open or self.latency_frames:
            return None
        return (LaneStage(COMPRESS, self._settings, self._state),)

    def lanes_ran(self, frames: int) -> None:
        self._frames += frames

    def reset(self) -> None:
        self._state[:] = 0.0
        self._frames = 0
        self._delay.reset()
        self._key_filter.reset()

    def telemetry(self) -> Mapping[str, float]:
        """Return the largest and the mean gain reduction so far, in dB, positive."""
        mean = self._state[4] / self._frames if self._frames else 0.0
        return {"gain_reduction_max_db": float(self._state[3]), "gain_reduction_mean_db": float(mean)}
