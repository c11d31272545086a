"""How many of a thing there may be, and how near to one another."""

from typing import Final

MULTIBAND_BANDS_MIN: Final = 2
MULTIBAND_BANDS_MAX: Final = 5
"""Bands of a multiband compressor."""

SPLIT_RATIO_MIN: Final = 1.5
"""Crossovers closer than this leave no band between them."""

CURVE_POINTS_MAX: Final = 512
"""Points of one free curve."""
