"""Door to ``glide.c``: the feedback delay whose settings move."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

GLIDE_SETTINGS = 6
"""Delay in frames, feedback, low-pass and high-pass factors, wet, dry."""


@dataclass(slots=True)
class GlideMemory:
    """What the delay keeps.

    Parameters
    ----------
    ring : ndarray [shape=(channels, length)]
        Room for the longest delay and three frames more.
    filters : ndarray [shape=(channels, 2)]
        Low-pass and high-pass in the feedback path.
    position : ndarray [shape=(1,)]
        How far back the head reads, in frames; it follows the delay by half a frame per frame at most.
    clock : int
        Position in the ring.
    """

    ring: Float64s
    filters: Float64s
    position: Float64s
    clock: int = 0

    @classmethod
    def at_rest(cls, channels: int, length: int, frames: float) -> "GlideMemory":
        """Return a silent memory whose head stands at a delay."""
        return cls(np.zeros((channels, length)), np.zeros((channels, 2)), np.array([frames]))


def glide_delay(
    start: Float64s, end: Float64s, place: tuple[int, int], memory: GlideMemory, samples: Float64s, *, ping_pong: bool
) -> Float64s:
    """Return ``[channels, frames]`` with echoes; the memory moves on in place.

    Parameters
    ----------
    start, end : ndarray [shape=(6,)]
        See `GLIDE_SETTINGS`: at the ends of the cell that the block lies in.
    place : tuple of int
        Frames of the cell that have passed, and its length.
    memory : GlideMemory
        Carried from block to block.
    samples : ndarray [shape=(channels, frames)]
        The block.
    ping_pong : bool
        Whether the echoes change sides.
    """
    result = np.empty_like(samples)
    channels, frames = samples.shape
    length = memory.ring.shape[1]
    function("tl_glide_delay", "pppllppllppll")(
        address(memory.ring), address(memory.filters), address(memory.position), length, memory.clock, address(start),
        address(end), *place, address(samples), address(result), -channels if ping_pong else channels, frames,
    )  # fmt: skip
    memory.clock = (memory.clock + frames) % length
    return result
