"""Bells and shelves that follow their analog prototypes up to half the sample rate, where the bilinear ones cramp.

The squared magnitude of a biquad is a ratio of two forms A0 (1 - u) + A1 u + 4 A2 u (1 - u) with u = sin^2(w / 2). Both
designs choose those numbers so that the magnitude agrees with the analog one at chosen points, and then take the
minimum-phase biquad: b0 + b1 + b2 = sqrt(B0), b0 - b1 + b2 = sqrt(B1), -4 b0 b2 = B2.

Sources: M. Vicanek, "Matched Second Order Digital Filters" (2016), and "Matched Two-Pole Digital Shelving Filters"
(2024). A cut is designed as the boost turned upside down, so that the two cancel.
"""

import math
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.units import db_to_gain

NEUTRAL_DB: Final = 1e-6
"""Below this a band is left out: nobody hears it, and the equations of the shelf lose their last digits."""


def bell(frequency_hz: float, gain_db: float, q: float, sample_rate: int) -> Float64s:
    """Return one section ``[1, 5]`` after (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1), A^2 the gain at the centre."""
    if abs(gain_db) < NEUTRAL_DB:
        return np.array([[1.0, 0.0, 0.0, 0.0, 0.0]])
    gain = db_to_gain(abs(gain_db))
    w = 2.0 * math.pi * frequency_hz / sample_rate
    damping = 1.0 / (2.0 * math.sqrt(gain) * q)
    decay = math.exp(-damping * w)
    if damping <= 1.0:
        a1 = -2.0 * decay * math.cos(math.sqrt(1.0 - damping * damping) * w)
    else:
        a1 = -2.0 * decay * math.cosh(math.sqrt(damping * damping - 1.0) * w)
    a2 = decay * decay
    u = math.sin(0.5 * w) ** 2
    v, cross = 1.0 - u, 4.0 * u * (1.0 - u)
    big_a = ((1.0 + a1 + a2) ** 2, (1.0 - a1 + a2) ** 2, -4.0 * a2)
    # The magnitude is 1 at 0 Hz, the gain at the centre, and flat there.
    level = (big_a[0] * v + big_a[1] * u + big_a[2] * cross) * gain * gain
    slope = (-big_a[0] + big_a[1] + 4.0 * (v - u) * big_a[2]) * gain * gain
    b2 = (level - slope * u - big_a[0]) / (4.0 * u * u)
    b1 = slope + big_a[0] + 4.0 * (u - v) * b2
    numerator = _minimum_phase(big_a[0], b1, b2)
    return _section(numerator, (1.0, a1, a2), cut=gain_db < 0.0)


def high_shelf(frequency_hz: float, gain_db: float, sample_rate: int) -> Float64s:
    """Return one section ``[1, 5]`` after |H|^2 = (1 + g w^4) / (1 + w^4 / g): half the gain in dB at the corner."""
    if abs(gain_db) < NEUTRAL_DB:
        return np.array([[1.0, 0.0, 0.0, 0.0, 0.0]])
    gain = db_to_gain(abs(gain_db))
    corner = 2.0 * frequency_hz / sample_rate

    def analog(f: float) -> float:
        ratio = (f / corner) ** 4
        return (1.0 + gain * ratio) / (1.0 + ratio / gain)

    # Flat at 0 Hz, exact at half the sample rate and at two points whose places the paper fits (its appendix A).
    rows, sides = [], []
    at_nyquist = analog(1.0)
    for low, bend in ((0.160, 1.543), (0.947, 3.806)):
        f = corner / math.sqrt(low + bend * corner * corner)
        u, level = math.sin(0.5 * math.pi * f) ** 2, analog(f)
        side = (level - 1.0) * (1.0 - u)
        rows.append((-u * side, u * u * (at_nyquist - level)))
        sides.append(side)
    (p, q), (r, s) = rows
    slope = (s * sides[0] - q * sides[1]) / (p * s - q * r)
    a1 = (sides[0] - p * slope) / q
    b1 = at_nyquist * a1
    denominator = _minimum_phase(1.0, a1, 0.25 * (slope - a1))
    numerator = _minimum_phase(1.0, b1, 0.25 * (slope - b1))
    return _section(numerator, denominator, cut=gain_db < 0.0)


def low_shelf(frequency_hz: float, gain_db: float, sample_rate: int) -> Float64s:
    """Return one section ``[1, 5]``: the high shelf turned upside down and lifted by the whole gain."""
    section = high_shelf(frequency_hz, -gain_db, sample_rate)
    section[0, :3] *= db_to_gain(gain_db)
    return section


def _minimum_phase(at_zero: float, at_nyquist: float, cross: float) -> tuple[float, float, float]:
    low, high = math.sqrt(at_zero), math.sqrt(at_nyquist)
    outer = 0.5 * (low + high)
    first = 0.5 * (outer + math.sqrt(max(outer * outer + cross, 0.0)))
    return first, 0.5 * (low - high), -cross / (4.0 * first)


def _section(numerator: tuple[float, float, float], denominator: tuple[float, float, float], *, cut: bool) -> Float64s:
    over, under = (denominator, numerator) if cut else (numerator, denominator)
    scale = 1.0 / under[0]
    return np.array([[value * scale for value in (*over, under[1], under[2])]])
