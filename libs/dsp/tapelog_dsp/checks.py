"""Range checks for settings: one line each in a processor's constructor, one wording for every message."""

import math
from typing import Any

from tapelog_dsp.errors import ParameterError


def in_range(owner: Any, name: str, low: float, high: float, unit: str = "") -> None:
    """Raise `ParameterError` unless the named field of a settings object is a finite number within [low, high]."""
    value = getattr(owner, name)
    parameter = f"{type(owner).__name__}.{name}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterError(parameter, value, "a number")
    if not (math.isfinite(value) and low <= value <= high):
        raise ParameterError(parameter, value, f"from {low:g} to {high:g}{' ' + unit if unit else ''}")


def one_of(owner: Any, name: str, allowed: tuple[Any, ...]) -> None:
    """Raise `ParameterError` unless the named field has one of the allowed values."""
    value = getattr(owner, name)
    if value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise ParameterError(f"{type(owner).__name__}.{name}", value, f"one of {choices}")


def below_nyquist(owner: Any, name: str, sample_rate: int) -> None:
    """Raise `ParameterError` unless the named frequency is below half the sample rate."""
    value = getattr(owner, name)
    if value >= 0.5 * sample_rate:
        limit = f"below {0.5 * sample_rate:g} Hz, half the sample rate of {sample_rate} Hz"
        raise ParameterError(f"{type(owner).__name__}.{name}", value, limit)
