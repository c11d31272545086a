"""Short names of enum values, and suggestions for misspelt words."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

Field = Any
"""A protobuf field descriptor; the published types give two classes for it that exclude each other."""

MessageType = Any
"""A protobuf message descriptor; the same."""

EnumType = Any
"""A protobuf enum descriptor; the same."""


def short_names(enum: EnumType) -> dict[str, int]:
    """Return what people write for each value but the unspecified one: ``PAN_LAW_MINUS_3_DB`` -> ``minus-3-db``."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {
        value.name.removeprefix(prefix).lower().replace("_", "-"): value.number for value in enum.values if value.number
    }


def enum_number(enum: EnumType, word: str) -> int | None:
    """Return the number of a value by its short or its full name, or None."""
    full = enum.values_by_name.get(word)
    if full is not None:
        return int(full.number)
    return short_names(enum).get(word.lower().replace("_", "-"))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint after an unknown word: the closest known one, or all of them."""
    names = list(known)
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
