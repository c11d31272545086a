"""Door to ``fft.c``: a complex FFT with the same bits on every machine, which NumPy's own has not.

NumPy takes its twiddles from the C library, whose last bits depend on the processor; these are polynomials.
"""

import functools
import math
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

TERMS: Final = 11
"""Of the Taylor series up to an eighth of a turn: the first one left out is below 1e-20."""


def turned(turns: Float64s) -> tuple[Float64s, Float64s]:
    """Return cosine and sine of 2 pi times each number, by additions and products only."""
    quarter = np.floor(4.0 * turns + 0.5)
    angle = 2.0 * math.pi * (turns - 0.25 * quarter)
    squared = angle * angle
    cosine, sine = np.zeros_like(angle), np.zeros_like(angle)
    for k in range(TERMS, -1, -1):
        cosine = cosine * squared + (-1.0) ** k / math.factorial(2 * k)
        sine = sine * squared + (-1.0) ** k / math.factorial(2 * k + 1)
    sine = sine * angle
    place = quarter.astype(np.int64) % 4
    quarters_cosine = np.choose(place, (cosine, -sine, -cosine, sine))
    quarters_sine = np.choose(place, (sine, cosine, -sine, -cosine))
    return quarters_cosine, quarters_sine


@functools.lru_cache(maxsize=8)
def twiddles(points: int) -> tuple[Float64s, Float64s]:
    """Return cosine and sine of -2 pi k / points for k below points / 2."""
    cosine, sine = turned(np.arange(points // 2, dtype=np.float64) / points)
    return np.ascontiguousarray(cosine), np.ascontiguousarray(-sine)


def fft(real: Float64s, imaginary: Float64s) -> tuple[Float64s, Float64s]:
    """Return the transform of ``real + i imaginary``, by parts; the length is a power of two."""
    re, im, points = real.copy(), imaginary.copy(), real.size
    cosines, sines = twiddles(points)
    scratch = np.empty(2 * points)
    function("tl_fft", "pppppl")(address(cosines), address(sines), address(re), address(im), address(scratch), points)
    return re, im


def inverse_fft(real: Float64s, imaginary: Float64s) -> tuple[Float64s, Float64s]:
    """Return the inverse transform, by parts: the transform with the parts exchanged, divided by the length."""
    im, re = fft(imaginary, real)
    return re * (1.0 / re.size), im * (1.0 / re.size)
