"""
Test helpers that ship with the chassis: a real broker in about 100 ms, and waiting without sleeping.

    @pytest.fixture
    async def broker(tmp_path):
        async with embedded_nats(tmp_path) as broker:
            yield broker
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from .event_log import JetStreamEventLog, JetStreamSnapshotStore, MemoryEventLog, MemorySnapshotStore, NewEvent
from .nats import SERVICES, EmbeddedNats, connected, provision

__all__ = [
    "Broker",
    "MemoryEventLog",
    "MemorySnapshotStore",
    "embedded_nats",
    "eventually",
    "new_event",
]

STORE_BYTES: Final = 4 * 1024**3
"""Limit of a test server's store; nothing is reserved on the disk."""
EVENTUALLY_S: Final = 10.0
POLL_S: Final = 0.01
_TEST_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Broker:
    """A running, provisioned nats-server and what a test does with it."""

    server: EmbeddedNats
    _stack: AsyncExitStack

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.server.url

    def creds(self, service: str) -> str:
        """Mint creds of a service (`session`, `render`, `worker`, `notify`, `admin`)."""
        return self.server.identity.mint_user(service, SERVICES[service])

    async def connect(self, service: str) -> Client:
        """Connect as a service; closed when the broker stops."""
        return await self._stack.enter_async_context(connected(self.url, name=service, creds=self.creds(service)))

    async def log(self, service: str) -> JetStreamEventLog:
        """Open the event log as a service."""
        return JetStreamEventLog(await self.connect(service))

    async def snapshots(self, service: str) -> JetStreamSnapshotStore:
        """Open the snapshot store as a service."""
        return JetStreamSnapshotStore(await self.connect(service))

    async def kill(self) -> None:
        """`kill -9` the server and wait until its supervisor has started it again."""
        restarts = self.server.restarts
        os.kill(self.server.pid, signal.SIGKILL)
        await eventually(lambda: self.server.restarts > restarts and self.server.is_ready)


@asynccontextmanager
async def embedded_nats(data_dir: Path, *, store_bytes: int = STORE_BYTES) -> AsyncIterator[Broker]:
    """Run a real nats-server on a free port with the whole topology, JetStream syncing always, as in production."""
    async with EmbeddedNats(data_dir, store_bytes=store_bytes) as server, AsyncExitStack() as stack:
        broker = Broker(server, stack)
        async with connected(server.url, name="admin", creds=broker.creds("admin")) as admin:
            await provision(admin, store_bytes=server.store_bytes)
        yield broker


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = EVENTUALLY_S, every_s: float = POLL_S
) -> None:
    """Poll until the condition holds; `TimeoutError` if it does not within `within_s`."""
    deadline_s = time.monotonic() + within_s
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the condition did not hold within {within_s} s")
        await asyncio.sleep(every_s)


def new_event(key: str, data: bytes = b"data", *, type_: str = "tapelog.thing.thing_happened.v1") -> NewEvent:
    """Make an event whose id follows from `key`, so that the same key is the same event."""
    return NewEvent(
        event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
        type=type_,
        schema="google.protobuf.BytesValue",
        data=data,
        time=_TEST_EPOCH,
    )
