"""Twin of ``fft.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.fft import twiddles


def fft(real: Float64s, imaginary: Float64s) -> tuple[Float64s, Float64s]:
    """Return the transform, stage by stage."""
    points, stride = real.size, 1
    cosines, sines = twiddles(points)
    re, im = real.copy(), imaginary.copy()
    while stride < points:
        half = points // (2 * stride)
        wr, wi = cosines[::stride][:half, None], sines[::stride][:half, None]
        (ar, br), (ai, bi) = re.reshape(2, half, stride), im.reshape(2, half, stride)
        x, y = ar - br, ai - bi
        re = np.stack((ar + br, x * wr - y * wi), axis=1).reshape(points)
        im = np.stack((ai + bi, x * wi + y * wr), axis=1).reshape(points)
        stride *= 2
    return re, im
