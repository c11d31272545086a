"""Butterworth high-pass and low-pass cascades and the notch, by the bilinear transform with an exact corner.

Section Q after the standard pole positions: Q_k = 1 / (2 sin((2k + 1) pi / 2N)).
"""

import math
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s

SLOPES_DB_PER_OCTAVE: Final = (6, 12, 18, 24, 30, 36, 42, 48)
"""6 dB per octave and pole."""


def _first_order(k: float, *, highpass: bool) -> list[float]:
    scale = 1.0 / (1.0 + k)
    a1 = (k - 1.0) * scale
    return [scale, -scale, 0.0, a1, 0.0] if highpass else [k * scale, k * scale, 0.0, a1, 0.0]


def _second_order(k: float, q: float, *, highpass: bool) -> list[float]:
    scale = 1.0 / (1.0 + k / q + k * k)
    a1, a2 = 2.0 * (k * k - 1.0) * scale, (1.0 - k / q + k * k) * scale
    if highpass:
        return [scale, -2.0 * scale, scale, a1, a2]
    return [k * k * scale, 2.0 * k * k * scale, k * k * scale, a1, a2]


def butterworth(cutoff_hz: float, slope_db_per_octave: int, sample_rate: int, *, highpass: bool) -> Float64s:
    """Return the sections ``[sections, 5]`` of a Butterworth filter, -3.0103 dB at its corner."""
    order = slope_db_per_octave // 6
    k = math.tan(math.pi * cutoff_hz / sample_rate)
    sections = [_first_order(k, highpass=highpass)] if order % 2 else []
    for index in range(order // 2):
        q = 1.0 / (2.0 * math.sin((2 * index + 1) * math.pi / (2 * order)))
        sections.append(_second_order(k, q, highpass=highpass))
    return np.array(sections)


def notch(frequency_hz: float, q: float, sample_rate: int) -> Float64s:
    """Return one section ``[1, 5]`` that is zero at its centre and 1 at 0 Hz and half the sample rate."""
    k = math.tan(math.pi * frequency_hz / sample_rate)
    scale = 1.0 / (1.0 + k / q + k * k)
    middle = 2.0 * (k * k - 1.0) * scale
    return np.array([[(1.0 + k * k) * scale, middle, (1.0 + k * k) * scale, middle, (1.0 - k / q + k * k) * scale]])
