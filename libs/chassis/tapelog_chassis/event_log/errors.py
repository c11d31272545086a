"""What can go wrong between a decision and the log."""
# ruff: noqa: N818 - the field says "conflict" and "unknown"; callers match on these names

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .port import AggregateId


class EventLogError(Exception):
    """Root of this package's errors."""


class InvalidEvent(EventLogError, ValueError):
    """An aggregate name, event or metadata value breaks a written rule; nothing was stored."""


class EventTooLarge(InvalidEvent):
    """One event with its headers is larger than a log message may be; nothing was stored."""

    def __init__(self, event_id: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"event {event_id} is {size_bytes} bytes with its headers, the limit is {limit_bytes}: "
            "put large content into the object store and its digest into the event"
        )
        self.event_id = event_id
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class ConcurrencyConflict(EventLogError):
    """Somebody else appended to the aggregate first: load it again and decide again."""

    def __init__(self, aggregate: AggregateId, expected: int, actual: int) -> None:
        super().__init__(f"{aggregate} is at sequence {actual}, not {expected}: load it again and decide again")
        self.aggregate = aggregate
        self.expected = expected
        self.actual = actual


class DuplicateEventId(EventLogError):
    """An event id of this append already names another event of the context; nothing was stored."""

    def __init__(self, aggregate: AggregateId, event_ids: Sequence[str]) -> None:
        super().__init__(
            f"{aggregate}: of the event ids {', '.join(event_ids)} at least one is already taken by another event; "
            "an event id is made from its command's id and the event's index, and used once"
        )
        self.aggregate = aggregate
        self.event_ids = tuple(event_ids)


class AppendUnknown(EventLogError):
    """The log did not answer in time, so the events may or may not be stored."""

    def __init__(self, aggregate: AggregateId, event_ids: Sequence[str], cause: str) -> None:
        super().__init__(
            f"{aggregate}: no answer about {len(event_ids)} event(s) ({cause}); they may be stored or not: "
            "retry with the same request id, that resolves it"
        )
        self.aggregate = aggregate
        self.event_ids = tuple(event_ids)


class LogFull(EventLogError):
    """The log has reached its size limit and refuses new events; nothing was stored, nothing is lost."""

    def __init__(self, aggregate: AggregateId, cause: str) -> None:
        super().__init__(f"{aggregate}: the log is full ({cause}): raise the stream's max_bytes or free disk space")
        self.aggregate = aggregate


class AppendRefused(EventLogError):
    """The broker refused the events for a reason that a retry does not cure; nothing was stored."""

    def __init__(self, aggregate: AggregateId, cause: str) -> None:
        super().__init__(f"{aggregate}: the broker refused the events: {cause}")
        self.aggregate = aggregate


class PositionAhead(EventLogError):
    """A reader's position lies beyond the end of the log: the log was restored from an older copy, or is another."""

    def __init__(self, context: str, position: int, head: int) -> None:
        super().__init__(
            f"{context}: position {position} is ahead of the log's end {head}: the log is older than this reader's "
            "state; rebuild that state from position 0"
        )
        self.position = position
        self.head = head


class LogUnavailable(EventLogError):
    """The log cannot be read, or takes no append, just now; nothing was stored, trying again later is safe."""


class CorruptStream(EventLogError):
    """Stored history has a gap, a wrong order or a wrong hash: nothing may be appended to it."""

    def __init__(self, subject: str, sequence: int, reason: str) -> None:
        super().__init__(
            f"{subject} is corrupt at sequence {sequence}: {reason}. Nothing was changed; stop writing to it and "
            "restore the stream from the journal or a backup"
        )
        self.subject = subject
        self.sequence = sequence
        self.reason = reason


class LogTampered(EventLogError):
    """A context's log is not what was anchored: cut, rolled back or changed. Nothing may be added to it."""

    def __init__(self, context: str, reason: str) -> None:
        super().__init__(
            f"the {context} log is not what it was: {reason}. Nothing was changed or repaired; keep a copy of the "
            "folder, look with `tapelog verify`, restore the last backup with `tapelog restore`"
        )
        self.context = context
        self.reason = reason


class SnapshotTooLarge(EventLogError):
    """A snapshot is larger than the store accepts; snapshots are optional, so go on without one."""
