"""The K-weighting of ITU-R BS.1770-5, derived anew for every sample rate.

The analog parameters are those that reproduce the standard's 48 kHz table to 14 digits; the numerator of the second
stage stays 1, -2, 1 as the table has it.
"""

import functools
import math
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.loudness import HopFilter, hop_filter

SHELF_HZ: Final = 1681.974450955533
SHELF_GAIN_DB: Final = 3.999843853973347
SHELF_Q: Final = 0.7071752369554196
SHELF_BEND: Final = 0.4996667741545416
HIGHPASS_HZ: Final = 38.13547087602444
HIGHPASS_Q: Final = 0.5003270373238773

CHANNEL_WEIGHTS: Final[dict[int, tuple[float, ...]]] = {
    1: (1.0,),
    2: (1.0, 1.0),
    3: (1.0, 1.0, 1.0),
    5: (1.0, 1.0, 1.0, 1.41, 1.41),
    6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41),
}
"""Per channel count, in the order L R C (LFE) Ls Rs; the LFE is left out of the measure."""


@functools.lru_cache(maxsize=16)
def hop_weighting(sample_rate: int) -> HopFilter:
    """Return the K-weighting for hops of 10 ms at a sample rate in Hz."""
    return hop_filter(k_weighting(sample_rate), sample_rate)


def k_weighting(sample_rate: int) -> Float64s:
    """Return the two sections ``[2, 5]`` for a sample rate in Hz."""
    k = math.tan(math.pi * SHELF_HZ / sample_rate)
    high = math.pow(10.0, SHELF_GAIN_DB / 20.0)
    band = math.pow(high, SHELF_BEND)
    scale = 1.0 / (1.0 + k / SHELF_Q + k * k)
    shelf = (
        (high + band * k / SHELF_Q + k * k) * scale,
        2.0 * (k * k - high) * scale,
        (high - band * k / SHELF_Q + k * k) * scale,
        2.0 * (k * k - 1.0) * scale,
        (1.0 - k / SHELF_Q + k * k) * scale,
    )
    k = math.tan(math.pi * HIGHPASS_HZ / sample_rate)
    scale = 1.0 / (1.0 + k / HIGHPASS_Q + k * k)
    highpass = (1.0, -2.0, 1.0, 2.0 * (k * k - 1.0) * scale, (1.0 - k / HIGHPASS_Q + k * k) * scale)
    return np.array([shelf, highpass])
