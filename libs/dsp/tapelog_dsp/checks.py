"""Range checks for settings: one line each in a processor's constructor, one wording for every message."""

import math
from typing import Any

from tapelog_parameters import SETTINGS, Smoothing

from tapelog_dsp.errors import ParameterError


def default(owner: str, name: str) -> float:
    """Return what the parameter table gives a setting that is not written."""
    value = SETTINGS[owner][name].default
    if value is None:
        raise LookupError(f"{owner}.{name} has no default: it has to be written")
    return value


def declared(settings: Any, owner: str = "") -> None:
    """Raise `ParameterError` unless every setting is within the range that the parameter table declares.

    Parameters
    ----------
    settings : object
        Whose fields have the table's names; None stands for switched off, and of a tuple each value counts.
    owner : str
        Its name in the table, by default the name of its class.
    """
    for name, entry in SETTINGS[owner or type(settings).__name__].items():
        value = getattr(settings, name, None)
        parameter = f"{type(settings).__name__}.{name}"
        for one in value if isinstance(value, tuple) else () if value is None else (value,):
            if isinstance(one, bool) or not isinstance(one, int | float):
                raise ParameterError(parameter, one, "a number")
            if not (math.isfinite(one) and entry.allows(one)):
                raise ParameterError(parameter, one, entry.range_text())


def fits_rate(settings: Any, sample_rate: int, owner: str = "") -> None:
    """Raise `ParameterError` unless the settings that depend on it fit the sample rate."""
    for name, entry in SETTINGS[owner or type(settings).__name__].items():
        value = getattr(settings, name, None)
        if value is not None and entry.high_is_share_of_rate and not entry.allows(value, sample_rate):
            limit = f"{entry.range_text(sample_rate)} at a sample rate of {sample_rate} Hz"
            raise ParameterError(f"{type(settings).__name__}.{name}", value, limit)


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


def movable(settings: Any, name: str, owner: str = "", *, course: Any = None) -> None:
    """Raise `ParameterError` unless the parameter table lets the named setting be automated.

    Parameters
    ----------
    settings : object
        Whose setting it is.
    name : str
        The setting.
    owner : str
        Its name in the table, by default the name of its class.
    course : Course, optional
        Where it goes; both ends have to be in range, and a thing that is off cannot be moved there.
    """
    owner = owner or type(settings).__name__
    entries = SETTINGS.get(owner, {})
    if name not in entries or entries[name].smoothing is Smoothing.FIXED or not hasattr(settings, name):
        names = ", ".join(key for key, entry in entries.items() if entry.smoothing is not Smoothing.FIXED) or "nothing"
        raise ParameterError(f"{owner}.{name}", "an automation", f"for a setting that can move; here that is {names}")
    for value in () if course is None else (course.start, course.end):
        if not (math.isfinite(value) and entries[name].moves_to(value)):
            raise ParameterError(f"{owner}.{name}", value, f"{entries[name].moving_range_text()} where it moves")
