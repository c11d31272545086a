"""HTTP/2 by hand (RFC 9113), for what no well-behaved client sends."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from tests.faults.harness.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
    literal,
)


class Attacker:
    """One connection, and a count of what came back.

    Attributes
    ----------
    resets : Counter
        RST_STREAM frames by error code.
    goaway : int or None
        Error code of the GOAWAY, once it came.
    greeted, closed : asyncio.Event
        The server has taken our settings; it has ended the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.resets: Counter[int] = Counter()
        self.goaway: int | None = None
        self.closed = asyncio.Event()
        self.greeted = asyncio.Event()
        self.stream = 1

    async def send(self, data: bytes) -> None:
        """Write bytes as they are; a connection that the server has closed takes none."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    def call(self, method: str, metadata: list[tuple[str, str]], *, end: bool = False) -> bytes:
        """Return the headers of a new call; `stream` is its number from then on."""
        self.stream += 2
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "x"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *metadata,
        ]
        block = b"".join(literal(name, value) for name, value in fields)
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), self.stream, block)

    async def read_forever(self) -> None:
        """Note what comes until the connection ends."""
        try:
            while True:
                high, low, kind, flags, _stream = HEADER.unpack(await self._reader.readexactly(9))
                body = await self._reader.readexactly(high << 8 | low)
                if kind == RST_STREAM:
                    self.resets[int.from_bytes(body)] += 1
                elif kind == GOAWAY:
                    self.goaway = int.from_bytes(body[4:8])
                elif kind == SETTINGS and not flags & ACK:
                    await self.send(frame(SETTINGS, ACK, 0))
                elif kind == SETTINGS:
                    self.greeted.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()


@contextlib.asynccontextmanager
async def attacking(port: int) -> AsyncIterator[Attacker]:
    """Connect and greet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    attacker = Attacker(reader, writer)
    reading = asyncio.create_task(attacker.read_forever())
    try:
        await attacker.send(PREFACE + frame(SETTINGS, 0, 0))
        yield attacker
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
