"""Test help that ships with the service: an HTTP endpoint on raw sockets that behaves as badly as endpoints do."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

ENDLESS_BYTES: Final = 10 * 1024**3
CHUNK_BYTES: Final = 64 * 1024
DRIP_S: Final = 0.02
HEAD_BYTES_MAX: Final = 32 * 1024

Manner = Literal["answer", "silent", "drip head", "drip body", "endless", "reset", "garbage", "huge head", "many heads"]


@dataclass(frozen=True)
class Behaviour:
    """
    How one request is treated.

    Attributes
    ----------
    status, headers
        Of an answer; also of those whose body drips or never ends.
    """

    manner: Manner = "answer"
    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Request:
    """A request that arrived whole."""

    path: str
    headers: dict[str, str]
    body: bytes
    behaviour: Behaviour

    @property
    def event_id(self) -> str:
        """The `webhook-id`."""
        return self.headers["webhook-id"]


class HostileEndpoint:
    """
    A listener on a loopback port, a free one unless it is named. Use as `async with HostileEndpoint(...) as endpoint`.

    Attributes
    ----------
    behaviours
        For the next requests; `usual` for all after them.
    requests
        Every request that arrived whole, in order.
    connections
        How many were made.
    sent_bytes
        Bytes of answers that were handed to the system.
    """

    def __init__(self, behaviours: Iterable[Behaviour] = (), *, usual: Behaviour | None = None, port: int = 0) -> None:
        self.port = port
        self.behaviours = deque(behaviours)
        self.usual = usual or Behaviour()
        self.requests: list[Request] = []
        self.connections = 0
        self.sent_bytes = 0

    async def __aenter__(self) -> Self:
        self._closing = asyncio.Event()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=HEAD_BYTES_MAX)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/hook"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        self._closing.set()
        for writer in self._open:
            writer.transport.abort()
        # Not cancelled: Python 3.11 reports every cancelled task of a stream server as a failure.
        await asyncio.gather(*(task for task in self._open.values() if task is not None))

    def take(self, request: Request) -> None:
        """Remember a request."""
        self.requests.append(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    request = await self._read(reader)
                    self.take(request)
                    if not await self._treat(request.behaviour, writer):
                        return
        finally:
            del self._open[writer]
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.split("\r\n")
        lines = (line.partition(":") for line in rest if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(first.split(" ")[1], headers, body, self.behaviours.popleft() if self.behaviours else self.usual)

    async def _treat(self, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        """Answer; whether the connection may serve again."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in behaviour.headers)
        start = f"HTTP/1.1 {behaviour.status} Answer\r\n{fields}"
        match behaviour.manner:
            case "answer":
                await self._send(writer, f"{start}content-length: 0\r\n\r\n".encode())
                return True
            case "silent":
                await self._closing.wait()
            case "reset":
                return False
            case "garbage":
                await self._send(writer, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            case "huge head":
                await self._send(writer, f"{start}x: {'y' * 10**6}\r\n\r\n".encode())
            case "many heads":
                await self._send(writer, (start + "".join(f"x{n}: y\r\n" for n in range(10**5)) + "\r\n").encode())
            case "drip head":
                await self._drip(writer, start.encode() + b"x: " + b"y" * 10**4)
            case "drip body":
                await self._send(writer, f"{start}content-length: 10000\r\n\r\n".encode())
                await self._drip(writer, b"z" * 10**4)
            case "endless":
                await self._send(writer, f"{start}content-length: {ENDLESS_BYTES}\r\n\r\n".encode())
                for _ in range(ENDLESS_BYTES // CHUNK_BYTES):
                    await self._send(writer, bytes(CHUNK_BYTES))
        return False

    async def _drip(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for byte in data:
            if self._closing.is_set():
                return
            await self._send(writer, bytes([byte]))
            await asyncio.sleep(DRIP_S)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.sent_bytes += len(data)
        writer.write(data)
        await writer.drain()
