"""What the domain needs to know of an event's place in the log."""

from datetime import datetime
from typing import Protocol


class RecordedBy(Protocol):
    """Who and what led to an event."""

    @property
    def correlation_id(self) -> str:
        """Joins all facts of one user action."""
        ...

    @property
    def actor(self) -> str:
        """Party who acted."""
        ...


class Recorded(Protocol):
    """An event as the log stored it."""

    @property
    def sequence(self) -> int:
        """Place in the aggregate, from 1 without gaps."""
        ...

    @property
    def event_id(self) -> str:
        """Unique id, equal on every redelivery."""
        ...

    @property
    def time(self) -> datetime:
        """When it was decided."""
        ...

    @property
    def metadata(self) -> RecordedBy:
        """Who and what led to it."""
        ...
