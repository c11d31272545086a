"""One reading for all followers: those who fall behind, come late or leave lose nothing and cost nothing."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tapelog_chassis.event_log import JetStreamEventLog
from tapelog_chassis.nats import api
from tapelog_chassis.testing import Broker, eventually
from tapelog_chassis.topology import PUB
from tapelog_notify.adapters.public_stream import JetStreamPublicEvents, JetStreamPublicStream
from tapelog_notify.application.coalesced import Coalesced
from tapelog_notify.application.fanout import MAILBOX_MAX, Fanout, FanoutReader
from tapelog_notify.application.projector import Projector
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.errors import CursorAhead
from tapelog_notify.testing import TENANT, Recorder


@pytest.fixture
async def fanout(broker: Broker) -> AsyncIterator[Fanout]:
    """Run a fan-out, and the projector that feeds it."""
    connection = await broker.connect("notify")
    made = Fanout(JetStreamPublicEvents(connection))
    projector = Projector(JetStreamEventLog(connection), JetStreamPublicStream(connection), ("session",))
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(made.run()), group.create_task(projector.run())]
        yield made
        for task in running:
            task.cancel()


@asynccontextmanager
async def follower(
    fanout: Fanout, *, songs: tuple[str, ...] = (), after_position: int = 0
) -> AsyncIterator[FanoutReader]:
    """Follow."""
    async with fanout.reader(TENANT, EventFilter(songs=songs), after_position=after_position) as reader:
        yield reader


async def take(reader: FanoutReader, count: int) -> list[str]:
    """Read so many events, interrupted as heartbeats interrupt."""
    found: list[str] = []
    rng = random.Random(count)
    async with asyncio.timeout(30.0):
        while len(found) < count:
            try:
                async with asyncio.timeout(rng.choice([0.0, 0.0005, 0.05, 5.0])):
                    event = await anext(reader)
            except TimeoutError:
                continue
            found.append(event.id)
    return found


async def test_a_stream_that_went_back_ends_every_follower(broker: Broker, recorder: Recorder) -> None:
    """The public stream is lost and made anew: who had read further is told so and not left waiting for ever."""
    connection, admin = await broker.connect("notify"), await broker.connect("admin")
    fanout = Fanout(JetStreamPublicEvents(connection))
    projector = Projector(JetStreamEventLog(connection), JetStreamPublicStream(connection), ("session",))
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(fanout.run()), group.create_task(projector.run())]
        async with follower(fanout) as one, follower(fanout) as two:
            for _ in range(3):
                await recorder.append()
            assert len(await take(one, 3)) == len(await take(two, 3)) == 3
            running[1].cancel()
            config = (await api.request(admin, f"STREAM.INFO.{PUB}"))["config"]
            await api.request(admin, f"STREAM.DELETE.{PUB}")
            await api.request(admin, f"STREAM.CREATE.{PUB}", config)
            for reader in (one, two):
                with pytest.raises(CursorAhead, match="restored"):
                    await take(reader, 1)
        running[0].cancel()


async def test_one_who_falls_behind_reads_on_without_gap_or_repeat(fanout: Fanout, recorder: Recorder) -> None:
    """More events than a mailbox holds pass while nothing is read; the others are not held up."""
    count = 2 * MAILBOX_MAX + 50
    async with follower(fanout) as slow, follower(fanout) as quick:
        await recorder.append()
        first = await take(slow, 1)
        for _ in range(count // 50):
            await recorder.append(count=50)
        wanted = [event.event_id for event in recorder.appended]
        assert await take(quick, len(wanted)) == wanted
        assert first + await take(slow, len(wanted) - 1) == wanted
        assert await slow.settled_position() == len(wanted)


async def test_followers_come_and_go_while_events_pass(fanout: Fanout, recorder: Recorder) -> None:
    """Whoever comes in the middle, from whatever position, with a filter or none, gets each event once, in order."""
    songs = ["sng-1", "sng-2", "sng-3"]
    total = 120
    rng = random.Random(5)

    async def follow(song: str | None, start: int) -> None:
        await asyncio.sleep(rng.uniform(0.0, 0.2))
        async with follower(fanout, songs=(song,) if song else (), after_position=start) as reader:
            found = []
            async with asyncio.timeout(30.0):
                while len(found) < (total - start if song is None else total // len(songs)):
                    event = await anext(reader)
                    found.append((event.position, event.song))
        positions = [position for position, _ in found]
        assert positions == sorted(set(positions))
        assert song is None or {name for _, name in found} == {song}
        assert song is not None or positions == list(range(start + 1, total + 1))

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(follow(None, number))
            group.create_task(follow(songs[number % 3], 0))
        for number in range(total):
            await recorder.append(songs[number % 3])


async def test_nobody_follows_nothing_is_read(fanout: Fanout, broker: Broker, recorder: Recorder) -> None:
    """With the first follower one consumer comes for all, with the last it goes; the next one begins anew."""
    admin = await broker.connect("admin")

    async def readers() -> int:
        answer = await api.request(admin, "CONSUMER.LIST.PUB")
        return sum(1 for item in answer["consumers"] or () if item["num_waiting"])

    async def is_quiet() -> bool:
        return await readers() == 0

    async def is_one() -> bool:
        return await readers() == 1

    assert await is_quiet()
    for number in range(1, 3):
        async with (
            follower(fanout, after_position=number - 1) as one,
            follower(fanout, after_position=number - 1) as two,
        ):
            (event,) = await recorder.append()
            assert await take(one, 1) == await take(two, 1) == [event.event_id]
            await eventually(is_one)
        await eventually(is_quiet)


async def test_a_follower_survives_the_broker(fanout: Fanout, broker: Broker, recorder: Recorder) -> None:
    """Killed while one follows and another one comes: both go on."""
    async with follower(fanout) as early:
        await recorder.append(count=5)
        await take(early, 5)
        await broker.kill()
        async with follower(fanout) as late:
            await recorder.append(count=5)
            wanted = [event.event_id for event in recorder.appended]
            assert await take(late, 10) == wanted
        assert await take(early, 5) == wanted[5:]


async def test_a_shared_answer_is_never_older_than_the_question() -> None:
    """Ten who ask at once share an answer; one who asks while it is on its way gets the next one."""
    asked = 0
    gate = asyncio.Event()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        mine = asked
        await gate.wait()
        return mine

    question = Coalesced(ask)
    first = [asyncio.ensure_future(question()) for _ in range(10)]
    await eventually(lambda: asked == 1)
    second = [asyncio.ensure_future(question()) for _ in range(10)]
    first[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*first[1:]) == [1] * 9
    assert await asyncio.gather(*second) == [2] * 10
    assert asked == 2
