"""Twin of ``denoise.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.twins.console import exp2_array, log2_array

_SERIES = (0.00107857, -0.00976004, 0.05519968, -0.24991055, 0.99999193, -0.57721566)
_LN2 = 0.69314718055994530942
_LOG2_E = 1.4426950408889634074


def _half_exponential_integral(v: Float64s) -> Float64s:
    small = np.full_like(v, _SERIES[0])
    for coefficient in _SERIES[1:]:
        small = small * v + coefficient
    small = small - _LN2 * log2_array(v)
    top, bottom = (v + 2.334733) * v + 0.250621, (v + 3.330657) * v + 1.681534
    large = exp2_array(-v * _LOG2_E) / v * (top / bottom)
    return exp2_array(0.5 * _LOG2_E * np.where(v < 1.0, small, large))


def denoise_gain(power: Float64s, noise: Float64s, memory: Float64s, settings: Float64s) -> Float64s:
    """Return the gains, one moment at a time."""
    alpha, snr_min, gain_min = settings.tolist()
    gains = np.empty_like(power)
    for row, out in zip(power, gains, strict=True):
        posterior = np.minimum(row / noise, 1e8)
        prior = np.maximum(alpha * memory + (1.0 - alpha) * np.maximum(posterior - 1.0, 0.0), snr_min)
        wiener = prior / (1.0 + prior)
        v = np.maximum(posterior * wiener, 1e-6)
        gain = np.minimum(wiener * _half_exponential_integral(v), 1.0)
        memory[:] = gain * gain * posterior
        out[:] = np.maximum(gain, gain_min)
    return gains
