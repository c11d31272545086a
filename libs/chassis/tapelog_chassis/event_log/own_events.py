"""The events that this process stored a moment ago, recognised when its own tail delivers them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from tapelog_chassis.nats.delivery import Delivery
from tapelog_chassis.nats.wire import Headers

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
        self._sent: OrderedDict[int, tuple[Headers, StoredEvent]] = OrderedDict()

    def __repr__(self) -> str:
        return f"OwnEvents({len(self._sent)})"

    def remember(self, event: StoredEvent, headers: Headers) -> None:
        """Keep an event that was stored under these headers."""
        if len(event.data) > DATA_BYTES_MAX:
            return
        self._sent[event.position] = (headers, event)
        if len(self._sent) > EVENTS_MAX:
            self._sent.popitem(last=False)

    def recognise(self, delivery: Delivery) -> StoredEvent | None:
        """Return the event that a message is, if it was stored here and nothing about it has changed."""
        known = self._sent.get(delivery.position)
        if known is None:
            return None
        sent, event = known
        if delivery.subject != event.aggregate.subject or delivery.data != event.data:
            return None
        is_same = delivery.block == sent.block or delivery.headers.items() >= sent.items()
        return event if is_same else None
