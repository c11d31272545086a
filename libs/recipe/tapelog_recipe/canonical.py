"""The canonical form of a recipe, and the digests that approvals, usage and caches are bound to.

Form 1: a JSON object with sorted keys and no spaces, UTF-8. Every real number is an integer count of millionths
(round half to even), every enum its number with the unspecified one resolved, sets (tags, printed effects) sorted and
without repeats. A field that equals its default is left out, so that a field added to the format later changes no
digest that was given before.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.naming import Field
from tapelog_recipe.parameters import ENUM_DEFAULTS, parameter

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


def _scalar(message: Message, field: Field) -> int | str | None:
    """Return a field's canonical value, or None if it equals its default."""
    value = getattr(message, field.name)
    entry = parameter(message, field.name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        standard = ENUM_DEFAULTS[field.enum_type.name]
        number = int(value) or standard
        return None if number == standard else number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return str(value) if value or field.containing_oneof is not None else None
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return int(value) or None
    written = not field.has_presence or message.HasField(field.name)
    standard_value = entry.default if entry is not None and entry.default is not None else None
    if not written:
        return None
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return None if standard_value is not None and micro(value) == micro(standard_value) else micro(value)
    return None if standard_value is not None and value == standard_value else int(value)


def canonical_form(message: Message) -> dict[str, Any]:
    """Return the canonical form of a recipe or a part of it, as plain values."""
    form: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if (message.DESCRIPTOR.name, field.name) in _NOT_CREATIVE:
            continue
        value = getattr(message, field.name)
        if field.is_repeated and field.message_type is not None:
            form[field.name] = [canonical_form(item) for item in value]
        elif field.is_repeated:
            form[field.name] = sorted(set(value)) if field.name in _SETS else list(value)
        elif field.message_type is not None:
            if message.HasField(field.name):
                form[field.name] = canonical_form(value)
        elif field.containing_oneof is None or message.HasField(field.name):
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
    field: Field
    for field in message.DESCRIPTOR.fields:
        entry = parameter(message, field.name)
        if field.message_type is not None:
            if field.is_repeated:
                for item in getattr(message, field.name):
                    _resolve(item)
            elif message.HasField(field.name):
                _resolve(getattr(message, field.name))
        elif field.cpp_type == FieldDescriptor.CPPTYPE_ENUM and not field.is_repeated:
            setattr(message, field.name, getattr(message, field.name) or ENUM_DEFAULTS[field.enum_type.name])
        elif entry is not None:
            absent = field.has_presence and not message.HasField(field.name)
            if absent and entry.default is not None:
                value = entry.default
                setattr(message, field.name, int(value) if field.cpp_type != FieldDescriptor.CPPTYPE_DOUBLE else value)
            elif not absent and field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
                setattr(message, field.name, micro(getattr(message, field.name)) / MICRO)


def resolved(recipe: _R) -> _R:
    """Return a copy with every default written out and every number on the grid of millionths.

    What is rendered is always the resolved recipe, so equal digests mean equal samples.
    """
    copy = type(recipe)()
    copy.CopyFrom(recipe)
    _resolve(copy)
    return copy
