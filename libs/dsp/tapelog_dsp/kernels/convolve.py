"""Door to ``convolve.c``: the products of a partitioned convolution."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function


def convolve(past: Float64s, newest: int, straight: Float64s, crossed: Float64s | None) -> tuple[Float64s, Float64s]:
    """Return real and imaginary part ``[points]`` of the sum over partitions of past times filter.

    Parameters
    ----------
    past : ndarray [shape=(partitions, 2, 2, points)]
        Spectra of the last blocks of a complex signal and of its conjugate, by parts, in a ring.
    newest : int
        Where the last block stands in the ring.
    straight, crossed : ndarray [shape=(partitions, 2, points)]
        Spectra of the filter for the signal and for its conjugate, by parts; None is nothing.
    """
    partitions, _, points = straight.shape
    real, imaginary = np.empty(points), np.empty(points)
    function("tl_convolve", "plppppll")(
        address(past), newest, address(straight), 0 if crossed is None else address(crossed), address(real),
        address(imaginary), partitions, points,
    )  # fmt: skip
    return real, imaginary
