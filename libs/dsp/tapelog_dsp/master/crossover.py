"""Linkwitz-Riley crossovers of the fourth order: each way is two equal Butterworth filters; they sum to an all-pass.

S. H. Linkwitz, "Active Crossover Networks for Noncoincident Drivers", JAES 24(1), 1976. With more than two bands every
band is turned by the all-passes of the splits that it does not pass through, so that all of them stay in phase.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s

SPLIT_MIN_HZ: Final = 20.0
SPLIT_RATIO_MIN: Final = 1.5
"""Splits closer than this leave no band between them."""


def crossover_sections(splits_hz: Sequence[float], sample_rate: int, *, owner: str) -> Float64s:
    """Return low-pass, high-pass and all-pass of each split ``[splits, 3, 5]``; the passes are used twice in series.

    Raises
    ------
    ParameterError
        A split is out of range, or closer to its neighbour than `SPLIT_RATIO_MIN`.
    """
    previous = SPLIT_MIN_HZ / SPLIT_RATIO_MIN
    for split in splits_hz:
        if not previous * SPLIT_RATIO_MIN <= split < 0.45 * sample_rate:
            limit = (
                f"each {SPLIT_RATIO_MIN:g} times the one before or more, from {SPLIT_MIN_HZ:g} Hz to below "
                f"{0.45 * sample_rate:g} Hz"
            )
            raise ParameterError(f"{owner}.splits_hz", tuple(splits_hz), limit)
        previous = split
    return np.array([_split(split, sample_rate) for split in splits_hz])


def _split(split_hz: float, sample_rate: int) -> list[Float64s]:
    low = butterworth(split_hz, 12, sample_rate, highpass=False)[0]
    high = butterworth(split_hz, 12, sample_rate, highpass=True)[0]
    return [low, high, allpass(split_hz, sample_rate)]


def allpass(split_hz: float, sample_rate: int) -> Float64s:
    """Return the section ``[5]`` that the two ways of a split sum to: (s^2 - sqrt2 s + 1) / (s^2 + sqrt2 s + 1)."""
    k = math.tan(math.pi * split_hz / sample_rate)
    scale = 1.0 / (1.0 + math.sqrt(2.0) * k + k * k)
    inner = (1.0 - math.sqrt(2.0) * k + k * k) * scale
    middle = 2.0 * (k * k - 1.0) * scale
    return np.array([inner, middle, 1.0, middle, inner])
