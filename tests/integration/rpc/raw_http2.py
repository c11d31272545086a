"""HTTP/2 by hand (RFC 9113), for what no well-behaved client sends."""

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
ENHANCE_YOUR_CALM: Final = 11
_HEADER: Final = struct.Struct(">HBBBI")


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """Make a frame."""
    return _HEADER.pack(len(body) >> 8, len(body) & 0xFF, kind, flags, stream) + body


def field(name: str, value: str) -> bytes:
    """Make a header field: a literal that is not indexed, without Huffman coding (RFC 7541, 6.2.2)."""
    return b"\x00" + _text(name) + _text(value)


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, length = len(data) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + data


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
        block = b"".join(field(name, value) for name, value in fields)
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), self.stream, block)

    async def read_forever(self) -> None:
        """Note what comes until the connection ends."""
        try:
            while True:
                high, low, kind, flags, _stream = _HEADER.unpack(await self._reader.readexactly(9))
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
