"""The words of the command line for the enumerations of the protos: `mixing-engineer` for `ROLE_MIXING_ENGINEER`.

They stand here as plain words so that help and shell completion know them without importing any service.
"""

import re
from typing import Any, Literal

Role = Literal[
    "artist",
    "studio-producer",
    "songwriter",
    "musician",
    "recording-engineer",
    "mixing-engineer",
    "mastering-engineer",
    "studio-technician",
    "label",
    "billing-reader",
    "auditor",
    "integration",
]
Stage = Literal["pre-production", "recording", "mixing", "mastering", "delivered", "archived", "on-hold", "cancelled"]
SendBackReason = Literal[
    "arrangement-change",
    "key-change",
    "missing-part",
    "noise",
    "better-take",
    "brief-disputed",
    "mix-move",
    "source-fault",
    "technical-return",
    "creative-change",
    "other",
]
NoteSeverity = Literal["blocker", "should", "nice"]
NoteCategory = Literal["level", "tone", "space", "effect", "timing", "tuning", "noise", "arrangement", "lyric"]
NoteThread = Literal["internal", "client"]
NoteState = Literal["open", "addressed", "verified", "declined"]
DecisionKind = Literal["adopt", "compromise", "defer"]
TakeCheckKind = Literal[
    "sample-rate",
    "bit-depth",
    "length",
    "non-finite",
    "silence",
    "clipping",
    "start",
    "noise-floor",
    "hum",
]

ReferenceAspect = Literal[
    "vocal-level",
    "low-end",
    "space",
    "tone",
    "dynamics",
    "balance",
    "arrangement",
    "effect",
    "rough-mix",
]
StudioSessionType = Literal["pre-production", "recording", "overdub", "editing", "mixing", "mastering", "production"]


def value_of(enum: Any, word: str | None) -> Any:
    """Return the number of a word in a generated enumeration; 0 for none.

    Raises
    ------
    UsageError
        It is not one of its words; the hint has the right one, or all.
    """
    from tapelog_recipe.naming import did_you_mean, enum_number

    if not word:
        return 0
    number = enum_number(enum.DESCRIPTOR, word)
    if number is None:
        from tapelog_cli.errors import UsageError

        raise UsageError(f"{word!r} is no {_spaced(enum)}", hint=did_you_mean(word, words_of(enum)))
    return number


def word_of(enum: Any, value: int) -> str:
    """Return the word for a number; `unspecified` where a service said nothing."""
    from tapelog_recipe.naming import short_names

    return next((word for word, number in short_names(enum.DESCRIPTOR).items() if number == value), "unspecified")


def words_of(enum: Any) -> tuple[str, ...]:
    """Return every word of an enumeration, in the order of its numbers, without the one that says nothing."""
    from tapelog_recipe.naming import short_names

    return tuple(short_names(enum.DESCRIPTOR))


def _spaced(enum: Any) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", enum.DESCRIPTOR.name).lower()
