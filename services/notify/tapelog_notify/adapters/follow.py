"""One Subscribe stream: events as they come, signs of life between them, an end for a reader who is too slow."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog_chassis.errors import ResourceExhausted

from tapelog_notify import telemetry
from tapelog_notify.application.fanout import Fanout
from tapelog_notify.application.ports import Reader
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import to_message

from .translate import heartbeat_message

HEARTBEAT_S: Final = 5.0
"""Promised is one in 10 s."""
SLOW_READER_S: Final = 10.0
"""A reader that takes no message for this long is closed; what it has not read waits in the stream."""

Write = Callable[[pb.SubscribeResponse], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Follow:
    """Times of an event stream, seconds."""

    heartbeat_s: float = HEARTBEAT_S
    slow_reader_s: float = SLOW_READER_S


async def follow(
    fanout: Fanout,
    tenant: str,
    event_filter: EventFilter,
    *,
    after_position: int,
    write: Write,
    limits: Follow,
) -> None:
    """
    Write a tenant's events for as long as the call lives.

    Few events are held here: while the reader's window is full nothing more is asked of the broker.

    Raises
    ------
    ResourceExhausted
        The reader took no message for `limits.slow_reader_s`; its cursor is in the metadata.
    """
    telemetry.FOLLOWERS.inc()
    try:
        async with fanout.reader(tenant, event_filter, after_position=after_position) as reader:
            cursor = after_position
            # The first sign of life says at once that the stream stands, and where.
            await _write(write, heartbeat_message(cursor), cursor, limits)
            while True:
                message, cursor_after = await _next(reader, limits)
                await _write(write, message, cursor, limits)
                cursor = cursor_after
    finally:
        telemetry.FOLLOWERS.dec()


async def _next(reader: Reader, limits: Follow) -> tuple[pb.SubscribeResponse, int]:
    """Return the next event, or a heartbeat, with the cursor that holds once it is written."""
    try:
        async with asyncio.timeout(limits.heartbeat_s):
            event = await anext(reader)
    except TimeoutError:
        position = await reader.settled_position()
        return heartbeat_message(position), position
    return pb.SubscribeResponse(event=to_message(event)), event.position


async def _write(write: Write, message: pb.SubscribeResponse, cursor: int, limits: Follow) -> None:
    try:
        async with asyncio.timeout(limits.slow_reader_s):
            await write(message)
    except TimeoutError:
        telemetry.FOLLOWERS_CLOSED.inc()
        raise ResourceExhausted(
            "READER_TOO_SLOW",
            f"no message was read for {limits.slow_reader_s:g} s; read on from after_position {cursor}, or the last "
            "position seen",
            metadata={"position": cursor, "limit_s": f"{limits.slow_reader_s:g}"},
            retry_after_s=0.0,
        ) from None
