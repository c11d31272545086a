"""A feedback delay with filtered repeats."""

import math
from dataclasses import dataclass
from typing import Final

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.effects import DelayMemory, DelaySettings, delay
from tapelog_dsp.processors.base import Processor

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
        if self.ping_pong and channels != 2:
            raise ParameterError("Delay.ping_pong", f"{channels} channels", "used on a stereo signal")
        return _RunningDelay(self, sample_rate, channels)


class _RunningDelay(Processor):
    def __init__(self, spec: Delay, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._length = max(round(spec.time_ms * sample_rate / 1000.0), 1)
        self._settings = DelaySettings(
            feedback=spec.feedback,
            lowpass=one_pole_at(spec.lowpass_hz, sample_rate) if spec.lowpass_hz else 1.0,
            highpass=one_pole_at(spec.highpass_hz, sample_rate) if spec.highpass_hz else 0.0,
            wet=spec.mix,
            dry=1.0 - spec.mix,
            ping_pong=spec.ping_pong,
        )
        repeats = 1 if spec.feedback < 1e-5 else 1 + math.ceil(TAIL_LN / math.log(spec.feedback))
        self.tail_frames = self._length * repeats
        self._memory = DelayMemory.at_rest(channels, self._length)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        return delay(self._settings, self._memory, samples)

    def reset(self) -> None:
        self._memory = DelayMemory.at_rest(self._channels, self._length)
