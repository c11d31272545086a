"""An insert's settings as a flat list of named values and back, for formats that know parameters but not messages."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tapelog_recipe.naming import short_names

LIST_MAX: Final = 512
"""Entries of a list inside an insert; a free curve has the most points."""

UNITS: Final = {"db": "decibel", "hz": "hertz", "s": "seconds"}
"""Unit suffix of a field's name -> unit as DAWproject calls it; the rest is ``linear``."""


class Setting(NamedTuple):
    """A setting by its path, such as ``bands.0.gain_db``; an enum has its words."""

    path: str
    value: float | int | bool | str
    words: tuple[str, ...] = ()


def unit_of(path: str) -> str:
    """Return the unit of a setting as DAWproject calls it."""
    return UNITS.get(path.rpartition("_")[2], "linear")


def flatten(message: Message, prefix: str = "") -> Iterator[Setting]:
    """Return every written setting of a message, in the order of its fields."""
    for descriptor, value in message.ListFields():
        field: Any = descriptor
        path = f"{prefix}{field.name}"
        if field.message_type is not None:
            if field.is_repeated:
                for index, item in enumerate(value):
                    yield from flatten(item, f"{path}.{index}.")
                    if not item.ListFields():
                        yield Setting(f"{path}.{index}.", value=True)  # an entry whose fields all have their defaults
            else:
                yield from flatten(value, f"{path}.")
        elif field.is_repeated:
            yield from (Setting(f"{path}.{index}", item) for index, item in enumerate(value))
        elif field.enum_type is not None:
            words = tuple(short_names(field.enum_type))
            name = next(word for word, number in short_names(field.enum_type).items() if number == value)
            yield Setting(path, name, words)
        else:
            yield Setting(path, value)


def write_setting(message: Message, path: str, value: float | bool | str) -> bool:
    """Set one setting by its path; return whether the message has such a setting.

    A path or value that does not fit changes nothing that a caller could not check afterwards with the recipe's own
    validation.
    """
    head, _, rest = path.partition(".")
    field: Any = message.DESCRIPTOR.fields_by_name.get(head)
    if field is None:
        return False
    target = getattr(message, head)
    if field.is_repeated:
        place, _, rest = rest.partition(".")
        if not place.isdecimal() or int(place) >= LIST_MAX:
            return False
        if field.message_type is None:
            if int(place) != len(target):
                return False
            target.append(float(value))
            return True
        while len(target) <= int(place):
            target.add()
        return write_setting(target[int(place)], rest, value) if rest else True
    if field.message_type is not None:
        return bool(rest) and write_setting(target, rest, value)
    if rest:
        return False
    converted = _converted(field, value)
    if converted is None:
        return False
    setattr(message, head, converted)
    return True


def _converted(field: Any, value: float | bool | str) -> Any:
    if field.enum_type is not None:
        return short_names(field.enum_type).get(str(value))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return str(value)
    if isinstance(value, str):
        return None
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return bool(value)
    return float(value) if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else round(value)
