"""Messages read at once are those that the client package reads, in the same order, however the bytes come."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.protocol.parser import Parser
from tapelog_chassis.nats.wire import Incoming, Taking, WholeMessages, hand_over, parse_block

STREAM = (
    b"MSG _INBOX_session.1.a 1 5\r\nhello\r\n"
    b"MSG es.session.acme.sng-1 2 _INBOX.reply 0\r\n\r\n"
    b"HMSG _INBOX_session.2.b 3 $JS.ACK.x 25 32\r\nNATS/1.0\r\nName: Value\r\n\r\n\r\nM\r\nSG\r\n"
    b"+OK\r\n"
    b"HMSG _INBOX_session.1.c 1 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n"
    b"MSG nobody.waits 9 3\r\nabc\r\n"
    b"PING\r\n"
    b"MSG _INBOX_session.1.d 1 2\r\n\r\n\r\n"
    b"MSG _INBOX_session.2.e 3 4\r\nlast\r\n"
)
Seen = list[tuple[int, bytes, bytes, bytes, bytes]]


class _Connection:
    """Notes what a parser makes of the bytes."""

    def __init__(self) -> None:
        self.stats = {"in_msgs": 0, "in_bytes": 0}
        self.seen: Seen = []
        self.pings = 0

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.seen.append((sid, subject, reply, data, headers or b""))

    async def _process_ping(self) -> None:
        self.pings += 1

    def take(self, sid: int, message: Incoming) -> None:
        """Take a message as a receiver."""
        self.seen.append((sid, message.subject.encode(), message.reply.encode(), message.data, message.block))


def _read(pieces: list[bytes], direct: set[int], *, size: int = 1 << 15) -> tuple[Seen, int]:
    """Let the pieces come one by one; the package reads what is left to it whenever the loop gets there."""
    connection = _Connection()
    receivers: dict[int, Any] = {sid: (lambda message, sid=sid: connection.take(sid, message)) for sid in direct}
    parser = WholeMessages(connection, receivers)

    async def read() -> None:
        reader = asyncio.StreamReader()
        taking = Taking(parser, asyncio.StreamReaderProtocol(reader))
        feeding = asyncio.create_task(feed(taking, reader))
        while data := await reader.read(size):
            await asyncio.sleep(0)
            await parser.parse(data)
        await feeding

    async def feed(taking: Taking, reader: asyncio.StreamReader) -> None:
        for number, piece in enumerate(pieces):
            taking.data_received(piece)
            if number % 2:
                await asyncio.sleep(0)
        reader.feed_eof()

    asyncio.run(read())
    assert not parser.buf
    return connection.seen, connection.pings


def _expected() -> tuple[Seen, int]:
    connection = _Connection()
    asyncio.run(Parser(connection).parse(STREAM))
    return connection.seen, connection.pings


@given(
    cuts=st.lists(st.integers(0, len(STREAM)), max_size=8),
    direct=st.sets(st.sampled_from([1, 2, 3])),
    size=st.sampled_from([1, 7, 64, 1 << 15]),
)
def test_any_cut_of_the_bytes_gives_the_messages_of_the_client_package(
    cuts: list[int], direct: set[int], size: int
) -> None:
    """Cut anywhere, with any of the receivers direct: every message once, whole, and in the order they came."""
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(places)]
    assert _read(pieces, direct, size=size) == _expected()


@pytest.mark.parametrize(
    "block",
    [
        b"NATS/1.0\r\nName: Value\r\nce-id: 1\r\n\r\n",
        b"NATS/1.0 404\r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 404 No Messages\r\n\r\n",
        b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1016\r\nNats-Last-Stream: 1024\r\n\r\n",
        b"NATS/1.0 409 Consumer Deleted\r\nNats-Pending-Messages: 3\r\n\r\n",
    ],
)
async def test_a_block_is_read_as_the_client_package_reads_it(block: bytes) -> None:
    """Lines, a status alone, and both."""
    expected = await Client()._process_headers(block)
    assert parse_block(block) == expected


def test_a_message_that_cannot_be_read_does_not_end_the_reading() -> None:
    """What a receiver raises is told and goes no further."""

    def fail(_message: Incoming) -> None:
        raise ValueError("no number")

    hand_over(fail, Incoming("subject", "", b"", b""))
