"""One delivered message and what its receiver answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from .api import NANOSECONDS, nanoseconds
from .errors import Unreachable
from .wire import Incoming

ACK_TIMEOUT_S: Final = 2.0
ACK_ATTEMPTS: Final = 5
MAX_REASON_CHARS: Final = 256


class Delivery:
    """
    A message of a pull consumer. Settle it exactly once: `ack`, `ack_sync`, `nak` or `term`; repeats do nothing.

    Attributes
    ----------
    subject, data
        The message as it was published.
    position
        Its sequence in the stream.
    consumer_sequence
        Its number among this consumer's deliveries.
    attempt
        1 at the first delivery. Not a count of real attempts: a broker kill may repeat or skip one.
    pending
        Messages waiting behind it when it was sent.
    """

    __slots__ = (
        "_connection",
        "_message",
        "_on_settled",
        "_reply",
        "_stored_ns",
        "attempt",
        "consumer_sequence",
        "data",
        "pending",
        "position",
        "subject",
    )

    def __init__(self, message: Msg | Incoming, connection: Client, on_settled: Callable[[], None]) -> None:
        self._message = message
        self.subject: str = message.subject
        self.data: bytes = message.data
        # $JS.ACK.<stream>.<consumer>.<attempt>.<position>.<consumer sequence>.<time>.<pending>, with domain and
        # account hash before the stream on some servers.
        tokens = message.reply.split(".")
        attempt, position, consumer_sequence, time_ns, pending = tokens[4:9] if len(tokens) < 12 else tokens[6:11]
        self.attempt = int(attempt)
        self.position = int(position)
        self.consumer_sequence = int(consumer_sequence)
        self.pending = int(pending)
        self._stored_ns = int(time_ns)
        self._reply: str = message.reply
        self._connection = connection
        self._on_settled: Callable[[], None] | None = on_settled

    @property
    def headers(self) -> dict[str, str]:
        """The headers as they were published."""
        return self._message.headers or {}

    @property
    def block(self) -> bytes:
        """The headers as they came; empty where they were read on the way."""
        return self._message.block if isinstance(self._message, Incoming) else b""

    @property
    def stored_at(self) -> datetime:
        """When the stream took it."""
        return datetime.fromtimestamp(self._stored_ns / NANOSECONDS, UTC)

    def __repr__(self) -> str:
        return f"Delivery({self.subject}, position={self.position}, attempt={self.attempt})"

    async def ack(self) -> None:
        """Say that it is done; lost with the server, so the effect must be safe to repeat."""
        await self._settle(b"+ACK")

    async def ack_sync(self) -> None:
        """
        Say that it is done and wait until the server knows, with a few retries.

        Not a proof: the server writes acknowledgements later than messages, so a kill may still bring it again.

        Raises
        ------
        Unreachable
            If the server does not answer: the message may be delivered again.
        """
        for attempt in range(1, ACK_ATTEMPTS + 1):
            try:
                await self._connection.request(self._reply, b"+ACK", timeout=ACK_TIMEOUT_S)
            except nats.errors.Error as error:
                if attempt == ACK_ATTEMPTS:
                    raise Unreachable(f"no answer to the acknowledgement of {self!r}: it may come again") from error
                await asyncio.sleep(0.1 * attempt)
            else:
                break
        self._release()

    async def nak(self, delay_s: float = 0.0) -> None:
        """Give it back, to be delivered again after `delay_s`; messages behind it may overtake it."""
        body = json.dumps({"delay": nanoseconds(delay_s)}).encode() if delay_s > 0 else b""
        await self._settle(b"-NAK" + (b" " + body if body else b""))

    async def term(self, reason: str) -> None:
        """Never deliver it again; the reason goes into the server's advisory."""
        await self._settle(b"+TERM " + reason[:MAX_REASON_CHARS].encode(errors="replace"))

    async def in_progress(self) -> None:
        """Extend the lease by another `ack_wait`."""
        await self._connection.publish(self._reply, b"+WPI")

    async def _settle(self, answer: bytes) -> None:
        if self._on_settled is None:
            return
        try:
            await self._connection.publish(self._reply, answer)
        finally:
            self._release()

    def _release(self) -> None:
        if self._on_settled is not None:
            on_settled, self._on_settled = self._on_settled, None
            on_settled()
