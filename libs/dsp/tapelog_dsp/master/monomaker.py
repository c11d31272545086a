"""Mono-maker: no sides below a frequency, as vinyl and club systems want it."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default, movable
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.recursion import sos, sos_state, svf
from tapelog_dsp.master.crossover import SEARCH_BITS, crossover_sections
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.movingeq import state_variable


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
        self._rate = sample_rate
        self._side, self._mid = _sections(spec.frequency_hz, sample_rate)
        self._rows: tuple[tuple[Float64s, Float64s], ...] = ()
        self._course = Course(spec.frequency_hz, spec.frequency_hz)
        self._side_state, self._mid_state = sos_state(2, 1), sos_state(1, 1)
        self.tail_frames = 2 * ringing_frames(self._side)

    def move(self, name: str, course: Course) -> None:
        """Let the frequency go from one value to another."""
        movable(MonoMaker(), name, course=course)
        start, end = (_sections(hz, self._rate, search_bits=0) for hz in (course.start, course.end))
        self._rows = tuple((state_variable(start[k]), state_variable(end[k])) for k in (0, 1))
        self._course = course
        self.tail_frames = 2 * ringing_frames(start[0])

    def process(self, samples: Audio, start_frame: int) -> Audio:
        left, right = samples
        mid, side = (0.5 * (left + right))[None], (0.5 * (left - right))[None]
        if self._rows:
            place = self._course.place(start_frame)
            side = svf(*self._rows[0], place, self._side_state, side)
            mid = svf(*self._rows[1], place, self._mid_state, mid)
        else:
            mid, side = sos(self._mid, self._mid_state, mid), sos(self._side, self._side_state, side)
        return np.concatenate((mid + side, mid - side))

    def reset(self) -> None:
        self._side_state[:] = 0.0
        self._mid_state[:] = 0.0


def _sections(frequency_hz: float, sample_rate: int, *, search_bits: int = SEARCH_BITS) -> tuple[Float64s, Float64s]:
    """Return what the sides and what the middle pass."""
    _, highpass, allpass = crossover_sections((frequency_hz,), sample_rate, owner="MonoMaker", search_bits=search_bits)[
        0
    ]
    return np.array([highpass, highpass]), np.array([allpass])
