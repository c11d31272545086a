"""Parameters of DAWproject: a value with its unit.

Source: the DAWproject 1.0 schema (Project.xsd, element types ``realParameter``, ``boolParameter``).
"""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET

_WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")

DIGITS: Final = 12
"""Significant digits of written numbers: far below a millionth of our units, and the same text everywhere."""


def number(value: float) -> str:
    """Return a number as text."""
    return f"{value:.{DIGITS}g}"


def real(parent: ET.Element, tag: str, value: float, unit: str, ident: str, **bounds: float) -> ET.Element:
    """Add a real parameter."""
    attributes = {name: number(bound) for name, bound in sorted(bounds.items())}
    return ET.SubElement(parent, tag, {**attributes, "unit": unit, "value": number(value), "id": ident, "name": tag})


def boolean(parent: ET.Element, tag: str, ident: str, *, value: bool) -> ET.Element:
    """Add a switch."""
    return ET.SubElement(parent, tag, {"value": "true" if value else "false", "id": ident, "name": tag})


def comment_of(tags: Iterable[str], printed_effects: Iterable[str]) -> str:
    """Return a track's words as its comment, the one free text that every program keeps."""
    named = (("tags", tags), ("printed effects", printed_effects))
    return "; ".join(f"{name}: {', '.join(words)}" for name, words in named if words)


def words_in_comment(comment: str) -> tuple[list[str], list[str]]:
    """Return the tags and printed effects of a track's comment; other comments have none."""
    found: dict[str, list[str]] = {}
    for part in comment.split(";"):
        name, colon, words = part.partition(":")
        if colon:
            found[name.strip()] = [word for word in map(str.strip, words.split(",")) if _WORD.fullmatch(word)]
    return found.get("tags", []), found.get("printed effects", [])


def is_true(element: ET.Element | None, *, standard: bool = False) -> bool:
    """Return a switch's value."""
    return standard if element is None else element.get("value", str(standard)).strip().lower() in {"true", "1"}
