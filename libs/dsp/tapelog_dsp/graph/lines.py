"""The signals of one block on their way through the console."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tapelog_dsp.audio import Audio
from tapelog_dsp.graph.plan import Edge
from tapelog_dsp.kernels.call import Float32s, Int16s
from tapelog_dsp.kernels.lanes import PACKED_MARGIN

Packed = npt.NDArray[np.uint8]
"""Whole numbers of 2 to 4 bytes as they stand in a file: little-endian, the channels of a frame beside each other."""


class Bed:
    """A sum that was made before: both parts of it, as `split_sum` has them.

    Attributes
    ----------
    high : ndarray of float32 [shape=(2, frames)]
    low : ndarray of int16 [shape=(2, frames)]
    """

    def __init__(self, frames: int) -> None:
        self.high: Float32s = np.zeros((2, frames), dtype=np.float32)
        self.low: Int16s = np.zeros((2, frames), dtype=np.int16)

    @property
    def frames(self) -> int:
        """Length of the block."""
        return int(self.high.shape[1])


class BlockLines:
    """One block's signals, reused from block to block.

    Parameters
    ----------
    channels : mapping of str to int
        Of each track's input.
    strips : mapping of str to bool
        Every strip, and whether its signal before the fader is wanted.
    frames : int
        Length of the block.
    packed : mapping of str to int
        Bytes of a sample of the tracks that come as whole numbers.
    beds : iterable of str
        What is added to the sums of buses, or of the mix, because it was summed before.

    Attributes
    ----------
    inputs : dict of str to ndarray [shape=(channels, frames)]
        Samples of the tracks that come as floats.
    packed : dict of str to ndarray of uint8
        Samples of the others.
    kept : dict
        What those who run on these lines want to remember with them.
    """

    def __init__(
        self,
        channels: Mapping[str, int],
        strips: Mapping[str, bool],
        frames: int,
        packed: Mapping[str, int],
        beds: Iterable[str] = (),
    ) -> None:
        self.frames = frames
        self.start_frame = 0
        self.sample_bytes = dict(packed)
        self.inputs: dict[str, Audio] = {
            name: np.zeros((count, frames)) for name, count in channels.items() if name not in packed
        }
        self.packed: dict[str, Packed] = {
            name: np.zeros(PACKED_MARGIN + frames * channels[name] * size, dtype=np.uint8)[PACKED_MARGIN:]
            for name, size in packed.items()
        }
        self.post_fader: dict[str, Float32s] = {name: np.zeros((2, frames), dtype=np.float32) for name in strips}
        self.pre_fader: dict[str, Float32s] = {
            name: np.zeros((2, frames), dtype=np.float32) for name, wanted in strips.items() if wanted
        }
        self.beds = {name: Bed(frames) for name in beds}
        self.kept: dict[Hashable, Any] = {}

    def tapped(self, edge: Edge) -> Float32s:
        """Return the signal that leaves on a way."""
        return self.pre_fader[edge.source] if edge.pre_fader else self.post_fader[edge.source]

    def fits(self, frames: int, packed: Mapping[str, int]) -> bool:
        """Tell whether these lines serve a block of such length and inputs."""
        return self.frames == frames and self.sample_bytes == packed
