"""True-peak limiter: detects between the samples, acts at the base rate, holds the ceiling on three meters.

Detection is the largest of the ITU 48-tap meter, the 49-tap Hann meter and a long 16-fold interpolation, linked over
the channels. The reduction needed goes through two envelopes of which the larger one acts. The fast one is its maximum
over the look-ahead with a short release: a single drum hit is let go at once. The slow one averages its maximum over
half a period of the lowest tones: what is limited all the time is held still, so that bass is not bent. Two box
averages smooth the result (split 0.5822, after Haemaelaeinen, "Smoothing of the control signal without clipped output
in digital peak limiters", DAFx 2002): an average of values that are each enough is enough.
With a look-ahead of 1 ms or more the gain moves so slowly that nothing grows back between the samples: a second stage
was tried and changed no meter by more than 0.03 dB.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.interpolators import (
    LONG_PHASES,
    OVERSAMPLING_FREE_RATE_HZ,
    hann49,
    itu48,
    long128,
)
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.console import apply_curve, log2_array
from tapelog_dsp.kernels.limiter import STRETCH, PeakTables, limit, limiter_peaks, limiter_state
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.compressor import one_pole
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.units import DB_PER_OCTAVE, db_to_gain, gain_to_db

DILATION_FRAMES: Final = 8
"""A peak between samples is made of its neighbours; they get the same reduction this far to both sides."""

FAST_RELEASE_MS: Final = 10.0
SLOW_ATTACK_MS: Final = 300.0
"""Of the two envelopes, to 63.2 %. Tuned on real masters driven 3 to 12 dB: the shortest release and the slowest attack
that keep a 50 Hz tone, 1 dB over, below -60 dB of harmonics one second after it began."""

FIRST_BOX_SHARE: Final = 0.5822
"""Of the look-ahead; this split of two boxes has the least stop-band leakage."""


@dataclass(frozen=True, slots=True)
class TruePeakLimiter:
    """A look-ahead limiter for the end of a chain.

    Parameters
    ----------
    ceiling_dbtp : float
        No meter of the three reads more than 0.05 dB above it.
    lookahead_ms : float
        How long the gain takes to come down before a peak.
    hold_ms : float
        How long the slow envelope remembers a peak; look-ahead and hold together last half a period of the lowest tone
        that is limited without distortion (11 ms: 45 Hz).
    release_ms : float
        Time to 63.2 % of the way back, after something was limited for long; after a single peak it is 10 ms.
    """

    ceiling_dbtp: float = default("TruePeakLimiter", "ceiling_dbtp")
    lookahead_ms: float = default("TruePeakLimiter", "lookahead_ms")
    hold_ms: float = default("TruePeakLimiter", "hold_ms")
    release_ms: float = default("TruePeakLimiter", "release_ms")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running limiter."""
        return _RunningLimiter(self, sample_rate, channels)


class _Detector:
    """The largest magnitude at and after each sample, over all channels and interpolators, ``lag`` frames late."""

    def __init__(self, sample_rate: int, channels: int, bound: float) -> None:
        standard = [itu48(), hann49()] if sample_rate < OVERSAMPLING_FREE_RATE_HZ else []
        self._tables = PeakTables([*standard, long128(LONG_PHASES)])
        self.lag = self._tables.lag
        self._bound = bound
        self._kept = np.zeros((channels, self._tables.before + self.lag), dtype=np.float32)

    def process(self, samples: Audio) -> Float32s:
        channels, frames = samples.shape
        before = self._kept.shape[1]
        joined = np.empty((channels, before + frames + STRETCH), dtype=np.float32)
        joined[:, :before] = self._kept
        joined[:, before : before + frames] = samples
        joined[:, before + frames :] = 0.0
        self._kept = joined[:, frames : frames + before].copy()
        return limiter_peaks(self._tables, joined, self._bound, frames)

    def reset(self) -> None:
        self._kept[:] = 0.0


class _RunningLimiter(Processor):
    def __init__(self, spec: TruePeakLimiter, sample_rate: int, channels: int) -> None:
        self._ceiling = db_to_gain(spec.ceiling_dbtp)
        boxes = max(round(spec.lookahead_ms * sample_rate / 1000.0), 4)
        first = round(FIRST_BOX_SHARE * boxes)
        reach = boxes - 2 + DILATION_FRAMES
        ahead = reach + DILATION_FRAMES + 1
        hold = max(round(spec.hold_ms * sample_rate / 1000.0), 1)
        self._shape = np.array([ahead, hold, first, boxes - first], dtype=np.int64)
        self._factors = np.array(
            [
                math.exp(-1000.0 / (FAST_RELEASE_MS * sample_rate)),
                one_pole(SLOW_ATTACK_MS, sample_rate),
                one_pole(spec.release_ms, sample_rate),
            ]
        )
        self._detector = _Detector(sample_rate, channels, self._ceiling)
        self._state = limiter_state(self._shape)
        self.latency_frames = self._detector.lag + reach
        self._delay = DelayLine(channels, self.latency_frames)
        self._forget_figures()

    def _forget_figures(self) -> None:
        self._least_gain, self._reduction_sum_db = 1.0, 0.0
        self._limited_frames, self._frames = 0, 0

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        peaks = self._detector.process(samples)
        gains = limit(self._shape, self._ceiling, self._factors, self._state, peaks)
        self._least_gain = min(self._least_gain, float(gains.min(initial=1.0)))
        limited = int(np.count_nonzero(gains < 1.0))
        if limited:
            self._reduction_sum_db -= DB_PER_OCTAVE * float(log2_array(gains).sum())
            self._limited_frames += limited
        self._frames += gains.size
        return apply_curve(self._delay.process(samples), gains)

    def reset(self) -> None:
        self._detector.reset()
        self._state[:] = 0
        self._delay.reset()
        self._forget_figures()

    def telemetry(self) -> Mapping[str, float]:
        """Return the largest and the mean gain reduction in dB, positive, and the share of time with any."""
        frames = max(self._frames, 1)
        return {
            "gain_reduction_max_db": 0.0 - gain_to_db(self._least_gain),
            "gain_reduction_mean_db": self._reduction_sum_db / frames,
            "limited_share": self._limited_frames / frames,
        }
