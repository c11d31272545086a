"""Subscribers that stop reading: the others do not notice, the service's memory stays, and they can go on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import psutil
import pytest
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog_chassis.testing import embedded_nats
from tapelog_notify.testing import NotifyClient, NotifyProcess, Recorder, connected_client, read_events, settings_for

from .harness.battery import Row
from .harness.ports import free_port

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

QUICK: Final = 95
STALLED: Final = 5
CHANNELS: Final = 4
"""A connection carries 100 streams."""
LENGTH_S: Final = 10.0
EVERY_S: Final = 0.05
HEAVY_BYTES: Final = 50_000
"""Large enough that what a connection takes in by itself is soon full."""
CLOSED_S: Final = 30.0
"""Then the stalled are looked at: one that was not refused by then is sent more for ever."""
REFUSED_S: Final = 10.0
"""To read what a stalled connection still holds, and the refusal behind it."""
P99_RATIO_MAX: Final = 1.2
P99_SPARE_S: Final = 0.1
"""Two runs of the same load differ by as much on a machine that is shared."""
GROWN_MIB_MAX: Final = 32.0
MIB: Final = 1024**2


class Reader:
    """A subscriber that reads all it gets, and how late each event was."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.positions: list[int] = []
        self.waits_s: list[float] = []

    async def run(self) -> None:
        """Read for ever."""
        while True:
            response = await self.call.read()
            if response.HasField("event"):
                self.waits_s.append(time.time() - response.event.time.ToNanoseconds() / 1e9)
                self.positions.append(response.event.position)


@asynccontextmanager
async def clients(settings: Any, address: str) -> AsyncIterator[list[NotifyClient]]:
    """Connect several times: channels to one address share a connection unless something tells them apart."""
    async with connected_client(settings, address) as notify, AsyncExitStack() as stack:
        found = []
        for number in range(CHANNELS):
            options = [("grpc.use_local_subchannel_pool", 1), ("tapelog.n", number)]
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options))
            await channel.channel_ready()
            found.append(NotifyClient(address, channel, notify.tokens))
        yield found


async def append(recorder: Recorder) -> None:
    """Append small events for the many and large ones for the few."""
    for _ in range(int(LENGTH_S / EVERY_S)):
        await recorder.append("sng-many")
        await recorder.append("sng-few", data=bytes(HEAVY_BYTES))
        await asyncio.sleep(EVERY_S)


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(values)[int(0.99 * len(values))]


async def left_over(call: Any) -> list[int]:
    """Read what a stalled stream still has, up to its refusal; return the positions."""
    found: list[int] = []

    async def read_on() -> None:
        while True:
            response = await call.read()
            found.extend([response.event.position] if response.HasField("event") else [])

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await asyncio.wait_for(read_on(), REFUSED_S)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "READER_TOO_SLOW" in str(refused.value.trailing_metadata())
    return found


async def test_five_of_a_hundred_stop_reading(tmp_path: Path, row: Row) -> None:
    """95 read, 5 do not: nobody else waits longer, memory stays, the five are closed and go on without a gap."""
    async with embedded_nats(tmp_path / "broker") as broker, AsyncExitStack() as stack:
        recorder = await Recorder.on(broker)
        settings = settings_for(broker, tmp_path, port=free_port())
        process = await stack.enter_async_context(NotifyProcess(settings))
        await process.start()
        address = f"127.0.0.1:{settings.port}"
        channels = await stack.enter_async_context(clients(settings, address))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        many = [Reader(channels[n % (CHANNELS - 1)].subscribe(0, songs=["sng-many"])) for n in range(QUICK)]
        few = [Reader(channels[-1].subscribe(0, songs=["sng-few"])) for _ in range(STALLED)]
        tasks = [group.create_task(reader.run()) for reader in (*many, *few)]
        await append(recorder)
        service = psutil.Process(process.pid)
        before, rss = [wait_s for reader in many for wait_s in reader.waits_s], service.memory_info().rss
        for task in tasks[QUICK:]:
            task.cancel()
        for reader in many:
            reader.waits_s.clear()
        stalled = [channels[-1].subscribe(songs=["sng-few"]) for _ in range(STALLED)]
        starts = [(await call.read()).heartbeat.position for call in stalled]
        begun_s, most = time.monotonic(), rss
        appending = group.create_task(append(recorder))
        while not appending.done() or time.monotonic() - begun_s < CLOSED_S:
            most = max(most, service.memory_info().rss)
            await asyncio.sleep(0.1)
        beside = [wait_s for reader in many for wait_s in reader.waits_s]
        gaps = sum([await _gaps(channels[-1], call, start) for call, start in zip(stalled, starts, strict=True)])
        many_events = len([event for event in recorder.appended if event.aggregate.id == "sng-many"])
        seen = [len(set(reader.positions)) for reader in many]
        for task in tasks:
            task.cancel()
    row(
        "L04",
        "5 of 100 subscribers stop reading: the others' p99 at most 1.2 times, RSS at most +32 MiB, the five closed "
        "within 30 s and on without a gap",
        f"p99 {1000 * p99(before):.0f} ms before and {1000 * p99(beside):.0f} ms beside them, RSS "
        f"+{(most - rss) / MIB:.0f} MiB, all closed {CLOSED_S:g} s on, gaps {gaps}",
    )
    assert seen == [many_events] * QUICK
    assert gaps == 0
    assert p99(beside) <= P99_RATIO_MAX * p99(before) + P99_SPARE_S
    assert (most - rss) / MIB <= GROWN_MIB_MAX


async def _gaps(client: NotifyClient, call: Any, start: int) -> int:
    """Let a stalled one read what was sent to it, and then the rest from there; return how many it has not got."""
    wanted = int(LENGTH_S / EVERY_S)
    found = await left_over(call)
    request = pb.SubscribeRequest()
    request.filter.songs.append("sng-few")
    request.start.after_position = found[-1] if found else start
    rest = client.stub.Subscribe(request, metadata=client.caller())
    events = await read_events(rest, wanted - len(found))
    rest.cancel()
    return wanted - len({*found, *(event.position for event in events)})
