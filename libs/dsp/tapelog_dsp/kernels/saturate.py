"""Door to ``saturate.c``: what a soft curve adds to a signal, computed between the samples."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

PHASES_MAX = 8


def reach_frames(phases: int, taps: int) -> int:
    """Return how many frames beyond those of the result are looked at."""
    return 2 * taps - 1 if phases > 1 else taps


def saturate(
    samples: Float64s, up: Float64s, down: Float64s, ends: tuple[Float64s, Float64s], place: tuple[int, int]
) -> Float64s:
    """Return what the curve adds ``[frames]`` to one channel ``[frames + reach]``.

    Parameters
    ----------
    samples : ndarray
        The channel, with what came before it (see `reach_frames`).
    up, down : ndarray [shape=(phases, taps)]
        Interpolator to half a step off the grid, and decimator; with one phase nothing is decimated.
    ends : tuple of ndarray [shape=(5,)]
        Drive, shift of the curve, its value at rest, scale back, and the share of what is added: at the ends of the
        cell that the block lies in; the same array where nothing moves.
    place : tuple of int
        Frames of the cell that have passed, and its length.
    """
    phases, taps = up.shape
    added = np.empty(samples.size - reach_frames(phases, taps))
    function("tl_saturate", "pppllppllpl")(
        address(samples), address(up), address(down), phases, taps, address(ends[0]), address(ends[1]), *place,
        address(added), added.size,
    )  # fmt: skip
    return added
