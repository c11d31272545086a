"""The delivery log: the newest attempts of every webhook, in memory. Operational data, lost with the process."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

ATTEMPTS_PER_SUBSCRIPTION: Final = 1000
ATTEMPTS_IN_ALL: Final = 100_000
"""About 30 MB; beyond it the subscription with the most gives one up."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One attempt to deliver one event to one webhook.

    Attributes
    ----------
    number
        Counts this subscription's attempts since the process began: the order of the log.
    attempt
        1, 2, 3 ... for the event.
    status
        HTTP status, 0 where there was no answer.
    """

    number: int
    event_id: str
    event_type: str
    position: int
    attempt: int
    status: int
    error: str
    latency_s: float
    time: datetime
    next_attempt_time: datetime | None


class AttemptLog:
    """A bounded ring of attempts per subscription."""

    def __init__(self, *, per_subscription: int = ATTEMPTS_PER_SUBSCRIPTION, in_all: int = ATTEMPTS_IN_ALL) -> None:
        self._per_subscription = per_subscription
        self._in_all = in_all
        self._attempts: dict[str, deque[Attempt]] = {}
        self._total = 0

    def __repr__(self) -> str:
        return f"AttemptLog({self._total} attempts of {len(self._attempts)} subscriptions)"

    def next_number(self, subscription: str) -> int:
        """Return the number that the next attempt gets."""
        attempts = self._attempts.get(subscription)
        return attempts[-1].number + 1 if attempts else 1

    def add(self, subscription: str, attempt: Attempt) -> None:
        """Keep an attempt; the subscription's oldest one makes room, or the oldest of the longest log."""
        attempts = self._attempts.setdefault(subscription, deque())
        attempts.append(attempt)
        self._total += 1
        if len(attempts) > self._per_subscription:
            attempts.popleft()
            self._total -= 1
        elif self._total > self._in_all:
            max(self._attempts.values(), key=len).popleft()
            self._total -= 1

    def newest_first(self, subscription: str, *, before: int | None = None) -> list[Attempt]:
        """Return attempts, newest first, those numbered `before` and later left out."""
        return [a for a in reversed(self._attempts.get(subscription, ())) if before is None or a.number < before]

    def last_error(self, subscription: str) -> str:
        """Return what was wrong with the last attempt, or nothing."""
        attempts = self._attempts.get(subscription)
        return attempts[-1].error if attempts else ""

    def forget(self, subscription: str) -> None:
        """Remove a subscription's attempts."""
        self._total -= len(self._attempts.pop(subscription, ()))
