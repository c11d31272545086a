"""The moment that a read is about: now, after so many events, or at a time."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """A moment; without anything it is now.

    Attributes
    ----------
    sequence : int, optional
        After this event of the aggregate.
    time : datetime, optional
        Before the first event later than this.
    """

    sequence: int | None = None
    time: datetime | None = None

    @property
    def is_now(self) -> bool:
        """Whether nothing was asked for."""
        return self.sequence is None and self.time is None


NOW: Final = Past()
