"""Doors to ``hum.c``: a family of harmonics of one moving phase, taken out of and put into a signal."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

HARMONICS_MAX = 64


def demodulate(samples: Float64s, turns: Float64s, *, harmonics: int, block: int) -> Float64s:
    """Return ``[frames // block, harmonics, 2]``: sums over blocks of x e^(-2 pi i h turns), h from 1."""
    blocks = samples.size // block
    result = np.empty((blocks, harmonics, 2))
    function("tl_hum_demodulate", "pplllp")(
        address(samples), address(turns), blocks * block, harmonics, block, address(result)
    )
    return result


def modulate(turns: Float64s, knots: Float64s, *, hop: int) -> Float64s:
    """Return the sum of the harmonics ``[frames]`` whose amplitudes run through ``knots [frames // hop + 2, h, 2]``."""
    result = np.zeros(turns.size)
    function("tl_hum_modulate", "plllpp")(
        address(turns), turns.size, knots.shape[1], hop, address(knots), address(result)
    )
    return result
