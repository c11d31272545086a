"""Two versions compared: their recipes field by field, their sound value by value."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.message import Message
from tapelog_recipe import resolved

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
VALUE_CHARS_MAX: Final = 400
"""A whole track that was added is told by its beginning."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One difference; an empty value means that there is none."""

    path: str
    before: str
    after: str


def recipe_changes(before: Version, after: Version) -> Iterator[Change]:
    """Return what changed from one version's recipe to another's, as the digest sees them: defaults written out."""
    old: Any = before.recipe
    new: Any = after.recipe
    if type(old) is not type(new):
        raise TypeError("versions of two kinds have nothing in common")
    return diff_recipes(resolved(old), resolved(new))


def diff_recipes(before: Message, after: Message, path: str = "") -> Iterator[Change]:
    """Yield the differences of two recipes of one kind, in the order of their fields.

    Parts with an id (tracks, buses, sends by their bus) are compared with the part of the same id, others with the part
    in the same place.
    """
    for field in before.DESCRIPTOR.fields:
        place = f"{path}.{field.name}".lstrip(".")
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.is_repeated:
            yield from _lists(field, list(old), list(new), place)
        elif field.message_type is not None:
            yield from _parts(
                old if before.HasField(field.name) else None, new if after.HasField(field.name) else None, place
            )
        else:
            was, now = _scalar(before, field), _scalar(after, field)
            if was != now:
                yield Change(place, was, now)


def _lists(field: Any, old: Sequence[Any], new: Sequence[Any], place: str) -> Iterator[Change]:
    if field.message_type is None:
        if old != new:
            yield Change(place, ", ".join(map(str, old)), ", ".join(map(str, new)))
        return
    key = next((name for name in ("id", "bus", "target") if name in field.message_type.fields_by_name), "")

    def keyed(parts: Sequence[Any]) -> dict[str, Any]:
        return {str(getattr(part, key) if key else index): part for index, part in enumerate(parts)}

    was, now = keyed(old), keyed(new)
    for name in [*was, *(name for name in now if name not in was)]:
        yield from _parts(was.get(name), now.get(name), f"{place}[{name}]")


def _parts(old: Message | None, new: Message | None, place: str) -> Iterator[Change]:
    if old is not None and new is not None:
        yield from diff_recipes(old, new, place)
    elif old is not None or new is not None:
        yield Change(place, _told(old), _told(new))


def _told(part: Message | None) -> str:
    if part is None:
        return ""
    text = text_format.MessageToString(part, as_one_line=True) or "{}"
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}…"


def _scalar(message: Message, field: Any) -> str:
    """Return a field's value as text; empty for one that is not set."""
    if field.has_presence and not message.HasField(field.name):
        return ""
    value = getattr(message, field.name)
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return f"{value:g}" if isinstance(value, float) else str(value)


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
