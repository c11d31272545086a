"""Delivery targets, read from ``targets.toml`` beside this file, and from a user's own in the same form."""

import dataclasses
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tapelog_dsp.checks import declared, one_of
from tapelog_dsp.errors import ParameterError, TargetUnknownError

FILE_MAX_BYTES: Final = 256 * 1024
"""Of a user's file: a thousand targets."""

TARGETS_MAX: Final = 200
"""Rows of one file: more cannot be listed for a person."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
TEXTS: Final = ("title", "normalisation", "positive_gain", "status", "source", "date")


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
    """Return every target of the package by its name, in the file's order."""
    text = resources.files("tapelog_dsp").joinpath("targets.toml").read_text(encoding="utf-8")
    return parse_targets(text)


def read_targets(path: Path | None) -> Mapping[str, Target]:
    """Return the package's targets and, after them, those of a user's file.

    Parameters
    ----------
    path : Path, optional
        TOML in the form of ``targets.toml``; None adds nothing.

    Raises
    ------
    ParameterError
        The file cannot be read, is too large, is no TOML, has a wrong row, or takes a name of the package.
    """
    if path is None:
        return load_targets()
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(f"targets {path.name}", reason, "a readable TOML file in UTF-8") from error
    if len(raw) > FILE_MAX_BYTES:
        raise ParameterError(f"targets {path.name}", "a larger file", f"at most {FILE_MAX_BYTES} bytes")
    own = parse_targets(text)
    taken = sorted(set(own) & set(load_targets()))
    if taken:
        raise ParameterError(f"targets {path.name}", ", ".join(taken), "under names that the package does not have")
    return MappingProxyType({**load_targets(), **own})


def parse_targets(text: str) -> Mapping[str, Target]:
    """Return the targets of a TOML text in the form of ``targets.toml``, for targets of a user's own.

    Raises
    ------
    ParameterError
        The text is no TOML, or a row has a field too many, too few, out of range or with an unknown word.
    """
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ParameterError("targets", str(error), "TOML with one table per target, as in targets.toml") from error
    if len(rows) > TARGETS_MAX:
        raise ParameterError("targets", f"{len(rows)} targets", f"at most {TARGETS_MAX}")
    return MappingProxyType({name: _target(name, row) for name, row in rows.items()})


def _target(name: str, row: object) -> Target:
    if not NAME.fullmatch(name):
        raise ParameterError("targets", name, "named in lower-case words joined by '-'")
    if not isinstance(row, dict):
        raise ParameterError(f"targets.{name}", row, "a table of fields")
    fields = {field.name: field for field in dataclasses.fields(Target) if field.name != "name"}
    unknown = sorted(set(row) - set(fields))
    if unknown:
        raise ParameterError(f"targets.{name}", ", ".join(unknown), f"some of {', '.join(fields)}")
    missing = [key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in row]
    if missing:
        raise ParameterError(f"targets.{name}", f"nothing for {', '.join(missing)}", "every field that has no default")
    for key in TEXTS:
        if not isinstance(row.get(key, ""), str):
            raise ParameterError(f"targets.{name}.{key}", row[key], "text")
    return Target(name=name, **row)


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
