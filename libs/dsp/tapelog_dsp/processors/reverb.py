"""A plate reverb after J. Dattorro, "Effect Design, Part 1: Reverberator and Other Filters", JAES 45(9), 1997."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from tapelog_parameters import PROCESSORS

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.effects import PlateMemory, PlateSettings, plate
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.delay import one_pole_at
from tapelog_dsp.processors.moving import moved

DESIGN_RATE_HZ: Final = 29_761
"""The rate for which the paper gives its lengths."""

INPUT_DELAYS: Final = (142, 107, 379, 277)
LEFT_DELAYS: Final = (672, 4453, 1800, 3720)
RIGHT_DELAYS: Final = (908, 4217, 2656, 3163)
OUTPUT_TAPS: Final = (
    (266, 2974, 1913, 1996, 1990, 187, 1066),
    (353, 3627, 1228, 2673, 2111, 335, 121),
)
"""Table 2 of the paper, left and right, in the order of the lines they read."""

SWING_FRAMES: Final = 8.0
SWING_HZ: Final = 1.0
"""Slow modulation of the first all-pass of each tank, against ringing; frames at the design rate."""


@dataclass(frozen=True, slots=True)
class PlateReverb:
    """A plate, meant for a bus fed by sends.

    Parameters
    ----------
    decay_s : float
        Time in which the middle frequencies fall by 60 dB.
    predelay_ms : float
        Before the first reflection.
    damping_hz : float
        Corner of the low-pass inside the tanks: above it the tail dies sooner.
    lowcut_hz : float
        Corner of the high-pass at the input.
    bandwidth_hz : float
        Corner of the low-pass at the input.
    size : float
        Scales every length; 1 is the paper's plate.
    mix : float
        y = x (1 - mix) + reverb mix.
    """

    decay_s: float = 1.8
    predelay_ms: float = 0.0
    damping_hz: float = 6_000.0
    lowcut_hz: float = 120.0
    bandwidth_hz: float = 12_000.0
    size: float = 1.0
    mix: float = 1.0

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running plate."""
        del channels
        return _RunningPlate(self, sample_rate, self.predelay_ms)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running plate whose settings move; all but its size, which sets the lengths of its lines."""
        del channels
        return _RunningPlate(self, sample_rate, PROCESSORS["PlateReverb"]["predelay_ms"].high)


class _RunningPlate(Processor):
    def __init__(self, spec: PlateReverb, sample_rate: int, predelay_max_ms: float) -> None:
        self._rate = sample_rate
        self._start, self._end = spec, spec
        self._place = (0, 1)
        self._scale = spec.size * sample_rate / DESIGN_RATE_HZ
        scale = self._scale
        delays = [round(frames * scale) for frames in (*INPUT_DELAYS, *LEFT_DELAYS, *RIGHT_DELAYS)]
        taps = [[max(round(frames * scale), 1) for frames in side] for side in OUTPUT_TAPS]
        room = math.ceil(SWING_FRAMES * scale) + 3
        longest = round(predelay_max_ms * sample_rate / 1000.0)
        self._settings = PlateSettings(
            np.array([*delays, 0], dtype=np.int64),
            np.array(taps, dtype=np.int64),
            np.array([*(frames + room for frames in delays), longest + 3], dtype=np.int64),
        )
        self._tune()
        self._memory: PlateMemory | None = None

    def _tune(self) -> None:
        first = self._numbers(self._start)
        self._ends = first, first if self._start == self._end else self._numbers(self._end)
        if self._start == self._end:
            # 100 dB of decay, and the way through the tanks before it starts.
            decay_s = self._start.decay_s * 100.0 / 60.0
            self.tail_frames = math.ceil((decay_s + self._loop_s()) * self._rate) + int(self._ends[0][-1])

    def _loop_s(self) -> float:
        return (sum(LEFT_DELAYS) + sum(RIGHT_DELAYS)) * self._start.size / DESIGN_RATE_HZ

    def _numbers(self, spec: PlateReverb) -> Float64s:
        rate, swing = self._rate, 2.0 * math.pi * SWING_HZ / self._rate
        predelay = spec.predelay_ms * rate / 1000.0
        return np.array(
            [
                one_pole_at(spec.bandwidth_hz, rate),
                one_pole_at(spec.lowcut_hz, rate),
                10.0 ** (-3.0 * (0.25 * self._loop_s()) / spec.decay_s),  # the loop passes four such factors
                one_pole_at(spec.damping_hz, rate),
                SWING_FRAMES * self._scale,
                math.cos(swing),
                math.sin(swing),
                spec.mix,
                1.0 - spec.mix,
                float(round(predelay)) if self._start.predelay_ms == self._end.predelay_ms else predelay,
            ]
        )

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another."""
        self._start, self._end = moved(self._start, self._end, name, course)
        self._place = course.first_frame, course.frames
        self._tune()

    def process(self, samples: Audio, start_frame: int) -> Audio:
        place = start_frame - self._place[0], self._place[1]
        if self._memory is None:
            first, last = self._ends[0][-1], self._ends[1][-1]
            head = float(first + (last - first) * (place[0] / place[1]))
            self._memory = PlateMemory.at_rest(self._settings, head)
        return plate(self._settings, self._ends, place, self._memory, samples)

    def reset(self) -> None:
        self._memory = None
