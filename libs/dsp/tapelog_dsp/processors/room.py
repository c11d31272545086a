"""A room or hall: a feedback delay network of eight lines behind four diffusers."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.effects import RoomMemory, room
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.delay import one_pole_at

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
        return _RunningRoom(self, sample_rate)


class _RunningRoom(Processor):
    def __init__(self, spec: RoomReverb, sample_rate: int) -> None:
        path = spec.size_m / SOUND_M_S * sample_rate
        loops = [max(round(share * path), 2) for share in LOOP_SHARES]
        diffusers = [max(round(share * path), 1) for share in DIFFUSER_SHARES]
        predelay = max(round(spec.predelay_ms * sample_rate / 1000.0), 1)
        decays = [10.0 ** (-3.0 * frames / (spec.decay_s * sample_rate)) for frames in loops]
        self._lengths = np.array([*diffusers, *loops, predelay], dtype=np.int64)
        self._parameters = np.array(
            [
                one_pole_at(spec.lowcut_hz, sample_rate),
                one_pole_at(min(spec.damping_hz, 0.49 * sample_rate), sample_rate),
                spec.mix,
                1.0 - spec.mix,
                *decays,
            ]
        )
        ring = sum(diffusers) * 12 + 2 * max(loops)
        self.tail_frames = math.ceil(spec.decay_s * 110.0 / 60.0 * sample_rate) + predelay + ring
        self._memory = RoomMemory.at_rest(self._lengths)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        return room(self._parameters, self._lengths, self._memory, samples)

    def reset(self) -> None:
        self._memory = RoomMemory.at_rest(self._lengths)
