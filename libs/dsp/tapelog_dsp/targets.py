"""Delivery targets, read from ``targets.toml`` beside this file."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from tapelog_dsp.checks import declared, one_of
from tapelog_dsp.errors import ParameterError, TargetUnknownError


@dataclass(frozen=True, slots=True)
class Target:
    """What one platform or medium asks for.

    Parameters
    ----------
    name, title : str
        The key, and what a person calls it.
    integrated_lufs : float or None
        Loudness to reach; None where it is free.
    tolerance_lu : float or None
        How far a delivery may be off.
    true_peak_dbtp : float
        Ceiling.
    sample_rate_hz : int or None
        Rate of the delivery; None keeps the master's own.
    bits : int
        Word length.
    normalisation : {"both", "down", "none"}
        What the platform does to other levels.
    positive_gain : {"to-peak", "limiter"}
        Whether it turns up until the peaks reach the ceiling, or all the way with a limiter.
    status : {"published", "reported", "own"}
        Whether the platform says so itself.
    source, date : str
        Where it is written, and when that was looked at.
    """

    name: str
    title: str
    true_peak_dbtp: float
    bits: int
    normalisation: str
    status: str
    source: str
    date: str
    integrated_lufs: float | None = None
    positive_gain: str = "to-peak"
    tolerance_lu: float | None = None
    sample_rate_hz: int | None = None

    def __post_init__(self) -> None:
        one_of(self, "normalisation", ("both", "down", "none"))
        one_of(self, "positive_gain", ("to-peak", "limiter"))
        one_of(self, "status", ("published", "reported", "own"))
        declared(self)


@functools.cache
def load_targets() -> Mapping[str, Target]:
    """Return every target by its name, in the file's order."""
    text = resources.files("tapelog_dsp").joinpath("targets.toml").read_text(encoding="utf-8")
    return parse_targets(text)


def parse_targets(text: str) -> Mapping[str, Target]:
    """Return the targets of a TOML text in the form of ``targets.toml``, for targets of a user's own.

    Raises
    ------
    ParameterError
        The text is no TOML, or a row has a field too many, too few, or with an unknown word.
    """
    try:
        return MappingProxyType({name: Target(name=name, **row) for name, row in tomllib.loads(text).items()})
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ParameterError("targets", str(error), "TOML with one table per target, as in targets.toml") from error


def get_target(name: str) -> Target:
    """Return one target.

    Raises
    ------
    TargetUnknownError
        No target has that name; the message lists those that exist.
    """
    targets = load_targets()
    if name not in targets:
        raise TargetUnknownError(name, tuple(targets))
    return targets[name]
