"""Telling events from foreign messages, while a whole context is read in order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from . import chain
from .errors import CorruptStream
from .port import AggregateId, ForeignMessage, LogItem, StoredEvent

AGGREGATES_MAX: Final = 50_000
"""Ends of aggregates that one reading remembers, a few hundred bytes each; others are looked up again."""

Link: TypeAlias = tuple[int, str] | None
"""Sequence and hash of an aggregate's last event; None where a foreign message has closed it."""

LinkBefore: TypeAlias = Callable[[AggregateId, int], Awaitable[Link]]
"""Reads an aggregate's end as it was before a position."""


def first_link(aggregate: AggregateId) -> Link:
    """Return the link that an aggregate's first event continues."""
    return 0, chain.genesis_hash(aggregate)


class Continuity:
    """
    Knows where each aggregate is, so that a message which does not continue it is recognised: a repeated or forged one.

    Parameters
    ----------
    link_before
        Asked for an aggregate that this reading has not met yet.
    after_position
        Where reading begins. From the log's beginning on, an aggregate that was not met yet is a new one.
    """

    def __init__(self, link_before: LinkBefore, *, after_position: int = 0) -> None:
        self._link_before = link_before
        self._knows_all = after_position == 0
        self._links: OrderedDict[AggregateId, Link] = OrderedDict()

    def __repr__(self) -> str:
        return f"Continuity({len(self._links)} aggregates)"

    def foreign(self, subject: str, position: int, reason: str) -> ForeignMessage:
        """Take in a message that cannot be read as an event."""
        message = ForeignMessage(subject, position, reason)
        if message.aggregate is not None:
            self._keep(message.aggregate, None)
        return message

    async def sort(self, event: StoredEvent, *, is_own: bool = False) -> LogItem:
        """
        Return the next event, or a `ForeignMessage` in its place where it does not continue its aggregate.

        Parameters
        ----------
        event
            As it was decoded.
        is_own
            This process made it, and recognised it byte for byte: its hash need not be computed again.
        """
        aggregate = event.aggregate
        if aggregate in self._links:
            link = self._links[aggregate]
        elif self._knows_all:
            link = first_link(aggregate)
        else:
            link = await self._link_before(aggregate, event.position)
        if reason := _flaw(event, link, is_own=is_own):
            return self.foreign(aggregate.subject, event.position, reason)
        self._keep(aggregate, (event.sequence, event.hash))
        return event

    def _keep(self, aggregate: AggregateId, link: Link) -> None:
        self._links[aggregate] = link
        self._links.move_to_end(aggregate)
        if len(self._links) > AGGREGATES_MAX:
            self._links.popitem(last=False)
            self._knows_all = False


def _flaw(event: StoredEvent, link: Link, *, is_own: bool) -> str:
    """Say why an event does not continue its aggregate; nothing where it does."""
    if link is None:
        return "it lies behind a foreign message of the same aggregate"
    sequence, hash_ = link
    if event.sequence != sequence + 1:
        return f"it has sequence {event.sequence} where {sequence + 1} comes next"
    if is_own and event.previous_hash == hash_:
        return ""
    try:
        chain.check_link(event, hash_)
    except CorruptStream as error:
        return error.reason
    return ""
