"""
A stream as bytes and back, with its consumers and their places, while the server runs.

Source: the JetStream snapshot and restore API (nats-server, `$JS.API.STREAM.SNAPSHOT` and `.RESTORE`): a tar archive in
chunks, each acknowledged, an empty one at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from . import api
from .errors import JetStreamApiError, Unreachable

CHUNK_BYTES: Final = 128 * 1024
CHUNK_TIMEOUT_S: Final = 30.0
"""For the next chunk, or for the server to take one."""
OPEN_TIMEOUT_S: Final = 60.0
"""For the server to prepare a stream: it writes its index first."""
RESTORED_TIMEOUT_S: Final = 300.0
"""For the server to open what it was given."""


async def snapshot_stream(connection: Client, stream: str) -> tuple[dict[str, Any], AsyncGenerator[bytes, None]]:
    """
    Begin to read a stream as it is now.

    Returns
    -------
    dict, async generator of bytes
        Its `config` and `state`, as `restore_stream` takes them; and the archive, which has to be read to its end.

    Raises
    ------
    JetStreamApiError, Unreachable
        Also while reading; what was read is then worth nothing.
    """
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox)
    try:
        body = {"deliver_subject": inbox, "chunk_size": CHUNK_BYTES}
        answer = await api.request(connection, f"STREAM.SNAPSHOT.{stream}", body, timeout_s=OPEN_TIMEOUT_S)
    except BaseException:
        await subscription.unsubscribe()
        raise

    async def chunks() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                message = await _next(subscription, stream)
                status = (message.headers or {}).get("Status", "")
                if status and not status.startswith("2"):
                    description = (message.headers or {}).get("Description", "")
                    raise JetStreamApiError(f"STREAM.SNAPSHOT.{stream}", int(status[:3]), 0, description)
                if not message.data:
                    return
                yield message.data
                if message.reply:
                    await connection.publish(message.reply, b"")
        finally:
            if not connection.is_closed:
                await subscription.unsubscribe()

    return {"config": answer["config"], "state": answer["state"]}, chunks()


async def _next(subscription: Any, stream: str) -> Msg:
    try:
        message: Msg = await subscription.next_msg(timeout=CHUNK_TIMEOUT_S)
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"the copy of {stream} broke off ({type(error).__name__})") from error
    return message


async def restore_stream(connection: Client, described: dict[str, Any], chunks: Iterable[bytes]) -> dict[str, Any]:
    """
    Make a stream that is not there from what `snapshot_stream` gave; return its new state.

    Raises
    ------
    JetStreamApiError, Unreachable
        If the server refuses, such as because the stream exists, or does not answer.
    """
    stream = described["config"]["name"]
    answer = await api.request(connection, f"STREAM.RESTORE.{stream}", described, timeout_s=OPEN_TIMEOUT_S)
    target = answer["deliver_subject"]
    for chunk in chunks:
        _refusal_of(await _send(connection, target, chunk, CHUNK_TIMEOUT_S), stream)
        await asyncio.sleep(0)
    state: dict[str, Any] = _refusal_of(await _send(connection, target, b"", RESTORED_TIMEOUT_S), stream)["state"]
    return state


async def _send(connection: Client, subject: str, data: bytes, timeout_s: float) -> bytes:
    try:
        return (await connection.request(subject, data, timeout=timeout_s)).data
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"no answer to {subject} ({type(error).__name__})") from error


def _refusal_of(data: bytes, stream: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(data) if data.startswith(b"{") else {}
    if refusal := answer.get("error"):
        raise JetStreamApiError(
            f"STREAM.RESTORE.{stream}",
            int(refusal.get("code", 0)),
            int(refusal.get("err_code", 0)),
            str(refusal.get("description", "")),
        )
    return answer
