"""A plate reverb after J. Dattorro, "Effect Design, Part 1: Reverberator and Other Filters", JAES 45(9), 1997."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.kernels.effects import PlateMemory, PlateSettings, plate
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.delay import one_pole_at

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
        return _RunningPlate(self, sample_rate, channels)


class _RunningPlate(Processor):
    def __init__(self, spec: PlateReverb, sample_rate: int, channels: int) -> None:
        del channels
        scale = spec.size * sample_rate / DESIGN_RATE_HZ
        swing = 2.0 * math.pi * SWING_HZ / sample_rate
        loop_s = (sum(LEFT_DELAYS) + sum(RIGHT_DELAYS)) * spec.size / DESIGN_RATE_HZ
        predelay = round(spec.predelay_ms * sample_rate / 1000.0)
        parameters = (
            one_pole_at(spec.bandwidth_hz, sample_rate),
            one_pole_at(spec.lowcut_hz, sample_rate),
            10.0 ** (-3.0 * (0.25 * loop_s) / spec.decay_s),  # the loop passes four such factors
            one_pole_at(spec.damping_hz, sample_rate),
            SWING_FRAMES * scale,
            math.cos(swing),
            math.sin(swing),
            spec.mix,
            1.0 - spec.mix,
        )
        delays = [round(frames * scale) for frames in (*INPUT_DELAYS, *LEFT_DELAYS, *RIGHT_DELAYS)]
        taps = [[max(round(frames * scale), 1) for frames in side] for side in OUTPUT_TAPS]
        room = math.ceil(SWING_FRAMES * scale) + 3
        self._settings = PlateSettings(
            np.array(parameters),
            np.array([*delays, predelay], dtype=np.int64),
            np.array(taps, dtype=np.int64),
            np.array([*(frames + room for frames in delays), predelay + 1], dtype=np.int64),
        )
        # 100 dB of decay, and the way through the tanks before it starts.
        self.tail_frames = math.ceil((spec.decay_s * 100.0 / 60.0 + loop_s) * sample_rate) + predelay
        self._memory = PlateMemory.at_rest(self._settings)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        return plate(self._settings, self._memory, samples)

    def reset(self) -> None:
        self._memory = PlateMemory.at_rest(self._settings)
