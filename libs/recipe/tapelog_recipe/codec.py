"""Plain values to recipe messages and back, by field name, with every mistake named at its path."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.errors import RecipeError, Violation
from tapelog_recipe.naming import Field, did_you_mean, enum_number, short_names
from tapelog_recipe.text import Format, is_finite_number, parse, write

ID_PATTERN: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""Ids of tracks, buses and alternates, and tags."""

_INT_BITS: Final = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63}
_SHOWN_CHARACTERS: Final = 60
"""Characters of a wrong value repeated in a message."""

_M = TypeVar("_M", bound=Message)


def show(value: object) -> str:
    """Return a wrong value as an error message repeats it: short, and never a whole structure."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def item_labels(items: list[Any]) -> list[str]:
    """Return how paths name the items of a list: by id where it is written, well-formed and unique, else by index."""
    ids = [item.get("id") if isinstance(item, dict) else getattr(item, "id", None) for item in items]
    words = [word if isinstance(word, str) and ID_PATTERN.fullmatch(word) else None for word in ids]
    count = Counter(words)
    return [word if word and count[word] == 1 else str(index) for index, word in enumerate(words)]


def child(path: str, name: str) -> str:
    """Return the path of a field within a message's path."""
    return f"{path}.{name}" if path else name


def _decode_source(plain: str, message: Message, path: str) -> Iterator[Violation]:
    """Read the short form of a source: ``file:kick.flac`` or ``asset:<sha256>``."""
    word, colon, rest = plain.partition(":")
    field = {"file": "file", "asset": "asset_sha256"}.get(word)
    if not colon or field is None:
        yield Violation(path, f"got {show(plain)}; write 'file:NAME' or 'asset:SHA256', or a map with one of the two")
    else:
        setattr(message, field, rest)


def _decode_scalar(value: object, field: Field, path: str) -> Any:
    """Return the value for a field, or a `Violation`."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return value if isinstance(value, bool) else Violation(path, f"must be true or false, got {show(value)}")
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return value if isinstance(value, str) else Violation(path, f"must be text, got {show(value)}; quote it")
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        names = short_names(field.enum_type)
        number = enum_number(field.enum_type, value) if isinstance(value, str) else None
        if number is not None:
            return number
        hint = did_you_mean(value, names) if isinstance(value, str) else f"known are {', '.join(names)}"
        return Violation(path, f"{show(value)} is not known; {hint}")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Violation(path, f"must be a number, got {show(value)}")
    if not is_finite_number(value) or abs(value) > 1e300:  # far beyond every range, still a float
        return Violation(path, f"must be a finite number, got {show(value)}")
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return float(value)
    if value != int(value) or abs(value) >= 1 << _INT_BITS[field.cpp_type]:
        return Violation(path, f"must be a whole number below 2**{_INT_BITS[field.cpp_type]}, got {show(value)}")
    return int(value)


def _decode_list(value: object, field: Field, message: Message, path: str) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield Violation(path, f"must be a list, got {show(value)}")
        return
    target = getattr(message, field.name)
    for label, item in zip(item_labels(value), value, strict=True):
        item_path = f"{path}[{label}]"
        if field.message_type is not None:
            yield from decode(item, target.add(), item_path)
            continue
        scalar = _decode_scalar(item, field, item_path)
        if isinstance(scalar, Violation):
            yield scalar
        else:
            target.append(scalar)


def decode(plain: object, message: Message, path: str = "") -> Iterator[Violation]:
    """Fill a message from plain values.

    Parameters
    ----------
    plain : object
        Map of field names; for a source also its short form.
    message : Message
        Empty message to fill.
    path : str
        Where the message stands in the recipe.

    Yields
    ------
    Violation
        Each field that is unknown, of the wrong type, or one of two that exclude each other.
    """
    if isinstance(plain, str) and isinstance(message, pb.RecipeSource):
        yield from _decode_source(plain, message, path)
        return
    if not isinstance(plain, dict):
        yield Violation(path, f"must be a map of fields, got {show(plain)}" + (" (write {})" if plain is None else ""))
        return
    fields = message.DESCRIPTOR.fields_by_name
    for oneof in message.DESCRIPTOR.oneofs:
        written = [field.name for field in oneof.fields if field.name in plain]
        if len(oneof.fields) > 1 and len(written) > 1:
            yield Violation(path, f"only one of {', '.join(written)} may be written; one entry each")
    for name, value in plain.items():
        field = fields.get(name)
        here = child(path, name)
        if field is None:
            yield Violation(here, f"there is no field {name[:_SHOWN_CHARACTERS]!r} here; {did_you_mean(name, fields)}")
        elif field.is_repeated:
            yield from _decode_list(value, field, message, here)
        elif field.message_type is not None:
            submessage = getattr(message, name)
            submessage.SetInParent()
            yield from decode(value, submessage, here)
        else:
            scalar = _decode_scalar(value, field, here)
            if isinstance(scalar, Violation):
                yield scalar
            else:
                setattr(message, name, scalar)


def _load(text: str | bytes, notation: Format, message: _M) -> _M:
    violations = tuple(decode(parse(text, notation), message))
    if violations:
        raise RecipeError(violations)
    return message


def load_mix_recipe(text: str | bytes, format: Format = "yaml") -> pb.MixRecipe:  # noqa: A002  # the word for it
    """Read a mix recipe from text; ranges and references are the business of `validate_mix`.

    Raises
    ------
    RecipeError
        The text is malformed, or a field is unknown or of the wrong type; lists every such field.
    """
    return _load(text, format, pb.MixRecipe())


def load_master_recipe(text: str | bytes, format: Format = "yaml") -> pb.MasterRecipe:  # noqa: A002  # the word for it
    """Read a master recipe from text; ranges are the business of `validate_master`.

    Raises
    ------
    RecipeError
        The text is malformed, or a field is unknown or of the wrong type; lists every such field.
    """
    return _load(text, format, pb.MasterRecipe())


def load_alternate(text: str | bytes, format: Format = "yaml") -> pb.Alternate:  # noqa: A002  # the word for it
    """Read an alternate from text; `apply_alternate` checks it against a recipe.

    Raises
    ------
    RecipeError
        The text is malformed, or a field is unknown or of the wrong type; lists every such field.
    """
    return _load(text, format, pb.Alternate())


def _encode_scalar(value: Any, field: Field) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        by_number = {number: name for name, number in short_names(field.enum_type).items()}
        return by_number.get(value, int(value))
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and value == int(value) and abs(value) < 1 << 53:
        return int(value)
    return value


def encode(message: Message) -> dict[str, Any]:
    """Return a message as plain values: what is set, in the order of the proto."""
    plain: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is not None:
            plain[field.name] = [encode(item) for item in value] if field.is_repeated else encode(value)
        elif field.is_repeated:
            plain[field.name] = [_encode_scalar(item, field) for item in value]
        else:
            plain[field.name] = _encode_scalar(value, field)
    return plain


def dump_recipe(recipe: pb.MixRecipe | pb.MasterRecipe | pb.Alternate, format: Format = "yaml") -> str:  # noqa: A002
    """Write a recipe as text that loads back into an equal message."""
    return write(encode(recipe), format)
