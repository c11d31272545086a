"""Two versions compared: their recipes field by field, their sound value by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tapelog_recipe import resolved
from tapelog_recipe.difference import Change, diff_recipes

from tapelog_session.domain.song import Version

UNITS: Final = {
    "integrated_lufs": "LUFS",
    "loudness_range_lu": "LU",
    "max_momentary_lufs": "LUFS",
    "max_short_term_lufs": "LUFS",
    "true_peak_dbtp": "dBTP",
    "sample_peak_dbfs": "dBFS",
    "length_frames": "frames",
}
"""Measured values that are compared, with their units."""


def recipe_changes(before: Version, after: Version) -> Iterator[Change]:
    """Return what changed from one version's recipe to another's, as the digest sees them: defaults written out."""
    old: Any = before.recipe
    new: Any = after.recipe
    if type(old) is not type(new):
        raise TypeError("versions of two kinds have nothing in common")
    return diff_recipes(resolved(old), resolved(new))


def diff_sound(before: Version, after: Version) -> Iterator[tuple[str, str, float, float]]:
    """Yield name, unit and both values of everything that was measured of both versions."""
    if not before.audio or not after.audio:
        return
    was = {field.name: value for field, value in before.audio[0].measurements.ListFields()}
    now = {field.name: value for field, value in after.audio[0].measurements.ListFields()}
    for name, unit in UNITS.items():
        if name in was and name in now:
            yield name, unit, float(was[name]), float(now[name])


def match_gains_db(before: Version, after: Version) -> tuple[float, float] | None:
    """Return the playback gains that make both versions as loud as the quieter one; None until both are measured."""
    loudness = {name: (old, new) for name, _, old, new in diff_sound(before, after)}.get("integrated_lufs")
    if loudness is None:
        return None
    quieter = min(loudness)
    return quieter - loudness[0], quieter - loudness[1]
