"""What the delivery log and the dead-letter list hold. Operational data, bounded by its streams."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Kind(Enum):
    """Why an attempt was made."""

    SCHEDULED = "scheduled"
    TEST = "test"
    REDELIVERY = "redelivery"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One attempt to deliver one event to one webhook.

    Attributes
    ----------
    attempt
        1, 2, 3 ... for the event.
    status
        HTTP status, 0 where there was no answer.
    error
        What was wrong, empty after a success.
    failing_since
        When the endpoint last began to fail, over all events; None after a success.
    number
        Place in the log, known to whoever read it there.
    """

    event_id: str
    event_type: str
    position: int
    attempt: int
    status: int
    error: str
    latency_s: float
    time: datetime
    next_attempt_time: datetime | None = None
    kind: Kind = Kind.SCHEDULED
    failing_since: datetime | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a subscription gave up."""

    event_id: str
    event_type: str
    position: int
    attempts: int
    error: str
    time: datetime
