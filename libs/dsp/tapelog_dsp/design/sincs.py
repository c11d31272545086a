"""The windowed sinc by which processors that bend the wave go between the samples and back."""

import math
from typing import Final

TAPS: Final = 48
CUTOFF: Final = 0.93
"""Of half the sample rate; with this length and window flat to 20 kHz and 80 dB down from 24.6 kHz on at 48 kHz."""

KAISER_BETA: Final = 7.86


def windowed_sinc(x: float) -> float:
    """Return its value so many frames from its centre; 0 from half of `TAPS` on."""
    place = 2.0 * x / TAPS
    if abs(place) >= 1.0:
        return 0.0
    sinc = CUTOFF if x == 0.0 else math.sin(math.pi * CUTOFF * x) / (math.pi * x)
    return sinc * _bessel_i0(KAISER_BETA * math.sqrt(1.0 - place * place)) / _bessel_i0(KAISER_BETA)


def _bessel_i0(x: float) -> float:
    term, total = 1.0, 1.0
    for k in range(1, 60):
        term *= (x / (2.0 * k)) ** 2
        total += term
    return total
