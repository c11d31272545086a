"""The units of other programs in ours: decibels, hertz, seconds, and places from -1 to 1."""

import math
from typing import Final

SILENCE_DB: Final = -96.0
"""What a fader at nothing becomes: the bottom of our faders."""


def finite(text: str | None) -> float | None:
    """Return a number, or None where there is none; infinities and not-a-numbers are none."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def to_db(value: float, unit: str) -> float:
    """Return a level in decibels: from a ratio, a share of 100 or decibels."""
    if unit == "decibel":
        return value
    ratio = value / 100 if unit == "percent" else value
    return SILENCE_DB if ratio <= 0 else max(SILENCE_DB, 20 * math.log10(ratio))


def to_hz(value: float, unit: str) -> float:
    """Return a frequency in Hz: from Hz or from semitones (69 is A4, 440 Hz)."""
    return 440.0 * 2 ** ((min(value, 200.0) - 69) / 12) if unit == "semitones" else value


def to_ms(value: float, unit: str, tempo_bpm: float) -> float:
    """Return a time in milliseconds: from seconds, or beats of a tempo."""
    return value * 60_000 / (tempo_bpm or 120.0) if unit == "beats" else value * 1_000


def to_pan(value: float, unit: str) -> float:
    """Return a place from -1 to 1: from 0 to 1, percent, or -1 to 1."""
    if unit == "normalized":
        return 2 * value - 1
    return value / 100 if unit == "percent" else value
