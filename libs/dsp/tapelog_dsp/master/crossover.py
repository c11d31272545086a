"""Linkwitz-Riley crossovers of the fourth order: each way is two equal Butterworth filters; they sum to an all-pass.

S. H. Linkwitz, "Active Crossover Networks for Noncoincident Drivers", JAES 24(1), 1976. With more than two bands every
band is turned by the all-passes of the splits that it does not pass through, so that all of them stay in phase.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
from tapelog_parameters import PROCESSORS
from tapelog_parameters.sizes import SPLIT_RATIO_MIN

from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s

SEARCH_BITS: Final = 2_000
ROOT_BITS: Final = 200
MISS_MAX: Final = 1e-12
"""Of 1 + a1 + a2: so far may a1 be off its place; it is the error of the damping, too."""

SPLIT: Final = PROCESSORS["Multiband"]["splits_hz"]


def crossover_sections(
    splits_hz: Sequence[float], sample_rate: int, *, owner: str, search_bits: int = SEARCH_BITS
) -> Float64s:
    """Return low-pass, high-pass and all-pass of each split ``[splits, 3, 5]``; the passes are used twice in series.

    Parameters
    ----------
    splits_hz : sequence of float
        Rising.
    sample_rate : int
        In Hz.
    owner : str
        Whose splits they are, for the message of an error.
    search_bits : int
        How far a denominator is looked for whose rounding does not show; 0 for a split that moves.

    Raises
    ------
    ParameterError
        A split is out of range, or closer to its neighbour than `SPLIT_RATIO_MIN`.
    """
    previous = SPLIT.low / SPLIT_RATIO_MIN
    for split in splits_hz:
        if not previous * SPLIT_RATIO_MIN <= split <= SPLIT.highest(sample_rate):
            limit = f"each {SPLIT_RATIO_MIN:g} times the one before or more, {SPLIT.range_text(sample_rate)}"
            raise ParameterError(f"{owner}.splits_hz", tuple(splits_hz), limit)
        previous = split
    return np.array([_split(split, sample_rate, search_bits) for split in splits_hz])


def _split(split_hz: float, sample_rate: int, search_bits: int) -> list[Float64s]:
    """Return the ways of one split; the numerators are made from the denominator as it is stored."""
    a1, a2 = _denominator(split_hz, sample_rate, search_bits)
    low, high = 0.25 * math.fsum((1.0, a1, a2)), 0.25 * math.fsum((1.0, -a1, a2))
    return [
        np.array([low, 2.0 * low, low, a1, a2]),
        np.array([high, -2.0 * high, high, a1, a2]),
        np.array([a2, a1, 1.0, a1, a2]),
    ]


def _denominator(split_hz: float, sample_rate: int, search_bits: int) -> tuple[float, float]:
    """Return a1 and a2 of a Butterworth pair, rounded together so that its damping stays the root of two.

    At 20 Hz and 192 kHz the last bit of a1 moves the damping by 3e-10, and the sum of the ways by 5e-9 dB. The pair is
    Butterworth where a1^2 = (1 + a2)^2 - 2 (1 - a2)^2; a2 is moved by whole last bits, which moves the corner by a
    hundred-thousandth of a hertz at most, until the a1 that belongs to it falls on a double.
    """
    designed = float(butterworth(split_hz, 12, sample_rate, highpass=False)[0, 4])
    step = math.ulp(designed)
    best = (math.inf, 0.0, 0.0)
    for bits in sorted(range(-search_bits, search_bits + 1), key=abs):
        a2 = designed + bits * step
        exact = Fraction(a2)
        squared = (1 + exact) ** 2 - 2 * (1 - exact) ** 2
        root = math.isqrt((squared.numerator << 2 * ROOT_BITS) // squared.denominator)
        a1 = -math.ldexp(root, -ROOT_BITS)
        miss = abs(Fraction(a1) + Fraction(root, 1 << ROOT_BITS))
        if miss < best[0]:
            best = float(miss), a1, a2
        if best[0] <= MISS_MAX * (1.0 + a1 + a2):
            break
    return best[1], best[2]
