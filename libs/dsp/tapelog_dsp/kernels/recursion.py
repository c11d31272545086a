"""Doors to ``filters.c``: cascades of second-order sections."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function


def sos_state(sections: int, channels: int) -> Float64s:
    """Return the memory of a cascade at rest ``[channels, sections, 2]``."""
    return np.zeros((channels, sections, 2))


def sos(coefficients: Float64s, state: Float64s, samples: Float64s) -> Float64s:
    """Filter ``[channels, frames]`` by a cascade ``[sections, 5]`` of b0 b1 b2 a1 a2; the state moves on in place."""
    result = np.empty_like(samples)
    function("tl_sos", "plpppll")(
        address(coefficients), len(coefficients), address(state), address(samples), address(result), *samples.shape
    )
    return result


def svf(start: Float64s, end: Float64s, place: tuple[int, int], state: Float64s, samples: Float64s) -> Float64s:
    """Filter ``[channels, frames]`` by moving state-variable filters; the state moves on in place.

    Parameters
    ----------
    start, end : ndarray [shape=(bands, 5)]
        g, k, and the shares of input, band and low in the output, at both ends of the way.
    place : (int, int)
        Frames of the way that have passed, and its length.
    state : ndarray [shape=(channels, bands, 2)]
        Carried from block to block.
    samples : ndarray [shape=(channels, frames)]
        The block.
    """
    result = np.empty_like(samples)
    function("tl_svf", "pplllpppll")(
        address(start), address(end), len(start), *place, address(state), address(samples), address(result),
        *samples.shape,
    )  # fmt: skip
    return result
