"""Decibels and linear gains, by the same polynomials as the kernels, so that every machine gets the same bits."""

import math
import struct
from typing import Final

SILENCE_DB: Final = -144.0
"""A fader at or below this level is closed: its gain is exactly 0. It is the bottom of 24-bit audio."""

LOG2_10_OVER_20: Final = 0.1660964047443681
"""Octaves of amplitude per decibel: log2(10) / 20."""

DB_PER_OCTAVE: Final = 6.020599913279624
"""Decibels per doubling of amplitude: 20 log10(2)."""

EXP2_COEFFICIENTS: Final = (
    1.3691488853904124e-12,
    2.5678435993488196e-11,
    4.44553827187081e-10,
    7.054911620801121e-09,
    1.0178086009239696e-07,
    1.3215486790144305e-06,
    1.5252733804059838e-05,
    0.00015403530393381606,
    0.0013333558146428441,
    0.009618129107628477,
    0.055504108664821576,
    0.2402265069591007,
    0.6931471805599453,
    1.0,
)
"""ln(2)**k / k! from k = 13 down to 0, written out so that no library decides their last bit."""


def exp2(exponent: float) -> float:
    """Return 2**exponent exactly as the kernels compute it (clamped to |exponent| <= 1000)."""
    exponent = min(max(exponent, -1000.0), 1000.0)
    magic = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to the nearest whole number
    whole = (exponent + magic) - magic
    fraction = exponent - whole
    power = EXP2_COEFFICIENTS[0]
    for coefficient in EXP2_COEFFICIENTS[1:]:
        power = power * fraction + coefficient
    scale: float = struct.unpack("<d", struct.pack("<Q", (int(whole) + 1023) << 52))[0]
    return power * scale


def db_to_gain(level_db: float) -> float:
    """Return the linear gain of a level; exactly 1 at 0 dB and exactly 0 at or below `SILENCE_DB`."""
    if level_db <= SILENCE_DB:
        return 0.0
    return exp2(level_db * LOG2_10_OVER_20)


def gain_to_db(gain: float) -> float:
    """Return the level of a linear gain in dB, minus infinity for 0."""
    return 20.0 * math.log10(gain) if gain > 0.0 else -math.inf
