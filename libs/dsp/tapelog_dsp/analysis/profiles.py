"""The data of translation reports: devices, reference spectra and limits, read from the TOML files beside this one."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from tapelog_dsp.errors import ParameterError

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Device:
    """What a playback device does to a master.

    Parameters
    ----------
    name, title : str
        The key, and what a person calls it.
    version : int
        Raised when the row changes.
    channels : int
        1 where it plays the sum.
    points : tuple of (float, float)
        Hz and dB relative to 1 kHz.
    loudness_warn_lu, loudness_fail_lu : float
        How much more loudness than pink noise a master may lose here.
    status : {"reference", "approximate", "measured"}
        How far to trust the curve.
    source : str
        Where it comes from.
    """

    name: str
    title: str
    version: int
    channels: int
    points: Points
    loudness_warn_lu: float
    loudness_fail_lu: float
    status: str
    source: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A spectrum that masters are held against; fields as for `Device`, the points are power density in dB."""

    name: str
    title: str
    version: int
    points: Points
    status: str
    source: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What a number is judged by.

    Parameters
    ----------
    name, title, unit : str
        Of the number.
    side : {"above", "below"}
        Which side of the limit is bad.
    warn, fail : float
        From where on.
    source : str
        Why there.
    """

    name: str
    title: str
    unit: str
    side: str
    warn: float
    fail: float
    source: str


def _rows(file: str) -> dict[str, dict[str, Any]]:
    text = resources.files("tapelog_dsp.analysis").joinpath(file).read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = tomllib.loads(text)
    for row in rows.values():
        if "points" in row:
            row["points"] = tuple((float(hz), float(level)) for hz, level in row["points"])
    return rows


@functools.cache
def load_devices() -> Mapping[str, Device]:
    """Return every device by its name, in the file's order."""
    return MappingProxyType({name: Device(name=name, **row) for name, row in _rows("devices.toml").items()})


@functools.cache
def load_curves() -> Mapping[str, Curve]:
    """Return every reference spectrum by its name."""
    return MappingProxyType({name: Curve(name=name, **row) for name, row in _rows("curves.toml").items()})


@functools.cache
def load_limits() -> Mapping[str, Limit]:
    """Return every limit by its name."""
    return MappingProxyType({name: Limit(name=name, **row) for name, row in _rows("limits.toml").items()})


def get_curve(name: str) -> Curve:
    """Return one reference spectrum; raises `ParameterError` with the names that exist."""
    curves = load_curves()
    if name not in curves:
        raise ParameterError("reference", name, f"one of {', '.join(curves)}")
    return curves[name]
