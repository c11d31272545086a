"""Read a stream in order, without gap or repeat, from any position, across restarts of the server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Self

import structlog
from nats.aio.client import Client

from . import api
from .delivery import Delivery
from .errors import ConsumerGone, JetStreamApiError, Unreachable
from .puller import GONE_AFTER_S, HEARTBEAT_S, RETRY_S, Puller

INACTIVE_S: Final = 30.0
"""The server forgets a reader that asked for nothing this long; the reader then makes itself anew."""
MAX_BUFFERED: Final = 256
"""Messages read ahead."""
CREATE_TIMEOUT_S: Final = 2.0

_log = structlog.get_logger(__name__)


class OrderedReader(Puller):
    """
    An own, short-lived consumer without acknowledgements. Use as `async with OrderedReader(...) as reader`.

    Each delivery's `position` is the place to resume from. Whenever a message could be missing (a jump in the
    consumer's numbers, missed heartbeats, a reconnect) the consumer is made anew behind the last one handed out.

    Parameters
    ----------
    connection
        A user that may create and pull consumers with these filters.
    stream
        What to read.
    filters
        Subjects; empty for all.
    after_position
        The reader begins behind this position.
    max_buffered
        Messages read ahead at most.
    on_reset
        Awaited before the consumer is made anew; what it raises ends the iteration.

    Raises
    ------
    ConsumerGone
        While iterating: if the stream is not there.
    """

    def __init__(
        self,
        connection: Client,
        stream: str,
        *,
        filters: Sequence[str] = (),
        after_position: int = 0,
        max_buffered: int = MAX_BUFFERED,
        heartbeat_s: float = HEARTBEAT_S,
        on_reset: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(connection, stream, "", max_outstanding=max_buffered, heartbeat_s=heartbeat_s)
        self._filters = tuple(filters)
        self._on_reset = on_reset
        self._consumer_sequence = 0
        self._stale = False
        self.position = after_position
        """Position of the last message handed out."""

    async def __aenter__(self) -> Self:
        await self._make_anew()
        return self

    async def __anext__(self) -> Delivery:
        while True:
            if self._stale:
                if self._on_reset is not None:
                    await self._on_reset()
                await self._make_anew()
            if not self._buffer:
                await self._keep_pulling()
                if not self._stale:
                    await self._wait()
                continue
            delivery = self._buffer.popleft()
            self._settled()
            if delivery.consumer_sequence != self._consumer_sequence + 1:
                _log.info("reading anew after a jump", stream=self._stream, position=self.position)
                self._stale = True
                continue
            self._consumer_sequence += 1
            self.position = delivery.position
            return delivery

    def _is_lost(self, now_s: float) -> bool:
        if self._refused_since_s or super()._is_lost(now_s):
            self._stale = True
            self._next_pull_s = now_s + RETRY_S
        return self._stale

    async def _make_anew(self) -> None:
        await self._unsubscribe()
        if self._refused_since_s:
            await asyncio.sleep(RETRY_S)
        self._buffer.clear()
        self._unsettled = self._requested = self._consumer_sequence = 0
        self._refused_since_s = self._next_pull_s = 0.0
        await self._subscribe()
        deadline_s = time.monotonic() + GONE_AFTER_S
        while True:
            self._consumer = f"read-{uuid.uuid4().hex}"
            try:
                await self._create()
            except (Unreachable, JetStreamApiError) as error:
                if self._connection.is_closed:
                    raise Unreachable(f"reading {self._stream}: the connection is closed") from error
                if self._connection.is_connected and time.monotonic() > deadline_s:
                    raise ConsumerGone(self._stream, self._consumer, str(error)) from error
                await asyncio.sleep(RETRY_S)
            else:
                self._reconnects = self._connection.stats["reconnects"]
                self._stale = False
                return

    async def _create(self) -> None:
        config: dict[str, Any] = {
            "name": self._consumer,
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.position + 1,
            "replay_policy": "instant",
            "inactive_threshold": api.nanoseconds(INACTIVE_S),
            "mem_storage": True,
            "num_replicas": 1,
        }
        subject = f"CONSUMER.CREATE.{self._stream}.{self._consumer}"
        if len(self._filters) == 1:
            config["filter_subject"] = self._filters[0]
            subject += f".{self._filters[0]}"
        elif self._filters:
            config["filter_subjects"] = list(self._filters)
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        await api.request(self._connection, subject, body, timeout_s=CREATE_TIMEOUT_S)
