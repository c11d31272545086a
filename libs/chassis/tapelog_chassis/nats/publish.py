"""Fenced publishing: one message, or an atomic batch, that the stream takes only where it is expected to end."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import nats.errors
from nats.aio.client import Client

from .errors import JetStreamApiError, Unreachable
from .wire import Headers

PUBLISH_TIMEOUT_S: Final = 2.0
"""The client package does not fail a pending request when the link breaks: it waits for all of this."""

WRONG_LAST_SEQUENCE: Final = 10071
IN_PROCESS: Final = 10164
BATCH_DUPLICATE: Final = 10201
FULL: Final = frozenset({10023, 10047, 10077})
_TRANSIENT: Final = frozenset({IN_PROCESS, 10008, 10039, 10176, 10189, 10210})
"""Busy, starting, or an atomic batch that the server dropped before its end; the same may be tried again."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be published."""

    subject: str
    data: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """What the stream answered: the position of the last message, or that it had the first one's id already.

    Attributes
    ----------
    headers
        Of each message, as it was sent.
    """

    position: int
    is_duplicate: bool
    headers: Sequence[Headers] = ()


async def publish_fenced(
    connection: Client,
    stream: str,
    drafts: Sequence[Draft],
    *,
    timeout_s: float = PUBLISH_TIMEOUT_S,
    last_position: int | None = None,
    last_on_subject: int | None = None,
) -> Published:
    """
    Publish messages, all or none.

    Parameters
    ----------
    last_position, last_on_subject
        Position of the stream's last message, or of the last one on the first draft's subject: with another one the
        stream refuses.

    Raises
    ------
    Unreachable
        No answer in time; they may have been stored.
    JetStreamApiError
        Refused; nothing was stored, but for `BATCH_DUPLICATE`. `is_transient` says whether to try again.
    """
    fence = {"Nats-Expected-Stream": stream}
    if last_position is not None:
        fence["Nats-Expected-Last-Sequence"] = str(last_position)
    if last_on_subject is not None:
        fence["Nats-Expected-Last-Subject-Sequence"] = str(last_on_subject)
    headers = [{**draft.headers} for draft in drafts]
    headers[0] |= fence
    if len(drafts) > 1:
        batch = uuid.uuid4().hex
        for number, own in enumerate(headers, start=1):
            own |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
        headers[-1]["Nats-Batch-Commit"] = "1"
    sent = [Headers(own) for own in headers]
    answer = await _send(connection, drafts, sent, timeout_s)
    if refusal := answer.get("error"):
        raise JetStreamApiError(
            stream, int(refusal.get("code", 0)), int(refusal.get("err_code", 0)), str(refusal.get("description", ""))
        )
    return Published(int(answer.get("seq", 0)), bool(answer.get("duplicate")), sent)


def is_transient(refusal: JetStreamApiError) -> bool:
    """Say whether the same publish may succeed when it is tried again."""
    return refusal.err_code in _TRANSIENT or refusal.code == 503


async def _send(
    connection: Client, drafts: Sequence[Draft], headers: Sequence[Headers], timeout_s: float
) -> dict[str, Any]:
    try:
        for draft, own in zip(drafts[:-1], headers[:-1], strict=True):
            await connection.publish(draft.subject, draft.data, headers=own)
        last = drafts[-1]
        message = await connection.request(last.subject, last.data, timeout=timeout_s, headers=headers[-1])
    except (nats.errors.Error, TimeoutError) as error:
        raise Unreachable(f"{type(error).__name__} {error}".strip()) from error
    answer: dict[str, Any] = msgspec.json.decode(message.data)
    return answer
