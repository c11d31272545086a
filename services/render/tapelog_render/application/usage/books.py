"""The books of the accounts that statements were asked of lately: each event is read once, not once a page."""

import asyncio
import dataclasses
from typing import Final

from tapelog_chassis.event_log import AggregateId, EventLog

from tapelog_render.application.events import REGISTRY
from tapelog_render.domain.statement import Book

EVENTS_KEPT: Final = 200_000
"""Of all kept books together, at about 700 bytes each. A longer one is made anew for every statement."""


@dataclasses.dataclass(slots=True)
class _Kept:
    book: Book = dataclasses.field(default_factory=Book)
    position: int = 0
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


class Books:
    """Keeps books up to date with their accounts.

    Parameters
    ----------
    log : EventLog
    events_kept : int
        The events of all books that are kept; those used longest ago go first.
    """

    def __init__(self, log: EventLog, *, events_kept: int = EVENTS_KEPT) -> None:
        self._log = log
        self._events_kept = events_kept
        self._kept: dict[AggregateId, _Kept] = {}

    def __repr__(self) -> str:
        return f"Books({len(self._kept)} accounts)"

    async def of(self, account: AggregateId) -> Book:
        """Return an account's book as the log is now; raises `EventLogError`."""
        kept = self._kept.pop(account, None) or _Kept()
        self._kept[account] = kept  # the last one used stands last
        async with kept.lock:
            for stored in await self._log.load(
                account, after_sequence=kept.book.sequence, after_position=kept.position
            ):
                kept.book.add(stored, REGISTRY.decode(stored))
                kept.position = stored.position
        self._let_go()
        return kept.book

    def _let_go(self) -> None:
        total = sum(kept.book.sequence for kept in self._kept.values())
        while total > self._events_kept:
            oldest = next(iter(self._kept))
            total -= self._kept.pop(oldest).book.sequence
