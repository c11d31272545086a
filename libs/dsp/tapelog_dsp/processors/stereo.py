"""Stereo tools: mid and side apart, mono bass, alignment in time."""

import math
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.processors.base import Processor, ProcessorSpec
from tapelog_dsp.processors.chain import Chain
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.processors.filters import SectionFilter


@dataclass(frozen=True, slots=True)
class MidSide:
    """Processors on the middle M = (L + R) / 2 or the sides S = (L - R) / 2 of a stereo signal.

    Parameters
    ----------
    mid, side : tuple of ProcessorSpec
        Chains for one channel each; their latencies are evened out.
    """

    mid: tuple[ProcessorSpec, ...] = ()
    side: tuple[ProcessorSpec, ...] = ()

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make the running pair; raises `ParameterError` for mono."""
        if channels != 2:
            raise ParameterError("MidSide", f"{channels} channels", "used on a stereo signal")
        return _RunningMidSide(Chain(self.mid, sample_rate, 1), Chain(self.side, sample_rate, 1))


class _RunningMidSide(Processor):
    def __init__(self, mid: Processor, side: Processor) -> None:
        self._parts = (mid, side)
        self.latency_frames = max(part.latency_frames for part in self._parts)
        self.tail_frames = max(part.tail_frames for part in self._parts)
        self._waits = [DelayLine(1, self.latency_frames - part.latency_frames) for part in self._parts]

    def process(self, samples: Audio, start_frame: int) -> Audio:
        apart = 0.5 * (samples[:1] + samples[1:]), 0.5 * (samples[:1] - samples[1:])
        mid, side = (
            wait.process(part.process(signal, start_frame))
            for part, wait, signal in zip(self._parts, self._waits, apart, strict=True)
        )
        return np.concatenate((mid + side, mid - side))

    def reset(self) -> None:
        for part, wait in zip(self._parts, self._waits, strict=True):
            part.reset()
            wait.reset()


@dataclass(frozen=True, slots=True)
class MonoMaker:
    """Makes the bass mono: the sides pass a high-pass of 12 dB per octave, the middle is left alone.

    Parameters
    ----------
    frequency_hz : float
        Corner below which nothing is left at the sides.
    """

    frequency_hz: float = default("MonoMaker", "frequency_hz")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running mono-maker; raises `ParameterError` for mono."""
        if channels != 2:
            raise ParameterError("MonoMaker", f"{channels} channels", "used on a stereo signal")
        return _RunningMonoMaker(butterworth(self.frequency_hz, 12, sample_rate, highpass=True))


class _RunningMonoMaker(Processor):
    """Takes off what the high-pass takes off the sides, so that a mono signal comes out bit for bit."""

    def __init__(self, sections: np.ndarray) -> None:
        self._filter = SectionFilter(sections, 1)
        self.tail_frames = self._filter.tail_frames

    def process(self, samples: Audio, start_frame: int) -> Audio:
        side = 0.5 * (samples[:1] - samples[1:])
        removed = side - self._filter.process(side, start_frame)
        return np.concatenate((samples[:1] - removed, samples[1:] + removed))

    def reset(self) -> None:
        self._filter.reset()


@dataclass(frozen=True, slots=True)
class TimeAlign:
    """Moves a signal back in time, by parts of a frame too; not evened out, for moving it is the purpose.

    Parameters
    ----------
    delay_ms : float
        How far. Between frames by the third-order Lagrange interpolator, whose highs droop (-1.3 dB at a quarter of the
        rate, half-way between frames); whole frames are exact.
    """

    delay_ms: float

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running delay."""
        return _RunningTimeAlign(self.delay_ms * sample_rate / 1000.0, channels)


class _RunningTimeAlign(Processor):
    def __init__(self, frames: float, channels: int) -> None:
        near = round(frames)
        exact = abs(frames - near) < 1e-6
        whole = near if exact else max(math.floor(frames) - 1, 0)
        d = 0.0 if exact else frames - whole
        self._taps = [
            math.prod((d - j) / (k - j) for j in range(4) if j != k) for k in range(4)
        ] if d else [1.0]  # fmt: skip
        self._delay = DelayLine(channels, whole)
        self._kept = np.zeros((channels, len(self._taps) - 1))
        self.tail_frames = whole + len(self._taps)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        late = self._delay.process(samples)
        if len(self._taps) == 1:
            return late
        frames, reach = samples.shape[1], len(self._taps) - 1
        joined = np.concatenate((self._kept, late), axis=1)
        self._kept = joined[:, frames:].copy()
        total = np.zeros_like(late)
        for k, tap in enumerate(self._taps):
            total += tap * joined[:, reach - k : reach - k + frames]
        return total

    def reset(self) -> None:
        self._delay.reset()
        self._kept[:] = 0.0
