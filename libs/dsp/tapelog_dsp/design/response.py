"""What a cascade does to a frequency, and how long it rings."""

import cmath
import math
from collections.abc import Iterable
from typing import Final

from tapelog_dsp.kernels.call import Float64s

RINGING_FLOOR_LN: Final = math.log(1e-5)
"""A tail ends where it has decayed by 100 dB."""


def magnitude_db(sections: Float64s, frequencies_hz: Iterable[float], sample_rate: int) -> list[float]:
    """Return the level of a cascade ``[sections, 5]`` at each frequency, in dB."""
    levels = []
    for frequency in frequencies_hz:
        z = cmath.exp(-2j * math.pi * frequency / sample_rate)
        product = 1.0
        for b0, b1, b2, a1, a2 in sections.tolist():
            product *= abs(b0 + b1 * z + b2 * z * z) / abs(1.0 + a1 * z + a2 * z * z)
        levels.append(20.0 * math.log10(product) if product > 0.0 else -math.inf)
    return levels


def ringing_frames(sections: Float64s) -> int:
    """Return for how many frames the slowest pole stays above -100 dB, at most a minute at 192 kHz."""
    slowest = 0.0
    for _, _, _, a1, a2 in sections.tolist():
        root = cmath.sqrt(a1 * a1 - 4.0 * a2)
        slowest = max(slowest, abs(-a1 + root) / 2.0, abs(-a1 - root) / 2.0)
    if slowest < 1e-9:
        return 2
    return min(math.ceil(RINGING_FLOOR_LN / math.log(min(slowest, 1.0 - 1e-7))), 60 * 192_000)
