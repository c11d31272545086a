"""Two recipes compared field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.message import Message

VALUE_CHARS_MAX: Final = 400
"""A whole track that was added is told by its beginning."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One difference; an empty value means that there is none."""

    path: str
    before: str
    after: str


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
