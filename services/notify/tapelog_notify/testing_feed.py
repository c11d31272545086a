"""Test help that ships with the service: an ordered feed in memory, in which time passes when everybody waits.

Held to the same contract as the feeds on the broker (tests/contracts/feed_contract.py).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from tapelog_chassis.clock import FakeClock

from tapelog_notify.domain.public_event import PublicEvent


class ClockedFeed:
    """
    The feed of one ordered subscription: where the next event is not due yet, the clock is moved on to it.

    Ends after its last event, so that whoever delivers comes to an end.
    """

    def __init__(self, clock: FakeClock, events: Sequence[PublicEvent]) -> None:
        self._clock = clock
        self._events = list(events)
        self._place = 0
        self._attempt = 0
        self._due: datetime = clock.now()

    @property
    def accepted_position(self) -> int:
        """Position up to which everything was accepted."""
        return self._events[self._place - 1].position if self._place else 0

    def restart(self) -> None:
        """See `Feeds.restart`."""
        self._attempt, self._due = 0, self._clock.now()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator["ClockedDue"]]:
        """See `Feeds.open`."""
        yield self._read()

    async def _read(self) -> AsyncIterator["ClockedDue"]:
        while self._place < len(self._events):
            wait_s = (self._due - self._clock.now()).total_seconds()
            if wait_s > 0:
                self._clock.advance(wait_s)
            self._attempt += 1
            yield ClockedDue(self, self._events[self._place], self._attempt)

    def accept(self) -> None:
        """Move on to the next event."""
        self._place += 1
        self.restart()

    def retry(self, delay_s: float) -> None:
        """Offer the event again after a delay."""
        self._due = self._clock.now() + timedelta(seconds=delay_s)


class ClockedDue:
    """A `Due` of a `ClockedFeed`."""

    def __init__(self, feed: ClockedFeed, event: PublicEvent, attempt: int) -> None:
        self._feed = feed
        self._event = event
        self._attempt = attempt

    @property
    def event(self) -> PublicEvent:
        """The event."""
        return self._event

    @property
    def attempt(self) -> int:
        """See `Due.attempt`."""
        return self._attempt

    async def extend(self) -> None:
        """See `Due.extend`: time passes only while nobody works."""

    async def accept(self) -> None:
        """See `Due.accept`."""
        self._feed.accept()

    async def retry(self, delay_s: float) -> None:
        """See `Due.retry`."""
        self._feed.retry(delay_s)
