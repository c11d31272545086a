"""Compressor: feed-forward, in the log domain, gain computer before smoothing.

D. Giannoulis, M. Massberg, J. D. Reiss, "Digital Dynamic Range Compressor Design: A Tutorial and Analysis", JAES 60(6),
2012: soft knee of eq. (4), smooth decoupled peak detector of eq. (17).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import below_nyquist, in_range
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.kernels.console import apply_curve
from tapelog_dsp.kernels.dynamics import COMPRESSOR_STATE, CompressorSettings, compress
from tapelog_dsp.kernels.lanes import COMPRESS
from tapelog_dsp.kernels.recursion import sos, sos_state
from tapelog_dsp.processors.base import LaneStage, Processor
from tapelog_dsp.processors.delayline import DelayLine

LOOKAHEAD_MAX_MS: Final = 20.0


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
    """

    threshold_db: float
    ratio: float
    attack_ms: float = 10.0
    release_ms: float = 100.0
    knee_db: float = 6.0
    makeup_db: float = 0.0
    mix: float = 1.0
    sidechain_highpass_hz: float | None = None
    rms_ms: float = 0.0
    lookahead_ms: float = 0.0

    def __post_init__(self) -> None:
        in_range(self, "threshold_db", -80.0, 0.0, "dBFS")
        in_range(self, "ratio", 1.0, 100.0)
        in_range(self, "attack_ms", 0.0, 500.0, "ms")
        in_range(self, "release_ms", 1.0, 5000.0, "ms")
        in_range(self, "knee_db", 0.0, 30.0, "dB")
        in_range(self, "makeup_db", -24.0, 36.0, "dB")
        in_range(self, "mix", 0.0, 1.0)
        in_range(self, "rms_ms", 0.0, 500.0, "ms")
        in_range(self, "lookahead_ms", 0.0, LOOKAHEAD_MAX_MS, "ms")
        if self.sidechain_highpass_hz is not None:
            in_range(self, "sidechain_highpass_hz", 10.0, 2000.0, "Hz")

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running compressor."""
        if self.sidechain_highpass_hz is not None:
            below_nyquist(self, "sidechain_highpass_hz", sample_rate)
        return _RunningCompressor(self, sample_rate, channels)


class _RunningCompressor(Processor):
    def __init__(self, spec: Compressor, sample_rate: int, channels: int) -> None:
        self._settings = CompressorSettings(
            threshold_db=spec.threshold_db,
            knee_db=spec.knee_db,
            slope=1.0 - 1.0 / spec.ratio,
            attack=one_pole(spec.attack_ms, sample_rate),
            release=one_pole(spec.release_ms, sample_rate),
            makeup_db=spec.makeup_db,
            mix=spec.mix,
            power=one_pole(spec.rms_ms, sample_rate) if spec.rms_ms > 0.0 else 0.0,
        ).array()
        self._state = np.zeros(COMPRESSOR_STATE)
        self._frames = 0
        self.latency_frames = round(spec.lookahead_ms * sample_rate / 1000.0)
        self._delay = DelayLine(channels, self.latency_frames)
        self._key_filter = None
        if spec.sidechain_highpass_hz is not None:
            self._key_filter = butterworth(spec.sidechain_highpass_hz, 12, sample_rate, highpass=True)
            self._key_state = sos_state(len(self._key_filter), channels)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        key = samples if self._key_filter is None else sos(self._key_filter, self._key_state, samples)
        gains = compress(self._settings, self._state, key)
        self._frames += samples.shape[1]
        return apply_curve(self._delay.process(samples), gains)

    def lane_stages(self) -> tuple[LaneStage, ...] | None:
        if self._key_filter is not None or self.latency_frames:
            return None
        return (LaneStage(COMPRESS, self._settings, self._state),)

    def lanes_ran(self, frames: int) -> None:
        self._frames += frames

    def reset(self) -> None:
        self._state[:] = 0.0
        self._frames = 0
        self._delay.reset()
        if self._key_filter is not None:
            self._key_state[:] = 0.0

    def telemetry(self) -> Mapping[str, float]:
        """Return the largest and the mean gain reduction so far, in dB, positive."""
        mean = self._state[4] / self._frames if self._frames else 0.0
        return {"gain_reduction_max_db": float(self._state[3]), "gain_reduction_mean_db": float(mean)}
