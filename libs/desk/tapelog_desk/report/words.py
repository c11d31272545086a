"""Numbers and times as people read them."""

import math

NOT_THERE = "–"
"""Shown for a value that does not exist for this audio."""


def number(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """Return a number with a minus sign that is one, and a dash where there is none."""
    if not math.isfinite(value):
        return NOT_THERE
    return f"{value + 0.0:{'+' if signed else ''}.{digits}f}".replace("-", "−")
