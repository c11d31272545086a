"""A feedback delay with filtered repeats."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from tapelog_parameters import PROCESSORS

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.effects import DelayMemory, DelaySettings, delay
from tapelog_dsp.kernels.glide import GlideMemory, glide_delay
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.moving import moved

TAIL_LN: Final = math.log(1e-5)


def one_pole_at(cutoff_hz: float, sample_rate: int) -> float:
    """Return b = 1 - exp(-2 pi fc / fs) of y += b (x - y)."""
    return -math.expm1(-2.0 * math.pi * cutoff_hz / sample_rate)


@dataclass(frozen=True, slots=True)
class Delay:
    """Echoes; each repeat passes a low-pass and a high-pass of 6 dB per octave.

    Parameters
    ----------
    time_ms : float
        Between repeats, rounded to whole frames.
    feedback : float
        Level of each repeat against the one before, 0 for a single echo.
    mix : float
        y = x (1 - mix) + echo mix; use 1 on a bus that is fed by sends.
    highpass_hz, lowpass_hz : float or None
        Corners of the filters in the feedback path.
    ping_pong : bool
        Whether each repeat changes sides; the first one is on the left. Needs a stereo signal.
    """

    time_ms: float
    feedback: float = 0.3
    mix: float = 1.0
    highpass_hz: float | None = None
    lowpass_hz: float | None = None
    ping_pong: bool = False

    def __post_init__(self) -> None:
        declared(self)
        if self.time_ms == 0.0:
            raise ParameterError("Delay.time_ms", self.time_ms, "1 ms or more")

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running delay; raises `ParameterError` for a ping-pong on mono."""
        self._fits(channels)
        return _RunningDelay(self, sample_rate, channels)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running delay whose settings move; its time moves as a tape head would, by half a frame per frame."""
        self._fits(channels)
        return _GlidingDelay(self, sample_rate, channels)

    def _fits(self, channels: int) -> None:
        if self.ping_pong and channels != 2:
            raise ParameterError("Delay.ping_pong", f"{channels} channels", "used on a stereo signal")

    def frames(self, sample_rate: int) -> int:
        """Return the time in whole frames."""
        return max(round(self.time_ms * sample_rate / 1000.0), 1)

    def tail_frames(self, sample_rate: int) -> int:
        """Return for how long its echoes stay above -100 dB."""
        repeats = 1 if self.feedback < 1e-5 else 1 + math.ceil(TAIL_LN / math.log(self.feedback))
        return self.frames(sample_rate) * repeats

    def factors(self, sample_rate: int) -> DelaySettings:
        """Return what the kernel multiplies by."""
        return DelaySettings(
            feedback=self.feedback,
            lowpass=one_pole_at(self.lowpass_hz, sample_rate) if self.lowpass_hz else 1.0,
            highpass=one_pole_at(self.highpass_hz, sample_rate) if self.highpass_hz else 0.0,
            wet=self.mix,
            dry=1.0 - self.mix,
            ping_pong=self.ping_pong,
        )


class _RunningDelay(Processor):
    def __init__(self, spec: Delay, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._length = spec.frames(sample_rate)
        self._settings = spec.factors(sample_rate)
        self.tail_frames = spec.tail_frames(sample_rate)
        self._memory = DelayMemory.at_rest(channels, self._length)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        return delay(self._settings, self._memory, samples)

    def reset(self) -> None:
        self._memory = DelayMemory.at_rest(self._channels, self._length)


class _GlidingDelay(Processor):
    """The head starts where the first block's cell has it, and follows from there."""

    def __init__(self, spec: Delay, sample_rate: int, channels: int) -> None:
        self._rate, self._channels = sample_rate, channels
        self._start, self._end = spec, spec
        self._place = (0, 1)
        longest_ms = PROCESSORS["Delay"]["time_ms"].high
        self._length = round(longest_ms * sample_rate / 1000.0) + 4
        self.tail_frames = spec.tail_frames(sample_rate)
        self._memory: GlideMemory | None = None
        self._tune()

    def _tune(self) -> None:
        self._ends = self._numbers(self._start, self._end), self._numbers(self._end, self._start)

    def _numbers(self, spec: Delay, other: Delay) -> Float64s:
        factors = spec.factors(self._rate)
        frames = float(spec.frames(self._rate))
        if spec.time_ms != other.time_ms:
            frames = max(spec.time_ms * self._rate / 1000.0, 2.0)
        return np.array(
            [frames, factors.feedback, factors.lowpass, factors.highpass, factors.wet, factors.dry], dtype=np.float64
        )

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another."""
        self._start, self._end = moved(self._start, self._end, name, course)
        self._place = course.first_frame, course.frames
        self.tail_frames = self._start.tail_frames(self._rate)
        self._tune()

    def process(self, samples: Audio, start_frame: int) -> Audio:
        place = start_frame - self._place[0], self._place[1]
        if self._memory is None:
            way = place[0] / place[1]
            head = float(self._ends[0][0] + (self._ends[1][0] - self._ends[0][0]) * way)
            self._memory = GlideMemory.at_rest(self._channels, self._length, head)
        return glide_delay(*self._ends, place, self._memory, samples, ping_pong=self._start.ping_pong)

    def reset(self) -> None:
        self._memory = None
