"""Aggregates at which a projection stands still while it goes on with all others."""

from __future__ import annotations

from typing import Final

import structlog
from google.protobuf.message import Message

from tapelog_chassis import telemetry
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.errors import DataLoss, WrittenByNewer
from tapelog_chassis.event_log import AggregateId, ForeignMessage, LogItem, StoredEvent

CLOSED: Final = (DataLoss, WrittenByNewer)
"""How an aggregate is refused of which something cannot be read; asking again does not help, others are not touched."""

_log = structlog.get_logger(__name__)


class Gaps:
    """
    What a projection has stepped over: from the first event of an aggregate that it cannot read, all of that aggregate.

    A projection in memory is made anew at every start, so a version that can read them has no gaps.

    Parameters
    ----------
    reader
        The projection's name, in the log and in metrics.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._closed: set[AggregateId] = set()

    def __repr__(self) -> str:
        return f"Gaps({self._reader!r}, {len(self._closed)} aggregates)"

    def __len__(self) -> int:
        return len(self._closed)

    def __contains__(self, aggregate: object) -> bool:
        return aggregate in self._closed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gaps) and self._closed == other._closed

    __hash__ = None  # type: ignore[assignment]  # it grows

    def event_of(self, item: LogItem) -> StoredEvent | None:
        """Return the event that an item is; None for a foreign message, and for what follows on its aggregate."""
        if isinstance(item, ForeignMessage):
            if item.aggregate is not None:
                self._closed.add(item.aggregate)
            return None
        if item.aggregate in self._closed:
            telemetry.EVENTS_STEPPED_OVER.labels(self._reader).inc()
            return None
        return item

    def message_of(self, event: StoredEvent, events: EventRegistry) -> Message | None:
        """Return an event's message; None where it cannot be read, and its aggregate is stepped over from here on."""
        try:
            return events.decode(event)
        except CLOSED as refusal:
            self._closed.add(event.aggregate)
            telemetry.EVENTS_STEPPED_OVER.labels(self._reader).inc()
            _log.error(
                "event stepped over",
                reader=self._reader,
                aggregate=str(event.aggregate),
                sequence=event.sequence,
                position=event.position,
                cause=refusal.message,
                alert=True,
            )
            return None
