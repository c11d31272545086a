"""When a delivery is tried again: the schedule of Standard Webhooks as data, and the verdict on an answer."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Final

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0

SCHEDULE_S: Final[tuple[float, ...]] = (
    0.0,
    5.0,
    5 * MINUTE_S,
    30 * MINUTE_S,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    14 * HOUR_S,
    20 * HOUR_S,
    24 * HOUR_S,
)
"""Wait before attempt 1, 2, 3 ...: ten attempts over 75.6 h."""
JITTER: Final = 0.2
"""Each wait is longer by up to this part, never shorter: so the schedule lasts 75 h whatever the jitter."""
RETRY_AFTER_MAX_S: Final = 24 * HOUR_S
"""An endpoint may ask for a longer wait than the schedule's, but for no longer one than this."""
GONE: Final = 410
DISABLE_AFTER_S: Final = 5 * 24 * HOUR_S
"""An endpoint that answered nothing with success for this long is switched off."""
THROTTLED: Final = frozenset({429, 503})
"""Answers whose Retry-After is honoured."""


class Verdict(Enum):
    """What an answer means for a delivery."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    GONE = "gone"
    EXHAUSTED = "exhausted"
    FAILED_TOO_LONG = "failed_too_long"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What happens after an attempt.

    Attributes
    ----------
    delay_s
        Wait before the next attempt; 0 unless the verdict is RETRY.
    """

    verdict: Verdict
    delay_s: float = 0.0


def decide(
    status: int,
    attempt: int,
    key: str,
    *,
    retry_after_s: float | None = None,
    schedule_s: tuple[float, ...] = SCHEDULE_S,
) -> Decision:
    """
    Judge an attempt.

    Parameters
    ----------
    status
        HTTP status; 0 where there was no answer. Only 2xx is success: a redirect is a failure.
    attempt
        1, 2, 3 ...
    key
        Names the delivery; the jitter follows from it, so that endpoints of one outage do not come back in step and a
        restart changes nothing.
    retry_after_s
        What the endpoint asked for, if it did.
    schedule_s
        Wait before each attempt.
    """
    if 200 <= status < 300:
        return Decision(Verdict.ACCEPTED)
    if status == GONE:
        return Decision(Verdict.GONE)
    if attempt >= len(schedule_s):
        return Decision(Verdict.EXHAUSTED)
    delay_s = schedule_s[attempt] * (1.0 + JITTER * _fraction(key, attempt))
    if status in THROTTLED and retry_after_s is not None:
        # Never sooner than the schedule: else an endpoint that always says "1" would use up its attempts in seconds.
        delay_s = max(delay_s, min(retry_after_s, RETRY_AFTER_MAX_S))
    return Decision(Verdict.RETRY, delay_s)


def _fraction(key: str, attempt: int) -> float:
    """Return a number in [0, 1) that depends on the delivery and the attempt alone."""
    digest = hashlib.sha256(f"{key}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
