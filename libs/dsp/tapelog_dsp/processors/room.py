"""A room or hall: a feedback delay network of eight lines behind four diffusers."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from tapelog_parameters import PROCESSORS

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.effects import RoomMemory, room
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.delay import one_pole_at
from tapelog_dsp.processors.moving import moved

SOUND_M_S: Final = 343.0
LOOP_SHARES: Final = (0.5347, 0.6151, 0.7013, 0.7841, 0.8669, 0.9473, 1.0331, 1.1239)
"""Path lengths of the loops against the size, without common multiples."""

DIFFUSER_SHARES: Final = (0.0461, 0.0713, 0.1097, 0.1531)


@dataclass(frozen=True, slots=True)
class RoomReverb:
    """A room, meant for a bus fed by sends.

    Parameters
    ----------
    decay_s : float
        Time in which the low frequencies fall by 60 dB.
    predelay_ms : float
        Before the first reflection.
    size_m : float
        Mean free path: 3 a closet, 12 a studio, 40 a hall.
    damping_hz : float
        Corner of the low-pass in each loop: above it the tail dies sooner.
    lowcut_hz : float
        Corner of the high-pass at the input.
    mix : float
        y = x (1 - mix) + reverb mix.
    """

    decay_s: float = default("RoomReverb", "decay_s")
    predelay_ms: float = 0.0
    size_m: float = default("RoomReverb", "size_m")
    damping_hz: float = default("RoomReverb", "damping_hz")
    lowcut_hz: float = default("RoomReverb", "lowcut_hz")
    mix: float = 1.0

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running room."""
        del channels
        return _RunningRoom(self, sample_rate, self.predelay_ms)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running room whose settings move; all but its size, which sets the lengths of its lines."""
        del channels
        return _RunningRoom(self, sample_rate, PROCESSORS["RoomReverb"]["predelay_ms"].high)


class _RunningRoom(Processor):
    def __init__(self, spec: RoomReverb, sample_rate: int, predelay_max_ms: float) -> None:
        self._rate = sample_rate
        self._start, self._end = spec, spec
        self._place = (0, 1)
        path = spec.size_m / SOUND_M_S * sample_rate
        self._loops = [max(round(share * path), 2) for share in LOOP_SHARES]
        diffusers = [max(round(share * path), 1) for share in DIFFUSER_SHARES]
        longest = max(round(predelay_max_ms * sample_rate / 1000.0), 1)
        self._lengths = np.array([*diffusers, *self._loops, longest + 3], dtype=np.int64)
        self._ring_frames = sum(diffusers) * 12 + 2 * max(self._loops)
        self._tune()
        self._memory: RoomMemory | None = None

    def _tune(self) -> None:
        first = self._numbers(self._start)
        self._ends = first, first if self._start == self._end else self._numbers(self._end)
        if self._start == self._end:
            decay = math.ceil(self._start.decay_s * 110.0 / 60.0 * self._rate)
            self.tail_frames = decay + int(first[-1]) + self._ring_frames

    def _numbers(self, spec: RoomReverb) -> Float64s:
        predelay = max(spec.predelay_ms * self._rate / 1000.0, 1.0)
        return np.array(
            [
                one_pole_at(spec.lowcut_hz, self._rate),
                one_pole_at(min(spec.damping_hz, 0.49 * self._rate), self._rate),
                spec.mix,
                1.0 - spec.mix,
                *(10.0 ** (-3.0 * frames / (spec.decay_s * self._rate)) for frames in self._loops),
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
            self._memory = RoomMemory.at_rest(self._lengths, head)
        return room(self._ends, place, self._lengths, self._memory, samples)

    def reset(self) -> None:
        self._memory = None
