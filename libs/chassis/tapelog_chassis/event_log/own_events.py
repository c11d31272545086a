"""The events that this process stored a moment ago, recognised when its own tail delivers them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from .port import StoredEvent

EVENTS_MAX: Final = 1024
"""Stored and not yet delivered: a tail is a few behind."""
DATA_BYTES_MAX: Final = 4096
"""Larger bodies are read anew, so that what is kept stays under a few megabytes."""


class OwnEvents:
    """Decoding and hashing an event takes as long as deciding it; what was made here needs neither.

    A delivered message counts as the event only if its place, its body and each header are what was sent: all that the
    hash covers. So a message that was changed at the broker is decoded and verified like any other, and found.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[int, tuple[dict[str, str], StoredEvent]] = OrderedDict()

    def __repr__(self) -> str:
        return f"OwnEvents({len(self._sent)})"

    def remember(self, event: StoredEvent, headers: dict[str, str]) -> None:
        """Keep an event that was stored under these headers."""
        if len(event.data) > DATA_BYTES_MAX:
            return
        self._sent[event.position] = (headers, event)
        if len(self._sent) > EVENTS_MAX:
            self._sent.popitem(last=False)

    def recognise(self, subject: str, headers: Mapping[str, str], data: bytes, position: int) -> StoredEvent | None:
        """Return the event that a message is, if it was stored here and nothing about it has changed."""
        known = self._sent.get(position)
        if known is None:
            return None
        sent, event = known
        is_same = subject == event.aggregate.subject and data == event.data and headers.items() >= sent.items()
        return event if is_same else None
