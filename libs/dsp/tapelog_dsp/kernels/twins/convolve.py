"""Twin of ``convolve.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s


def convolve(past: Float64s, newest: int, straight: Float64s, crossed: Float64s | None) -> tuple[Float64s, Float64s]:
    """Return the sum over partitions, one after another."""
    real, imaginary = np.zeros(straight.shape[2]), np.zeros(straight.shape[2])
    for p in range(len(straight)):
        for side, filters in ((0, straight), (1, crossed)):
            if filters is None:
                continue
            (a, b), (c, d) = past[(newest - p) % len(past), side], filters[p]
            real += a * c - b * d
            imaginary += a * d + b * c
    return real, imaginary
