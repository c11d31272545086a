"""Mono-maker: no sides below a frequency, as vinyl and club systems want it."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.recursion import sos, sos_state
from tapelog_dsp.master.crossover import crossover_sections
from tapelog_dsp.processors.base import Processor


@dataclass(frozen=True, slots=True)
class MonoMaker:
    """Takes the side signal out below a frequency; the mid keeps its level everywhere.

    The side passes the upper way of a Linkwitz-Riley split, the mid the all-pass that both ways sum to, so that what
    is above the frequency keeps its place between the loudspeakers.

    Parameters
    ----------
    frequency_hz : float
        The sides are 6 dB down here and fall by 24 dB per octave below.
    """

    frequency_hz: float = default("MonoMaker", "frequency_hz")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running mono-maker; raises `ParameterError` for anything but stereo."""
        if channels != 2:
            raise ParameterError("MonoMaker", f"{channels} channels", "used on a stereo signal")
        return _RunningMonoMaker(self, sample_rate)


class _RunningMonoMaker(Processor):
    def __init__(self, spec: MonoMaker, sample_rate: int) -> None:
        _, highpass, allpass = crossover_sections((spec.frequency_hz,), sample_rate, owner="MonoMaker")[0]
        self._side, self._mid = np.array([highpass, highpass]), np.array([allpass])
        self._side_state, self._mid_state = sos_state(2, 1), sos_state(1, 1)
        self.tail_frames = 2 * ringing_frames(self._side)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        left, right = samples
        mid = sos(self._mid, self._mid_state, (0.5 * (left + right))[None])
        side = sos(self._side, self._side_state, (0.5 * (left - right))[None])
        return np.concatenate((mid + side, mid - side))

    def reset(self) -> None:
        self._side_state[:] = 0.0
        self._mid_state[:] = 0.0
