"""S07: what a hostile HTTP/2 peer can do to the server that every service is built with."""

import asyncio
import gc
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any, Final

import grpc
import psutil
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis.rpc.testing_rpc import LocalServer

from tests.faults.harness.http2_frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PING,
    RST_STREAM,
    frame,
    literal,
)

from .raw_http2 import attacking

SAY: Final = "/tapelog.desk.v1.DeskService/Say"
COUNT: Final = "/tapelog.desk.v1.DeskService/Count"
RESETS: Final = 5000
STREAMS: Final = 300
SILENT: Final = 200
MIB: Final = 2**20
GROWTH_MAX: Final = 16 * MIB
WAIT_S: Final = 10.0


async def until(condition: Callable[[], bool]) -> None:
    """Poll for a condition, with a deadline."""
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "it did not come to that"
        await asyncio.sleep(0.01)


@pytest.fixture
def grown() -> Callable[[], int]:
    """Give how much the process has grown since."""
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    return lambda: process.memory_info().rss - before


async def still_serves(local: LocalServer, stub: Any) -> None:
    """Make a call as a well-behaved client does."""
    answer = await stub.Say(StringValue(value="hi"), metadata=local.tokens.metadata(), timeout=WAIT_S)
    assert answer.value == "hi"


async def code_of(call: Any) -> grpc.StatusCode:
    """Return the code a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code()


async def test_a_flood_of_pings_is_told_to_calm_down(local: LocalServer, stub: Any):
    """GOAWAY ENHANCE_YOUR_CALM by the fifth ping, and others are served."""
    async with attacking(local.server.port) as attacker:
        await asyncio.wait_for(attacker.greeted.wait(), WAIT_S)
        for number in range(5):
            await attacker.send(frame(PING, 0, 0, number.to_bytes(8)))
        await until(lambda: attacker.goaway is not None)
        assert attacker.goaway == ENHANCE_YOUR_CALM
    await still_serves(local, stub)


async def test_one_connection_has_a_hundred_streams(local: LocalServer, stub: Any, desk: Any):
    """Three hundred at once: a hundred handlers, and the rest is refused before it costs anything."""
    request = StringValue(value="1 wait").SerializeToString()
    metadata = [(key, value) for key, value in local.tokens.metadata()]
    async with attacking(local.server.port) as attacker:
        for _ in range(STREAMS):
            await attacker.send(attacker.call(COUNT, metadata))
            await attacker.send(frame(DATA, END_STREAM, attacker.stream, struct.pack(">BI", 0, len(request)) + request))
        await until(lambda: sum(attacker.resets.values()) >= STREAMS - 100 and desk.running >= 100)
        assert desk.running <= 100
        await still_serves(local, stub)
    await until(lambda: desk.running == 0)


async def test_rapid_resets_cost_nothing(local: LocalServer, stub: Any, desk: Any, grown: Callable[[], int]):
    """CVE-2023-44487: thousands of calls cancelled as they begin run no handler and keep no memory."""
    metadata = [(key, value) for key, value in local.tokens.metadata()]
    async with attacking(local.server.port) as attacker:
        for _ in range(RESETS):
            await attacker.send(
                attacker.call(SAY, metadata) + frame(RST_STREAM, 0, attacker.stream, CANCEL.to_bytes(4))
            )
        await still_serves(local, stub)
    assert desk.calls <= 1 + 100
    assert grown() <= GROWTH_MAX


async def test_endless_headers_end_the_connection(local: LocalServer, stub: Any, grown: Callable[[], int]):
    """A CONTINUATION flood (CVE-2024-27316 and its like): cut, without being kept."""
    block = literal("x-more", "y" * 16_000)
    async with attacking(local.server.port) as attacker:
        await attacker.send(frame(HEADERS, 0, 1, literal(":method", "POST")))
        for _ in range(RESETS // 5):
            if attacker.closed.is_set():
                break
            await attacker.send(frame(CONTINUATION, 0, 1, block[:16_384]))
        await until(lambda: attacker.closed.is_set() or attacker.goaway is not None)
        await still_serves(local, stub)
    assert grown() <= GROWTH_MAX


@pytest.mark.parametrize("size_bytes", [12_000 * 2, 40_000])
async def test_too_much_metadata_is_refused(local: LocalServer, stub: Any, size_bytes: int):
    """Beyond 16 KiB always."""
    metadata = (*local.tokens.metadata(), ("x-pad", "p" * size_bytes))
    assert await code_of(stub.Say(StringValue(value="hi"), metadata=metadata)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    await still_serves(local, stub)


async def test_too_large_a_message_is_refused(local: LocalServer, stub: Any, desk: Any):
    """Five MiB that are sent, and four GiB that are only promised."""
    big = StringValue(value="x" * 5 * MIB)
    metadata = local.tokens.metadata()
    assert await code_of(stub.Say(big, metadata=metadata)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    async with attacking(local.server.port) as attacker:
        await attacker.send(attacker.call(SAY, list(metadata)))
        await attacker.send(frame(DATA, 0, attacker.stream, struct.pack(">BI", 0, 2**32 - 1) + b"x" * 1000))
        await still_serves(local, stub)
    assert desk.calls == 1


async def test_a_compressed_bomb_is_not_unpacked(local: LocalServer, stub: Any, desk: Any, grown: Callable[[], int]):
    """Only plain messages are taken: what is compressed is refused as it stands."""
    packed = zlib.compress(b"\0" * (64 * MIB), 9)
    async with attacking(local.server.port) as attacker:
        await attacker.send(attacker.call(SAY, [*local.tokens.metadata(), ("grpc-encoding", "deflate")]))
        body = struct.pack(">BI", 1, len(packed)) + packed
        for start in range(0, len(body), 16_384):
            await attacker.send(frame(DATA, 0, attacker.stream, body[start : start + 16_384]))
        await still_serves(local, stub)
    assert desk.calls == 1
    assert grown() <= GROWTH_MAX


@pytest.mark.nightly
async def test_two_hundred_silent_connections_are_closed(local: LocalServer, stub: Any):
    """Slowloris: closed by the handshake's time, while others are served."""
    peers = [await asyncio.open_connection("127.0.0.1", local.server.port) for _ in range(SILENT)]
    await still_serves(local, stub)

    async def ended(reader: asyncio.StreamReader) -> None:
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            pass

    async with asyncio.timeout(8):
        await asyncio.gather(*(ended(reader) for reader, _ in peers))
    for _, writer in peers:
        writer.close()
