"""Twins of ``mix.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.units import EXP2_COEFFICIENTS

_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_ONE = np.uint64(0x3FF0000000000000)
_WHOLE = np.uint64(0x4330000000000000)


def log2_array(values: Float64s) -> Float64s:
    """Return log2: the exponent from the bits, the mantissa by the series of 2/ln2 atanh((m - 1) / (m + 1))."""
    bits = values.view(np.uint64)
    raw = ((bits >> np.uint64(52)) | _WHOLE).view(np.float64) - 4503599627370496.0
    mantissa = ((bits & _MANTISSA) | _ONE).view(np.float64)
    high = mantissa > 1.4142135623730951
    exponent = raw - np.where(high, 1022.0, 1023.0)
    mantissa = np.where(high, mantissa * 0.5, mantissa)
    t = (mantissa - 1.0) / (mantissa + 1.0)
    s = t * t
    p = np.full_like(s, 1.0 / 19.0)
    for k in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        p = p * s + 1.0 / k
    p = p * s + 1.0
    return exponent + 2.8853900817779268 * (t * p)


def exp2_array(exponents: Float64s) -> Float64s:
    """Return two to the power: the whole part as an exponent, the rest by its Taylor series."""
    x = np.minimum(np.maximum(exponents, -1000.0), 1000.0)
    whole = (x + 6755399441055744.0) - 6755399441055744.0
    fraction = x - whole
    power = np.full_like(fraction, EXP2_COEFFICIENTS[0])
    for coefficient in EXP2_COEFFICIENTS[1:]:
        power = power * fraction + coefficient
    scale = ((whole.astype(np.int64) + 1023) << 52).view(np.float64)
    return power * scale


def fade(samples: Float64s, gain: float | Float64s, side: float, out: Float64s) -> None:
    """Write float32(samples * gain * side) into ``out``."""
    out[:] = (samples * gain * side).astype(np.float32)


def accumulate(samples: Float64s, gain: float, total: Float64s) -> None:
    """Add samples * gain to the total, in place."""
    total += samples * gain


def apply_curve(samples: Float64s, gains: Float64s) -> Float64s:
    """Return each channel times one gain per frame."""
    return samples * gains
