"""Doors to ``mix.c``: curves, faders, sums."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function


def log2_array(values: Float64s) -> Float64s:
    """Return log2 of positive normal numbers."""
    result = np.empty_like(values)
    function("tl_log2_array", "ppl")(address(values), address(result), values.size)
    return result


def exp2_array(exponents: Float64s) -> Float64s:
    """Return two to the power of each number."""
    result = np.empty_like(exponents)
    function("tl_exp2_array", "ppl")(address(exponents), address(result), exponents.size)
    return result


def fade(samples: Float64s, gain: float | Float64s, side: float, out: Float64s) -> None:
    """Write float32(samples * gain * side) of one channel into ``out``."""
    if isinstance(gain, float):
        function("tl_fade_fixed", "pddpl")(address(samples), gain, side, address(out), samples.size)
    else:
        function("tl_fade", "ppdpl")(address(samples), address(gain), side, address(out), samples.size)


def accumulate(samples: Float64s, gain: float, total: Float64s) -> None:
    """Add samples * gain to the total, in place."""
    function("tl_accumulate", "pdpl")(address(samples), gain, address(total), samples.size)


def apply_curve(samples: Float64s, gains: Float64s) -> Float64s:
    """Return each channel times one gain per frame."""
    result = np.empty_like(samples)
    function("tl_apply_curve", "pppll")(address(samples), address(gains), address(result), *samples.shape)
    return result
