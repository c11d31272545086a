"""
The hash chain of an aggregate, and the one check of a loaded history.

`hash(n) = SHA-256("2" LF hash(n-1) LF event id LF type LF sequence LF schema LF time LF headers LF body)`, with
`name ":" value LF` for each header of the metadata that is not empty, encoded as it travels, in the order of the
codec's table. Genesis is `hash(0) = SHA-256(aggregate name)`. Hashes enter as lower-case hex; the line feeds keep two
different field splits from hashing alike, because none of the fields before the body may hold one. The leading "2" is
the version of the chain (docs/adr/0074).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Final

from .codec import format_time, metadata_headers
from .errors import ConcurrencyConflict, CorruptStream, InvalidEvent
from .port import MAX_EVENTS_PER_APPEND, AggregateId, Metadata, NewEvent, StoredEvent

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
"""Event ids, types and schema names: visible ASCII that needs no escape in a header."""

VERSION: Final = 2
"""Of the chain's formula; 1 covered id, type, sequence and body alone."""


def genesis_hash(aggregate: AggregateId) -> str:
    """Hash before the first event."""
    return hashlib.sha256(aggregate.subject.encode()).hexdigest()


def event_hash(previous_hash: str, sequence: int, event: NewEvent | StoredEvent, metadata: Metadata) -> str:
    """Hash after the event with this sequence."""
    return _event_hash(previous_hash, sequence, event, _hashed_form(metadata_headers(metadata)))


def _hashed_form(own: Mapping[str, str]) -> str:
    return "".join([f"{name}:{value}\n" for name, value in own.items()])


def _event_hash(previous_hash: str, sequence: int, event: NewEvent | StoredEvent, headers: str) -> str:
    fixed = f"{event.event_id}\n{event.type}\n{sequence}\n{event.schema}\n{format_time(event.time)}"
    digest = hashlib.sha256(f"{VERSION}\n{previous_hash}\n{fixed}\n{headers}\n".encode())
    digest.update(event.data)
    return digest.hexdigest()


def check_new(events: Sequence[NewEvent]) -> None:
    """Refuse an append that breaks a written rule, before anything leaves the process (`InvalidEvent`)."""
    if not 1 <= len(events) <= MAX_EVENTS_PER_APPEND:
        raise InvalidEvent(f"an append takes 1 to {MAX_EVENTS_PER_APPEND} events, not {len(events)}")
    for event in events:
        for field, value in (("event_id", event.event_id), ("type", event.type), ("schema", event.schema)):
            if not NAME.fullmatch(value):
                raise InvalidEvent(f"{field} {value!r} of a new event is not 1 to 128 of A-Z a-z 0-9 . _ : -")
        if event.time.tzinfo is None:
            raise InvalidEvent(f"time {event.time.isoformat()} of event {event.event_id} has no time zone")
    if len({event.event_id for event in events}) != len(events):
        raise InvalidEvent("two events of one append have the same event_id")


def seal(
    aggregate: AggregateId,
    sequence: int,
    previous_hash: str,
    events: Iterable[NewEvent],
    metadata: Metadata,
    *,
    own: Mapping[str, str] | None = None,
) -> list[StoredEvent]:
    """Give events their sequence and hash after the head (`sequence`, `previous_hash`); position 0 until stored.

    `own` are the `metadata_headers` of the metadata, where they are at hand.
    """
    headers = _hashed_form(metadata_headers(metadata) if own is None else own)
    sealed = []
    for event in events:
        sequence += 1
        hash_ = _event_hash(previous_hash, sequence, event, headers)
        sealed.append(
            StoredEvent(
                aggregate=aggregate,
                sequence=sequence,
                position=0,
                event_id=event.event_id,
                type=event.type,
                schema=event.schema,
                time=event.time if event.time.tzinfo is UTC else event.time.astimezone(UTC),
                data=event.data,
                metadata=metadata,
                hash=hash_,
                previous_hash=previous_hash,
            )
        )
        previous_hash = hash_
    return sealed


def verify(
    aggregate: AggregateId, events: Sequence[StoredEvent], *, after_sequence: int = 0, previous_hash: str | None = None
) -> None:
    """
    Check that events are this aggregate's, gapless after `after_sequence`, in order and correctly chained.

    Parameters
    ----------
    aggregate
        Whose history it is.
    events
        In stream order.
    after_sequence
        The sequence before the first event.
    previous_hash
        Hash at `after_sequence`; None after a snapshot whose event was not read, then the first link is taken as given.

    Raises
    ------
    CorruptStream
        At the first event that does not fit.
    """
    expected = previous_hash if after_sequence else genesis_hash(aggregate)
    position = 0
    for number, event in enumerate(events, start=after_sequence + 1):
        if event.aggregate != aggregate:
            raise CorruptStream(aggregate.subject, number, f"the event there belongs to {event.aggregate}")
        if event.sequence != number:
            raise CorruptStream(aggregate.subject, number, f"the event there has sequence {event.sequence}")
        if event.position <= position:
            raise CorruptStream(aggregate.subject, number, f"position {event.position} does not follow {position}")
        check_link(event, expected)
        expected, position = event.hash, event.position


def check_link(event: StoredEvent, previous_hash: str | None) -> None:
    """Check one event against its own hash and, where known, the hash before it (`CorruptStream`)."""
    if previous_hash is not None and event.previous_hash != previous_hash:
        raise CorruptStream(event.aggregate.subject, event.sequence, "it does not follow the hash of the event before")
    if event.hash != event_hash(event.previous_hash, event.sequence, event, event.metadata):
        raise CorruptStream(event.aggregate.subject, event.sequence, "its content or its headers do not fit its hash")


def already_stored(
    aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], stored: Sequence[StoredEvent]
) -> list[StoredEvent] | None:
    """
    Decide what a refused append means, given all events of the aggregate.

    Returns
    -------
    list of StoredEvent
        The events of this append, if an earlier try stored them.
    None
        If the aggregate is exactly at `expected_sequence` and holds none of them: trying again is right.

    Raises
    ------
    ConcurrencyConflict
        If the aggregate is elsewhere.
    """
    ids = [event.event_id for event in events]
    start = next((index for index, event in enumerate(stored) if event.event_id == ids[0]), None)
    if start is not None:
        found = list(stored[start : start + len(ids)])
        if [event.event_id for event in found] == ids:
            return found
    actual = stored[-1].sequence if stored else 0
    if actual != expected_sequence:
        raise ConcurrencyConflict(aggregate, expected_sequence, actual)
    return None
