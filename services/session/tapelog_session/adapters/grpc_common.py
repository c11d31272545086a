"""What every part of the servicer shares: its dependencies, who calls, what makes a mutation safe."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf import timestamp_pb2
from tapelog_chassis import ids
from tapelog_chassis.clock import Clock
from tapelog_chassis.event_log import EventLog
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.rpc.request_context import current_principal, current_request
from tapelog_chassis.unfinished import UnfinishedUploads

from tapelog_session.adapters.refusals import wire_error
from tapelog_session.application.access import Call
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.api_keys import TokenDesk
from tapelog_session.application.ports import Parties
from tapelog_session.application.reading.past import Past
from tapelog_session.application.reading.song_index import SongIndex
from tapelog_session.application.reading.views import Views
from tapelog_session.application.song_commands import Request
from tapelog_session.domain.errors import DomainError, InvalidCommand
from tapelog_session.domain.versioning.targets import Targets

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


@dataclasses.dataclass(frozen=True, slots=True)
class Desk:
    """Everything the handlers work with."""

    aggregates: Aggregates
    log: EventLog
    views: Views
    index: SongIndex
    objects: ObjectStore
    unfinished: UnfinishedUploads
    tenant_bytes_max: int
    archive: ObjectStore
    parties: Parties
    targets: Targets
    tokens: TokenDesk
    clock: Clock


class Part:
    """One part of the servicer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._aggregates = desk.aggregates

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def rpc(
    handler: Callable[[Any, RequestT, Call], Awaitable[ResponseT]],
) -> Callable[[Any, RequestT, Any], Awaitable[ResponseT]]:
    """Make a servicer's method of a handler that takes the call and may raise the domain's refusals."""

    @functools.wraps(handler)
    async def method(self: Any, request: RequestT, _context: Any) -> ResponseT:
        try:
            return await handler(self, request, current_call())
        except DomainError as refusal:
            raise wire_error(refusal) from refusal

    return method


def current_call() -> Call:
    """Return the call being served."""
    current = current_request()
    return Call(current_principal(), current.method, current.correlation_id)


def request_of(message: Any) -> Request:
    """Return what makes a mutation safe to repeat: request_id, hash of the body, etag."""
    return Request(message.request_id, ids.request_hash(message), getattr(message, "etag", ""))


def past_of(message: Any) -> Past:
    """Return the moment that a read is about, of a request that has `as_of_sequence`, `as_of_time` or both."""
    sequence = getattr(message, "as_of_sequence", 0)
    time = time_of(message.as_of_time, "as_of_time") if message.HasField("as_of_time") else None
    return Past(sequence or None, time)


def time_of(stamp: timestamp_pb2.Timestamp, field: str) -> datetime:
    """Return a time of the wire."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except ValueError:
        raise InvalidCommand("INVALID_TIME", [(field, "is not a time between the years 1 and 9999")]) from None
