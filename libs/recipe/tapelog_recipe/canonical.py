"""The canonical form of a recipe, and the digests that approvals, usage and caches are bound to.

Form 1: a JSON object with sorted keys and no spaces, UTF-8. Every real number is an integer count of millionths
(round half to even), every enum its number with the unspecified one resolved, sets (tags, printed effects) sorted and
without repeats. A field that equals its default is left out, so that a field added to the format later changes no
digest that was given before.
"""

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.naming import Field, MessageType
from tapelog_recipe.parameters import ENUM_DEFAULTS, PARAMETERS

FORM: Final = "tapelog.recipe/1"
"""Name of the canonical form; part of every digest."""

MICRO: Final = 1_000_000
"""Steps per unit: a millionth of a decibel, hertz or millisecond is far below what can be heard or measured."""

_SETS: Final = frozenset({"tags", "printed_effects"})
_NOT_CREATIVE: Final = frozenset({("MasterRecipe", "outputs")})
"""Left out of the recipe digest; the render digest has it."""

_R = TypeVar("_R", pb.MixRecipe, pb.MasterRecipe)


def micro(value: float) -> int:
    """Return a number as millionths, rounded half to even."""
    return round(value * MICRO)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is asked of a field again and again: descriptors answer slowly, and breakpoints are many."""

    name: str
    kind: int
    is_repeated: bool
    is_message: bool
    is_creative: bool
    has_presence: bool
    in_oneof: bool
    has_entry: bool
    default: float | None
    enum_default: int


@functools.cache
def _known(kind: MessageType) -> tuple[_Known, ...]:
    fields: list[Field] = list(kind.fields)
    return tuple(_known_field(kind, field) for field in fields)


def _known_field(kind: MessageType, field: Field) -> _Known:
    entry = PARAMETERS.get(kind.name, {}).get(field.name)
    is_enum = field.cpp_type == FieldDescriptor.CPPTYPE_ENUM
    return _Known(
        field.name,
        field.cpp_type,
        field.is_repeated,
        field.message_type is not None,
        (kind.name, field.name) not in _NOT_CREATIVE,
        field.has_presence,
        field.containing_oneof is not None,
        entry is not None,
        None if entry is None else entry.default,
        ENUM_DEFAULTS.get(field.enum_type.name, 0) if is_enum else 0,
    )


def _scalar(message: Message, field: _Known) -> int | str | None:
    """Return a field's canonical value, or None if it equals its default."""
    value = getattr(message, field.name)
    if field.kind == FieldDescriptor.CPPTYPE_ENUM:
        number = int(value) or field.enum_default
        return None if number == field.enum_default else number
    if field.kind == FieldDescriptor.CPPTYPE_STRING:
        return str(value) if value or field.in_oneof else None
    if field.kind == FieldDescriptor.CPPTYPE_BOOL:
        return int(value) or None
    if field.has_presence and not message.HasField(field.name):
        return None
    if field.kind == FieldDescriptor.CPPTYPE_DOUBLE:
        steps = micro(value)
        return None if field.default is not None and steps == micro(field.default) else steps
    return None if field.default is not None and value == field.default else int(value)


def canonical_form(message: Message) -> dict[str, Any]:
    """Return the canonical form of a recipe or a part of it, as plain values."""
    form: dict[str, Any] = {}
    for field in _known(message.DESCRIPTOR):
        if not field.is_creative:
            continue
        if field.is_repeated and field.is_message:
            form[field.name] = [canonical_form(item) for item in getattr(message, field.name)]
        elif field.is_repeated:
            value = getattr(message, field.name)
            form[field.name] = sorted(set(value)) if field.name in _SETS else list(value)
        elif field.is_message:
            if message.HasField(field.name):
                form[field.name] = canonical_form(getattr(message, field.name))
        elif not field.in_oneof or message.HasField(field.name):
            form[field.name] = _scalar(message, field)
    return {name: value for name, value in form.items() if value is not None and value != []}


def canonical_bytes(message: Message) -> bytes:
    """Return the canonical form with its name and the message's name, as the bytes that are digested."""
    whole = {"form": FORM, "message": message.DESCRIPTOR.name, "value": canonical_form(message)}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def recipe_digest(recipe: pb.MixRecipe | pb.MasterRecipe) -> str:
    """Return the digest of the creative content, free of engine and output format.

    Returns
    -------
    str
        SHA-256 of the canonical form, 64 lower-case hex digits: equal for YAML and JSON, any order of fields, any
        spelling of a number, a default written or left out; different for any change that can be heard.
    """
    return hashlib.sha256(canonical_bytes(recipe)).hexdigest()


def render_digest(recipe_digest: str, engine_version: str, outputs: Iterable[pb.OutputFormat]) -> str:
    """Return the digest of what a render makes: the recipe, the engine, and the files in their order.

    Returns
    -------
    str
        SHA-256, 64 lower-case hex digits: the key of render caches.
    """
    files = [canonical_form(output) for output in outputs]
    whole = {"form": FORM, "recipe": recipe_digest, "engine": engine_version, "outputs": files}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _resolve(message: Message) -> None:
    for field in _known(message.DESCRIPTOR):
        if field.is_message:
            if field.is_repeated:
                for item in getattr(message, field.name):
                    _resolve(item)
            elif message.HasField(field.name):
                _resolve(getattr(message, field.name))
        elif field.kind == FieldDescriptor.CPPTYPE_ENUM and not field.is_repeated:
            if not getattr(message, field.name):
                setattr(message, field.name, field.enum_default)
        elif field.has_entry:
            _resolve_number(message, field)


def _resolve_number(message: Message, field: _Known) -> None:
    is_double = field.kind == FieldDescriptor.CPPTYPE_DOUBLE
    if field.has_presence and not message.HasField(field.name):
        if field.default is not None:
            setattr(message, field.name, field.default if is_double else int(field.default))
    elif is_double:
        written = getattr(message, field.name)
        value = micro(written) / MICRO
        if value != written or value == 0.0:  # a minus zero becomes a plain one
            setattr(message, field.name, value)


def resolved(recipe: _R) -> _R:
    """Return a copy with every default written out and every number on the grid of millionths.

    What is rendered is always the resolved recipe, so equal digests mean equal samples.
    """
    copy = type(recipe)()
    copy.CopyFrom(recipe)
    _resolve(copy)
    return copy
