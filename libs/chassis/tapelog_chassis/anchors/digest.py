"""
One digest over everything a context's log holds, carried on event by event.

`digest(n) = SHA-256(digest(n-1) LF position LF subject LF hash)`, `digest(0) = SHA-256("tapelog log " context)`; the
hash is the event's own, which covers all of it (see `event_log.chain`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tapelog_chassis.event_log import StoredEvent


@dataclass(frozen=True, slots=True)
class Rolling:
    """
    A place in a context's log and what leads to it.

    Attributes
    ----------
    position
        Of the last event; 0 before the first.
    events
        How many there were.
    digest
        Over all of them.
    event_hash
        Hash of the last one; empty before the first.
    """

    position: int
    events: int
    digest: str
    event_hash: str

    @classmethod
    def start(cls, context: str) -> Rolling:
        """Return the place before the first event."""
        return cls(0, 0, hashlib.sha256(f"tapelog log {context}".encode()).hexdigest(), "")

    def after(self, event: StoredEvent) -> Rolling:
        """Return the place after one more event."""
        text = f"{self.digest}\n{event.position}\n{event.aggregate.subject}\n{event.hash}"
        return Rolling(event.position, self.events + 1, hashlib.sha256(text.encode()).hexdigest(), event.hash)
