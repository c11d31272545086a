"""Telling about messages in the log that are no events of ours: once each, by name and by number."""

from __future__ import annotations

from typing import Final

import structlog

from tapelog_chassis import telemetry
from tapelog_chassis.event_log import ForeignMessage

POSITIONS_MAX: Final = 10_000
"""Foreign messages that are remembered as told; more are counted no further."""

_log = structlog.get_logger(__name__)


class ForeignMessages:
    """
    What was met in one context's log that does not belong there.

    Parameters
    ----------
    context
        Whose log.
    """

    def __init__(self, context: str) -> None:
        self._context = context
        self._positions: set[int] = set()
        self._closed: set[str] = set()
        self._tell()

    def __repr__(self) -> str:
        return f"ForeignMessages({self._context!r}, {len(self._positions)} messages, {len(self._closed)} aggregates)"

    def __len__(self) -> int:
        return len(self._positions)

    def note(self, message: ForeignMessage) -> None:
        """Tell about a message, unless it was told about before."""
        if message.position in self._positions or len(self._positions) >= POSITIONS_MAX:
            return
        self._positions.add(message.position)
        if message.aggregate is not None:
            self._closed.add(message.subject)
        self._tell()
        _log.error(
            "foreign message in the log",
            context=self._context,
            subject=message.subject,
            position=message.position,
            cause=message.reason,
            alert=True,
        )

    def _tell(self) -> None:
        telemetry.FOREIGN_MESSAGES.labels(self._context).set(len(self._positions))
        telemetry.AGGREGATES_CLOSED.labels(self._context).set(len(self._closed))
