"""Checks on the fields of a command: collect everything that is wrong, then refuse once."""

import math
import re
from collections.abc import Sequence
from typing import Final

from tapelog_session.domain.errors import InvalidCommand, WrongField

ID: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f]")
"""Control characters except line break and tab."""
SHA256: Final = re.compile(r"[0-9a-f]{64}")

TITLE_CHARS_MAX: Final = 200
"""Titles and names are shown in one line."""
TEXT_CHARS_MAX: Final = 2000
"""A note or comment; a page of text is a document, not a note."""
REFERENCE_CHARS_MAX: Final = 200
"""The caller's own reference travels in a header of every event."""


class Fields:
    """Collects wrong fields; `refuse` raises if there are any."""

    def __init__(self) -> None:
        self.wrong: list[WrongField] = []

    def that(self, holds: bool, field: str, description: str) -> bool:
        """Note the field as wrong unless `holds`; returns `holds`."""
        if not holds:
            self.wrong.append(WrongField(field, description))
        return holds

    def text(self, field: str, value: str, chars_max: int, *, chars_min: int = 1) -> None:
        """Demand a text of a length, without control characters except line breaks and tabs."""
        length = len(value.strip())
        self.that(
            chars_min <= length and len(value) <= chars_max,
            field,
            f"must have {chars_min} to {chars_max} characters, has {len(value)}",
        )
        controls = sorted(CONTROL.findall(value))
        self.that(not controls, field, f"must not contain the control character {controls[:1]!r}")

    def id(self, field: str, value: str) -> None:
        """Demand an id."""
        self.that(
            ID.fullmatch(value) is not None,
            field,
            f"{value[:64]!r} must begin with a letter and have at most 32 of a-z, 0-9 and hyphen",
        )

    def sha256(self, field: str, value: str) -> None:
        """Demand a SHA-256 in lower-case hex."""
        self.that(
            SHA256.fullmatch(value) is not None, field, f"{value[:70]!r} is not a SHA-256: 64 lower-case hex digits"
        )

    def finite(self, field: str, value: float, lowest: float, highest: float, unit: str) -> None:
        """Demand a number in a range."""
        self.that(
            math.isfinite(value) and lowest <= value <= highest,
            field,
            f"{value:g} {unit} is outside {lowest:g} to {highest:g} {unit}",
        )

    def unique(self, field: str, values: Sequence[str]) -> None:
        """Demand that no value comes twice."""
        twice = sorted({value for value in values if values.count(value) > 1})
        self.that(not twice, field, f"{', '.join(twice)} must not come twice")

    def refuse(self, reason: str = "INVALID_FIELD") -> None:
        """Raise `InvalidCommand` if anything was wrong."""
        if self.wrong:
            raise InvalidCommand(reason, self.wrong)
