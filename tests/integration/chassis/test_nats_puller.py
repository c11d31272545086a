"""Pull consumers: bounded, resumed after the server's death, and honest about what they hold."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from nats.aio.client import Client
from tapelog_chassis import topology
from tapelog_chassis.nats import ConsumerGone, Delivery, OrderedReader, Puller, api, delete_consumer, ensure_consumer
from tapelog_chassis.nats.provision import put_consumer
from tapelog_chassis.testing import Broker, eventually

PUB = topology.PUB
RESUME_S = 3.0


async def publish(connection: Client, first: int, last: int, tenant: str = "acme") -> None:
    """Publish numbered public events of one song."""
    for n in range(first, last):
        await connection.request(f"pub.{tenant}.prj.sng.song_event_{n % 3}", b"%d" % n, timeout=5)


@asynccontextmanager
async def feed(
    broker: Broker, *, ack_wait_s: float = 30.0, max_deliver: int = -1, max_outstanding: int = 16
) -> AsyncIterator[tuple[Client, Puller]]:
    """Make a subscription on PUB and read it."""
    notify = await broker.connect("notify")
    spec = topology.subscription_consumer("sub-t", (topology.pub_filter("acme"),))
    await ensure_consumer(notify, replace(spec, ack_wait_s=ack_wait_s, max_deliver=max_deliver))
    async with Puller(notify, PUB, spec.name, max_outstanding=max_outstanding) as puller:
        yield notify, puller


async def next_of(puller: Puller, *, within_s: float = 5.0) -> Delivery:
    """Wait for one delivery."""
    async with asyncio.timeout(within_s):
        return await anext(puller)


async def ack_pending(connection: Client) -> int:
    """Count what the server has handed out and not got back."""
    return int((await api.request(connection, "CONSUMER.INFO.PUB.sub-t"))["num_ack_pending"])


async def test_messages_come_in_order_and_are_acknowledged(broker: Broker) -> None:
    """Every message of the filter comes once, in order, with its place in the stream; then nothing is pending."""
    async with feed(broker) as (notify, puller):
        await publish(notify, 0, 40)
        await publish(notify, 0, 2, tenant="rival")
        deliveries = []
        for _ in range(40):
            deliveries.append(await next_of(puller))
            await deliveries[-1].ack()
        assert [int(delivery.data) for delivery in deliveries] == list(range(40))
        assert [delivery.position for delivery in deliveries] == list(range(1, 41))
        assert {delivery.attempt for delivery in deliveries} == {1}
        await eventually(lambda: _is_settled(notify))


async def _is_settled(connection: Client) -> bool:
    return await ack_pending(connection) == 0


async def test_no_more_is_held_than_allowed(broker: Broker) -> None:
    """With three outstanding allowed the server hands out three; each answer makes room for one."""
    async with feed(broker, max_outstanding=3) as (notify, puller):
        await publish(notify, 0, 10)
        held = [await next_of(puller) for _ in range(3)]
        with pytest.raises(TimeoutError):
            await next_of(puller, within_s=0.3)
        assert await ack_pending(notify) == 3
        await held[0].ack_sync()
        assert int((await next_of(puller)).data) == 3
        assert await ack_pending(notify) == 3


async def test_nak_and_term(broker: Broker) -> None:
    """A naked message comes again after its delay, a termed one never, and repeats of an answer do nothing."""
    async with feed(broker) as (notify, puller):
        await publish(notify, 0, 2)
        first, second = await next_of(puller), await next_of(puller)
        started_s = time.monotonic()
        await first.nak(delay_s=0.3)
        await second.term("not readable")
        await second.ack()
        again = await next_of(puller)
        assert (again.data, again.attempt) == (b"0", 2)
        assert time.monotonic() - started_s >= 0.29
        await again.ack_sync()
        with pytest.raises(TimeoutError):
            await next_of(puller, within_s=0.3)
        assert await ack_pending(notify) == 0


async def test_progress_keeps_the_lease(broker: Broker) -> None:
    """Work longer than the lease is not handed out again while it reports progress, and is when it stops."""
    async with feed(broker, ack_wait_s=0.4) as (notify, puller):
        await publish(notify, 0, 1)
        delivery = await next_of(puller)
        ends_s = time.monotonic() + 1.0
        while time.monotonic() < ends_s:
            with pytest.raises(TimeoutError):
                await next_of(puller, within_s=0.1)
            await delivery.in_progress()
        assert (await next_of(puller)).attempt == 2


async def test_a_dead_letter_reaches_the_advisory_stream(broker: Broker) -> None:
    """A job that a worker terminates leaves an advisory that render's durable delivers."""
    render, worker = await broker.connect("render"), await broker.connect("worker")
    lane = topology.job_lane("standard", "acme")
    await put_consumer(render, lane)
    await render.request(topology.job_subject("render", "standard", "acme", "rj-1"), b"{}", timeout=2)
    async with Puller(worker, topology.JOBS, lane.name, max_outstanding=1) as jobs:
        await (await next_of(jobs)).term("poison")
    async with Puller(render, topology.ADV, topology.RENDER_DEAD_LETTER) as letters:
        letter = await next_of(letters)
        assert b"poison" in letter.data
        await letter.ack_sync()


async def test_reading_resumes_within_three_seconds_of_a_kill(broker: Broker) -> None:
    """After kill -9 of the server an idle and an ordered reader both go on; only the durable may repeat a message."""
    async with feed(broker) as (notify, puller), OrderedReader(notify, PUB, filters=("pub.acme.>",)) as reader:
        await publish(notify, 0, 1)
        await (await next_of(puller)).ack_sync()
        await next_of(reader)
        for n in (1, 2):
            waiting = [asyncio.ensure_future(anext(source)) for source in (puller, reader)]
            await broker.kill()
            started_s = time.monotonic()
            await publish(notify, n, n + 1)
            async with asyncio.timeout(RESUME_S):
                durable, ordered = await asyncio.gather(*waiting)
                while durable.position <= n:
                    # The server writes a durable's acknowledgements later than its messages.
                    await durable.ack_sync()
                    durable = await anext(puller)
            assert (durable.data, ordered.data) == (b"%d" % n, b"%d" % n)
            assert time.monotonic() - started_s < RESUME_S
            await durable.ack_sync()


async def test_reading_resumes_after_a_stopped_server(broker: Broker) -> None:
    """A server that hangs for longer than the heartbeats is asked anew, and every message still comes once."""
    async with feed(broker) as (notify, puller), OrderedReader(notify, PUB) as reader:
        waiting = [asyncio.ensure_future(anext(source)) for source in (puller, reader)]
        done, _ = await asyncio.wait(waiting, timeout=0.1)
        assert not done
        os.kill(broker.server.pid, signal.SIGSTOP)
        try:
            await asyncio.wait(waiting, timeout=2.6)
        finally:
            os.kill(broker.server.pid, signal.SIGCONT)
        await publish(notify, 0, 5)
        durable, ordered = await asyncio.wait_for(asyncio.gather(*waiting), RESUME_S)
        assert [durable.data, *[(await next_of(puller)).data for _ in range(4)]] == [b"0", b"1", b"2", b"3", b"4"]
        assert [ordered.data, *[(await next_of(reader)).data for _ in range(4)]] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_deleted_consumer_ends_the_reading(broker: Broker) -> None:
    """A durable deleted below its reader is an error that names it, not a silent wait."""
    async with feed(broker) as (notify, puller):
        waiting = asyncio.ensure_future(anext(puller))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        assert await delete_consumer(notify, PUB, "sub-t") is True
        assert await delete_consumer(notify, PUB, "sub-t") is False
        with pytest.raises(ConsumerGone, match="sub-t"):
            await asyncio.wait_for(waiting, 5)


async def test_an_ordered_reader_starts_anywhere_and_filters(broker: Broker) -> None:
    """From a position on, only the filtered subjects come, in order, past a small read-ahead."""
    notify = await broker.connect("notify")
    await publish(notify, 0, 60)
    filters = ("pub.acme.*.*.song_event_0", "pub.acme.*.*.song_event_2")
    async with OrderedReader(notify, PUB, filters=filters, after_position=30, max_buffered=4) as reader:
        got = [int((await next_of(reader)).data) for _ in range(20)]
        assert got == [n for n in range(30, 60) if n % 3 != 1]
        assert reader.position == 60


async def test_an_ordered_reader_notices_a_missing_message(broker: Broker) -> None:
    """A message lost on the way shows as a jump in the consumer's numbers and is read anew, nothing twice."""
    notify = await broker.connect("notify")
    await publish(notify, 0, 10)
    async with OrderedReader(notify, PUB, max_buffered=10) as reader:
        await next_of(reader)
        await eventually(lambda: len(reader._buffer) == 9)
        del reader._buffer[3]
        assert [int((await next_of(reader)).data) for _ in range(9)] == list(range(1, 10))
