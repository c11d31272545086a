"""Why the domain refuses: one small tree, free of transport. The adapter gives each its status code."""

# ruff: noqa: N818 - the names say what the refusal is, as the person reads it

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class WrongField(NamedTuple):
    """One wrong field of a command: its path, and what to write instead."""

    field: str
    description: str


class Condition(NamedTuple):
    """One unmet condition: a stable code, what it is about, and how to meet it."""

    code: str
    subject: str
    description: str


class DomainError(Exception):
    """Base of every refusal.

    Attributes
    ----------
    reason : str
        Stable UPPER_SNAKE code, for programs.
    message : str
        Which value, which limit, what to do.
    metadata : Mapping[str, object]
        The values in the message.
    """

    def __init__(self, reason: str, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, object] = metadata


class InvalidCommand(DomainError):
    """The command is wrong in whatever state the song is; `fields` lists everything that is."""

    def __init__(self, reason: str, fields: Sequence[WrongField | tuple[str, str]], **metadata: object) -> None:
        self.fields = tuple(WrongField(*field) for field in fields)
        first = self.fields[0]
        more = f" (and {len(self.fields) - 1} more)" if len(self.fields) > 1 else ""
        super().__init__(reason, f"{first.field}: {first.description}{more}", **metadata)


class Unknown(DomainError):
    """What the command names does not exist."""


class Denied(DomainError):
    """The person may not do this in any role they hold."""


class NotNow(DomainError):
    """The command is right but the state does not allow it; `conditions` lists everything that is unmet."""

    def __init__(self, reason: str, message: str, *, conditions: Sequence[Condition] = (), **metadata: object) -> None:
        super().__init__(reason, message, **metadata)
        self.conditions = tuple(conditions)


class Moved(DomainError):
    """What the command rests on changed while it was being prepared: read again, decide again."""
