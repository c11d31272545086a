"""Exciter: harmonics of the upper band, made between the samples and mixed in."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import below_nyquist, declared, default
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.kernels import shaper
from tapelog_dsp.kernels.recursion import sos, sos_state
from tapelog_dsp.master.shaping import LATENCY_FRAMES, TAPS, Shaper
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.units import db_to_gain


@dataclass(frozen=True, slots=True)
class Exciter:
    """Adds harmonics of what lies above a frequency; the dry signal passes bit for bit.

    Parameters
    ----------
    frequency_hz : float
        Lower edge of the band (12 dB per octave), and of what is added.
    drive_db : float
        How far the band is driven into its curve.
    amount_db : float
        Level of the harmonics; -144 is off.
    even : float
        Share of even harmonics, 0 (odd only, tape-like) to 1 (even only, tube-like).
    """

    frequency_hz: float = default("Exciter", "frequency_hz")
    drive_db: float = default("Exciter", "drive_db")
    amount_db: float = default("Exciter", "amount_db")
    even: float = default("Exciter", "even")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running exciter."""
        below_nyquist(self, "frequency_hz", sample_rate)
        return _RunningExciter(self, sample_rate, channels)


class _RunningExciter(Processor):
    latency_frames = LATENCY_FRAMES

    def __init__(self, spec: Exciter, sample_rate: int, channels: int) -> None:
        self._amount = db_to_gain(spec.amount_db)
        self._band = butterworth(spec.frequency_hz, 12, sample_rate, highpass=True)
        self._before, self._after = (sos_state(len(self._band), channels) for _ in range(2))
        settings = np.array([db_to_gain(spec.drive_db), 1.0 - spec.even, spec.even])
        self._shaper = Shaper(sample_rate, channels, curve=shaper.EXCITE, settings=settings, idle=0.0)
        self._delay = DelayLine(channels, LATENCY_FRAMES)
        self.tail_frames = TAPS + 2 * ringing_frames(self._band)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        dry = self._delay.process(samples)
        if self._amount == 0.0:
            return dry
        _, added = self._shaper.process(sos(self._band, self._before, samples))
        return dry + self._amount * sos(self._band, self._after, added)

    def reset(self) -> None:
        self._before[:] = 0.0
        self._after[:] = 0.0
        self._shaper.reset()
        self._delay.reset()
