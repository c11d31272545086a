"""A TCP proxy inside a test that delays, breaks, throttles and swallows what goes through it, each way apart.

Latency is made here and not by the kernel, because `netem` is a module that many kernels come without.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from tapelog_chassis.testing import eventually

CHUNK: Final = 16 * 1024
ON_THE_WAY: Final = 256
"""Blocks between the two ends of a way."""
SEED: Final = 20261120


@dataclass
class Weather:
    """How a way through the proxy is at the moment; it may be changed while connections are open.

    Attributes
    ----------
    delay_s : tuple of float
        Each block waits for a time between these; blocks keep their order.
    bytes_per_s : float
        0 for as fast as it goes.
    swallows : bool
        Nothing comes through, and nobody is told: a way without a receiver.
    """

    delay_s: tuple[float, float] = (0.0, 0.0)
    bytes_per_s: float = 0.0
    swallows: bool = False


@dataclass
class Proxy:
    """A running proxy.

    Attributes
    ----------
    port : int
    there, back : Weather
        From who connects to the target, and the other way.
    taken, resets : int
        Connections taken, and those reset.
    open : int
        Connections that are open now.
    """

    target: tuple[str, int]
    port: int = 0
    there: Weather = field(default_factory=Weather)
    back: Weather = field(default_factory=Weather)
    taken: int = 0
    resets: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _chance: random.Random = field(default_factory=lambda: random.Random(SEED))

    @property
    def open(self) -> int:
        """Return how many connections there are."""
        return len(self._open)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self._open.add(writer)
        self.taken += 1
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection(*self.target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, far, self.there))
                group.create_task(self._carry(far_reader, writer, self.back))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            for end in (writer, far):
                if end is not None:
                    end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weather: Weather) -> None:
        """Carry blocks one way; raises at the end, so that the other way ends too."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(ON_THE_WAY)

        async def arrive() -> None:
            while True:
                due_s, block = await on_the_way.get()
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                writer.write(block)
                await writer.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(arrive())
            free_s = 0.0
            while block := await reader.read(CHUNK):
                if weather.swallows:
                    continue
                free_s = max(free_s, time.monotonic())
                if weather.bytes_per_s:
                    free_s += len(block) / weather.bytes_per_s
                await on_the_way.put((free_s + self._chance.uniform(*weather.delay_s), block))
            raise ConnectionResetError

    def close_all(self) -> None:
        """Reset every connection."""
        self.resets += len(self._open)
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def proxying(target: tuple[str, int], host: str = "127.0.0.1") -> AsyncIterator[Proxy]:
    """Run a proxy on a free port."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, host, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close_all()
        await eventually(lambda: proxy.open == 0)
