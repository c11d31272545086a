"""
Read stored messages without a consumer: batch direct get.

Source: NATS ADR-31 (direct get) with its batch extension; the answers end with status 204, or say 404 for none.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from .client import subscribe
from .errors import JetStreamApiError, Unreachable
from .wire import Incoming

BATCH: Final = 1000
"""Messages asked for at once."""
BATCH_BYTES: Final = 8 * 1024 * 1024
"""Bytes asked for at once; a quarter of what the server may hold for a client before dropping it."""

_END, _NOT_FOUND, _NO_RESPONDERS = "204", "404", "503"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it lies in the stream."""

    subject: str
    position: int
    headers: dict[str, str]
    data: bytes


@dataclass(slots=True)
class Batch:
    """One answer: messages in stream order, and how many more match behind them."""

    messages: list[StoredMessage] = field(default_factory=list)
    pending: int = 0


async def get_batch(
    connection: Client, stream: str, subject: str, *, after_position: int = 0, count: int = BATCH, timeout_s: float
) -> Batch:
    """
    Read messages on a subject (a filter may hold wildcards) behind a position.

    Raises
    ------
    Unreachable
        If the whole answer did not arrive within `timeout_s`, or nobody serves the stream.
    JetStreamApiError
        If the server refuses the request.
    """
    body = {"seq": after_position + 1, "next_by_subj": subject, "batch": count, "max_bytes": BATCH_BYTES}
    return await _ask(connection, stream, body, timeout_s)


async def get_last(connection: Client, stream: str, subject: str, *, timeout_s: float) -> StoredMessage | None:
    """Read the last message on a subject or filter; None if there is none. Raises as `get_batch`."""
    message = await _request(connection, f"$JS.API.DIRECT.GET.{stream}", {"last_by_subj": subject}, timeout_s)
    return _one(message, stream)


async def get_last_on(connection: Client, stream: str, subject: str, *, timeout_s: float) -> StoredMessage | None:
    """Read the last message on one literal subject, through the form that permissions can limit to that subject."""
    message = await _request(connection, f"$JS.API.DIRECT.GET.{stream}.{subject}", None, timeout_s)
    return _one(message, stream)


async def get_last_before(
    connection: Client, stream: str, subject: str, position: int, *, timeout_s: float
) -> StoredMessage | None:
    """Read the last message on a subject before a position; None if there is none. Raises as `get_batch`."""
    if position <= 1:
        return None
    body = {"multi_last": [subject], "up_to_seq": position - 1, "batch": 1}
    batch = await _ask(connection, stream, body, timeout_s)
    return batch.messages[0] if batch.messages else None


async def get_at(connection: Client, stream: str, position: int, *, timeout_s: float) -> StoredMessage | None:
    """Read the message at a position; None if there is none (any more). Raises as `get_batch`."""
    message = await _request(connection, f"$JS.API.DIRECT.GET.{stream}", {"seq": position}, timeout_s)
    return _one(message, stream)


async def _request(connection: Client, subject: str, body: dict[str, Any] | None, timeout_s: float) -> Msg:
    payload = json.dumps(body).encode() if body is not None else b""
    try:
        return await connection.request(subject, payload, timeout=timeout_s)
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"no answer to {subject} ({type(error).__name__})") from error


def _one(message: Msg, stream: str) -> StoredMessage | None:
    status = (message.headers or {}).get("Status", "")
    if status == _NOT_FOUND:
        return None
    if status:
        raise JetStreamApiError(f"DIRECT.GET.{stream}", int(status), 0, (message.headers or {}).get("Description", ""))
    return _stored(message)


def _stored(message: Msg | Incoming) -> StoredMessage:
    headers = message.headers or {}
    return StoredMessage(headers["Nats-Subject"], int(headers["Nats-Sequence"]), headers, message.data)


async def _ask(connection: Client, stream: str, body: dict[str, Any], timeout_s: float) -> Batch:
    batch = Batch()
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def collect(message: Incoming) -> None:
        headers = message.headers
        status = headers.get("Status")
        if done.done():
            return
        if status is None:
            batch.messages.append(_stored(message))
            batch.pending = int(headers.get("Nats-Num-Pending", 0))
        elif status in (_END, _NOT_FOUND):
            done.set_result(None)
        elif status == _NO_RESPONDERS:
            done.set_exception(Unreachable(f"nobody serves stream {stream}"))
        else:
            done.set_exception(
                JetStreamApiError(f"DIRECT.GET.{stream}", int(status), 0, headers.get("Description", ""))
            )

    inbox = connection.new_inbox()
    try:
        subscription = await subscribe(connection, inbox, collect)
        try:
            await connection.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(body).encode(), reply=inbox)
            async with asyncio.timeout(timeout_s):
                await done
        finally:
            if not connection.is_closed:
                await subscription.unsubscribe()
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"no whole answer from stream {stream} ({type(error).__name__})") from error
    return batch
