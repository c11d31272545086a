"""Twins of ``mix.c``."""

from collections.abc import Sequence

import numpy as np

from tapelog_dsp.kernels.call import Float32s, Float64s, Int16s
from tapelog_dsp.kernels.console import CurvePoints
from tapelog_dsp.units import EXP2_COEFFICIENTS, LOG2_10_OVER_20, SILENCE_DB

HOLD, SMOOTH, EARLY, LATE = 1, 2, 3, 4

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


LEVEL_COEFFICIENTS = (
    1.4426948685556595,
    -0.7213471284694511,
    0.48092252892828047,
    -0.3607211953042859,
    0.28765667473505535,
    -0.2385194382793943,
    0.21737938666319495,
    -0.2103033352721202,
    0.12541241867447173,
)
GAIN_COEFFICIENTS = (
    1.0,
    0.6931471807045319,
    0.24022651066561343,
    0.05550410365990362,
    0.009618038132020092,
    0.0013333935057352336,
    0.0001546675632891903,
    1.5196155930374822e-05,
)
"""From the lowest power up."""


def _pairs(coefficients: tuple[float, ...], f: Float64s) -> tuple[Float64s, Float64s]:
    """Return the polynomial of degree 7 in two halves, pair by pair; f to the fourth goes between them."""
    f2 = f * f
    q = [coefficients[k] + coefficients[k + 1] * f for k in (0, 2, 4, 6)]
    return q[0] + q[1] * f2, q[2] + q[3] * f2


def level_log2_array(values: Float64s) -> Float64s:
    """Return log2 of levels to 7e-9: the mantissa between 1/sqrt(2) and sqrt(2) by a fitted polynomial."""
    bits = values.view(np.uint64) + np.uint64(0x00095F619980C433)
    exponent = ((bits >> np.uint64(52)) | _WHOLE).view(np.float64) - 4503599627371519.0
    f = ((bits & _MANTISSA) + np.uint64(0x3FE6A09E667F3BCD)).view(np.float64) - 1.0
    f4 = (f * f) * (f * f)
    low, high = _pairs(LEVEL_COEFFICIENTS, f)
    return exponent + f * (low + (high + LEVEL_COEFFICIENTS[8] * f4) * f4)


def gain_exp2_array(exponents: Float64s) -> Float64s:
    """Return two to the power as a gain, to 5e-11 of itself."""
    whole = (exponents + 6755399441055744.0) - 6755399441055744.0
    f = exponents - whole
    low, high = _pairs(GAIN_COEFFICIENTS, f)
    scale = ((whole.astype(np.int64) + 1023) << 52).view(np.float64)
    return (low + high * ((f * f) * (f * f))) * scale


def curve(points: CurvePoints, start_frame: int, frames: int, *, decibels: bool) -> Float64s:
    """Return the automation's value for every frame, one frame after another."""
    result = np.empty(frames)
    moves = np.zeros(frames, dtype=bool)
    for n in range(frames):
        now = start_frame + n
        index = int(np.searchsorted(points.frame, now, side="right")) - 1
        result[n] = points.value[max(index, 0)]
        shape = HOLD if index < 0 or index + 1 == points.frame.size else int(points.shape[index])
        moves[n] = shape != HOLD
        if shape == HOLD:
            continue
        passed, rise, span = float(now - int(points.frame[index])), points.rise[index], points.span[index]
        t = passed / span
        ways = {SMOOTH: t * t * (3.0 - 2.0 * t), EARLY: t * (2.0 - t), LATE: t * t}
        result[n] += rise * ways[shape] if shape in ways else rise / span * passed
    if not decibels:
        return result
    exponents = result * LOG2_10_OVER_20
    gains = np.where(moves, gain_exp2_array(exponents), exp2_array(exponents))
    gains[result <= SILENCE_DB] = 0.0
    return gains


def on_grid(samples: Float64s) -> Float64s:
    """Return samples rounded to steps of 2^-34, half to even, and held within +-1024."""
    steps: Float64s = np.rint(np.clip(samples, -1024.0, 1024.0) * 2.0**34)
    return steps * 2.0**-34 + 0.0


def fade(samples: Float64s, gain: float | Float64s, side: float, out: Float32s) -> None:
    """Write samples * gain * side into ``out``, on the grid."""
    out[:] = on_grid(samples * gain * side).astype(np.float32)


def weighted_sum(sources: Sequence[Float32s], gains: Float64s, out: Float64s) -> None:
    """Write the sum of sources times gains into ``out``, each product on the grid; what has gain 1 is on it."""
    out[:] = 0.0
    for source, gain in zip(sources, gains, strict=True):
        whole = source.astype(np.float64)
        out += whole if gain == 1.0 else on_grid(whole * gain)


def split_sum(total: Float64s, high: Float32s, low: Int16s) -> float:
    """Write a sum on the grid as a float32 and what it leaves, in steps."""
    high[:] = total.astype(np.float32)
    low[:] = ((total - high) * 2.0**34).astype(np.int16)
    return float(np.abs(total).max(initial=0.0))


def add_split(high: Float32s, low: Int16s, total: Float64s) -> None:
    """Add both parts to a sum."""
    total += high + low * 2.0**-34


def apply_curve(samples: Float64s, gains: Float64s) -> Float64s:
    """Return each channel times one gain per frame."""
    return samples * gains


def magnitude(samples: Float64s) -> float:
    """Return the largest magnitude, infinity where any sample is not finite."""
    return float(np.abs(samples).max(initial=0.0)) if np.isfinite(samples).all() else np.inf
