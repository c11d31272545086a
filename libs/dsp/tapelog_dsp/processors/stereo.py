"""Stereo tools: mid and side apart, alignment in time."""

import math
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.processors.base import GRID_FRAMES, Course, Processor, ProcessorSpec
from tapelog_dsp.processors.chain import Chain
from tapelog_dsp.processors.delayline import DelayLine


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

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make the running pair whose settings move, named as those of its one processor.

        Raises
        ------
        ParameterError
            For mono, or where there is not exactly one processor.
        """
        inside = (*self.mid, *self.side)
        if channels != 2 or len(inside) != 1:
            given = f"{len(inside)} processors on {channels} channels"
            raise ParameterError("MidSide", given, "one processor on a stereo signal where its settings move")
        only = getattr(inside[0], "prepare_moving", inside[0].prepare)(sample_rate, 1)
        still = Chain((), sample_rate, 1)
        return _RunningMidSide(only, still, only) if self.mid else _RunningMidSide(still, only, only)


class _RunningMidSide(Processor):
    def __init__(self, mid: Processor, side: Processor, moving: Processor | None = None) -> None:
        self._parts = (mid, side)
        self._moving = moving
        self.step_frames = moving.step_frames if moving is not None else GRID_FRAMES
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

    def move(self, name: str, course: Course) -> None:
        """Pass it on to the processor."""
        if self._moving is None:
            super().move(name, course)
        else:
            self._moving.move(name, course)
            self.tail_frames = max(part.tail_frames for part in self._parts)

    def reset(self) -> None:
        for part in self._parts:
            part.reset()
        for wait in self._waits:
            wait.reset()


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
