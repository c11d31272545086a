"""
Pull consumers that notice a lost server by themselves and hold no more messages than they were told to.

The client package's `fetch` hangs to its timeout when the server restarts below it; here a missed heartbeat or a
reconnect starts a new pull at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from functools import partial
from types import TracebackType
from typing import Final, Self

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from .api import nanoseconds
from .client import subscribe
from .delivery import Delivery
from .errors import ConsumerGone, Unreachable
from .wire import Incoming

PULL_EXPIRES_S: Final = 30.0
"""How long one pull request waits at the server."""
HEARTBEAT_S: Final = 1.0
MISSED_HEARTBEATS: Final = 2
"""After this many the pull counts as lost."""
TICK_S: Final = 0.1
"""How often a waiting reader looks whether the connection was made anew."""
RETRY_S: Final = 0.25
"""Before a pull that the server refused is tried again."""
GONE_AFTER_S: Final = 10.0
"""A consumer missing for this long is gone; shorter gaps happen while a server recovers its streams."""

_log = structlog.get_logger(__name__)


class Puller:
    """
    Read one durable consumer. Use as `async with Puller(...) as puller: async for delivery in puller`.

    Parameters
    ----------
    connection
        A user that may pull from this consumer.
    stream, durable
        Which consumer.
    max_outstanding
        Deliveries that may be here and not settled (acked, naked or termed) at once, buffered ones included. 1 takes
        the next message only when the one in hand is settled. At most the consumer's own `max_ack_pending`.
    heartbeat_s
        How often the server says that it is alive while there is nothing to deliver.

    Raises
    ------
    ConsumerGone
        While iterating: if the consumer does not exist (any more).
    """

    def __init__(
        self,
        connection: Client,
        stream: str,
        durable: str,
        *,
        max_outstanding: int = 64,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        if max_outstanding < 1:
            raise ValueError(f"max_outstanding must be at least 1, not {max_outstanding}")
        self._connection = connection
        self._stream = stream
        self._consumer = durable
        self._limit = max_outstanding
        self._heartbeat_s = heartbeat_s
        self._buffer: deque[Delivery] = deque()
        self._unsettled = 0
        self._requested = 0
        self._reconnects = 0
        self._last_sign_s = 0.0
        self._refused_since_s = 0.0
        self._next_pull_s = 0.0
        self._refusal = ""
        self._wake = asyncio.Event()
        self._subscription: Subscription | None = None

    def __repr__(self) -> str:
        return f"Puller({self._stream}/{self._consumer}, unsettled={self._unsettled}, requested={self._requested})"

    async def __aenter__(self) -> Self:
        await self._subscribe()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._unsubscribe()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        while True:
            if self._buffer:
                return self._buffer.popleft()
            await self._keep_pulling()
            await self._wait()

    async def _wait(self) -> None:
        """Sleep until something arrived, was settled, or a tick has passed."""
        self._wake.clear()
        if self._buffer:
            return
        tick = asyncio.get_running_loop().call_later(TICK_S, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            tick.cancel()

    async def _keep_pulling(self) -> None:
        """Open a pull for what there is room for, unless one is open and alive."""
        if self._connection.is_closed:
            raise Unreachable(f"consumer {self._consumer} on {self._stream}: the connection is closed")
        now_s = time.monotonic()
        if self._is_lost(now_s):
            self._requested = 0
        room = self._limit - self._unsettled - self._requested
        half = max(1, self._limit // 2)
        if room >= half or (room > 0 and self._requested == 0):
            if now_s < self._next_pull_s or not self._connection.is_connected or self._subscription is None:
                return
            self._requested += room
            self._last_sign_s = now_s
            await self._pull(room)

    def _is_lost(self, now_s: float) -> bool:
        """Whether an open pull can no longer be answered."""
        if self._refused_since_s and now_s - self._refused_since_s > GONE_AFTER_S:
            raise ConsumerGone(self._stream, self._consumer, self._refusal)
        reconnects, silent_s = self._connection.stats["reconnects"], now_s - self._last_sign_s
        if reconnects != self._reconnects:
            self._reconnects = reconnects
            _log.info("pulling anew after a reconnect", consumer=self._consumer)
            return True
        if self._requested and silent_s > MISSED_HEARTBEATS * self._heartbeat_s + TICK_S:
            _log.info("pulling anew after missed heartbeats", consumer=self._consumer, silent_s=round(silent_s, 2))
            return True
        return False

    async def _pull(self, count: int) -> None:
        request = {
            "batch": count,
            "expires": nanoseconds(PULL_EXPIRES_S),
            "idle_heartbeat": nanoseconds(self._heartbeat_s),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        await self._connection.publish(subject, json.dumps(request).encode(), reply=self._inbox)

    async def _subscribe(self) -> None:
        self._inbox = self._connection.new_inbox()
        self._reconnects = self._connection.stats["reconnects"]
        self._subscription = await subscribe(self._connection, self._inbox, partial(self._on_message, self._inbox))

    async def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._connection.is_closed:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _on_message(self, inbox: str, message: Incoming) -> None:
        if inbox != self._inbox:
            return
        self._last_sign_s = time.monotonic()
        if message.reply.startswith("$JS.ACK."):
            self._refused_since_s = 0.0
            self._requested = max(0, self._requested - 1)
            self._unsettled += 1
            self._buffer.append(Delivery(message, self._connection, self._settled))
        else:
            self._on_status(message.headers)
        self._wake.set()

    def _settled(self) -> None:
        self._unsettled -= 1
        self._wake.set()

    def _on_status(self, headers: dict[str, str]) -> None:
        status, description = headers.get("Status", ""), headers.get("Description", "")
        if status == "100":
            self._refused_since_s = 0.0
            return
        self._requested = max(0, self._requested - int(headers.get("Nats-Pending-Messages", self._requested)))
        if status in ("404", "408"):
            self._refused_since_s = 0.0
            return
        # 409 (consumer deleted, leadership change, server shutdown) and 503 (nobody serves this consumer just now).
        now_s = time.monotonic()
        self._next_pull_s = now_s + RETRY_S
        self._refused_since_s = self._refused_since_s or now_s
        self._refusal = f"{status} {description}".strip()
        if "Consumer Deleted" in description:
            self._refused_since_s = now_s - 2 * GONE_AFTER_S
