"""The JetStream API by hand: what the client package does not offer, and exact JSON where settings are compared."""

from __future__ import annotations

import json
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from .errors import JetStreamApiError, Unreachable

NANOSECONDS: Final = 1_000_000_000
API_TIMEOUT_S: Final = 5.0

STREAM_NOT_FOUND: Final = 10059
CONSUMER_NOT_FOUND: Final = 10014
MESSAGE_NOT_FOUND: Final = 10037


def nanoseconds(seconds: float) -> int:
    """Durations on the wire."""
    return round(seconds * NANOSECONDS)


async def request(
    connection: Client, subject: str, body: dict[str, Any] | None = None, *, timeout_s: float = API_TIMEOUT_S
) -> dict[str, Any]:
    """
    Ask the JetStream API.

    Raises
    ------
    JetStreamApiError
        If the server refuses.
    Unreachable
        If it does not answer; a request that the user may not make looks the same, its reason is in the log.
    """
    payload = json.dumps(body).encode() if body is not None else b""
    try:
        message = await connection.request(f"$JS.API.{subject}", payload, timeout=timeout_s)
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(
            f"no answer to {subject} ({type(error).__name__}): the server is away, or this user lacks permission"
        ) from error
    answer: dict[str, Any] = json.loads(message.data)
    if refusal := answer.get("error"):
        raise JetStreamApiError(
            subject, int(refusal.get("code", 0)), int(refusal.get("err_code", 0)), str(refusal.get("description", ""))
        )
    return answer
