"""The projector against a real broker: each event of each log once in the public stream, in order."""

import asyncio
import random
from collections import defaultdict
from pathlib import Path

import pytest
from tapelog_chassis.event_log import StoredEvent
from tapelog_chassis.nats import direct
from tapelog_chassis.testing import Broker, eventually
from tapelog_chassis.topology import CONTEXTS, PUB
from tapelog_notify.adapters.public_stream import JetStreamPublicStream
from tapelog_notify.application.ports import Outgoing
from tapelog_notify.application.projector import Projector
from tapelog_notify.errors import FenceLost
from tapelog_notify.testing import NotifyProcess, Recorder, settings_for

from tests.faults.harness.battery import Row


async def published(broker: Broker) -> list[direct.StoredMessage]:
    """Everything in the public stream, read as an administrator would."""
    admin = await broker.connect("admin")
    found: list[direct.StoredMessage] = []
    while True:
        after = found[-1].position if found else 0
        batch = await direct.get_batch(admin, PUB, "pub.>", after_position=after, timeout_s=5.0)
        found += batch.messages
        if not batch.pending:
            return found


def assert_exactly_once_in_order(messages: list[direct.StoredMessage], appended: list[StoredEvent]) -> None:
    """Compare the public stream with everything that was appended."""
    ids = [message.headers["ce-id"] for message in messages]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {event.event_id for event in appended}
    sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
    for message in messages:
        key = (message.headers["ce-source"], message.headers["ce-subject"])
        sequences[key].append(int(message.headers["ce-sequence"]))
    for found in sequences.values():
        assert found == list(range(1, len(found) + 1))


async def projecting(broker: Broker, group: asyncio.TaskGroup) -> asyncio.Task[None]:
    """Start a projector."""
    connection = await broker.connect("notify")
    log = await broker.log("notify")
    projector = Projector(log, JetStreamPublicStream(connection), CONTEXTS)
    return group.create_task(projector.run())


async def append_mixture(recorder: Recorder, rng: random.Random, count: int) -> None:
    """Append single events and bursts to several aggregates of three logs."""
    for _ in range(count):
        await recorder.append(
            f"sng-{rng.randrange(4)}",
            context=rng.choice(["session", "session", "render", "usage"]),
            count=rng.choice([1, 1, 1, 3, 12]),
            data=rng.randbytes(20),
        )


async def all_published(broker: Broker, recorder: Recorder, *, within_s: float = 30.0) -> None:
    """Wait until the public stream has come to the end of every log."""
    public = JetStreamPublicStream(await broker.connect("notify"))
    wanted = {event.aggregate.context: event.position for event in sorted(recorder.appended, key=lambda e: e.position)}

    async def is_there() -> bool:
        sources = (await public.end()).sources
        return all(sources.get(context, 0) >= position for context, position in wanted.items())

    await eventually(is_there, within_s=within_s, every_s=0.02)


async def test_every_event_of_every_log_is_published_once_in_order(broker: Broker, recorder: Recorder) -> None:
    """Events of three logs, single and in bursts, appended before and while the projector runs, arrive once."""
    rng = random.Random(1)
    await append_mixture(recorder, rng, 60)
    async with asyncio.TaskGroup() as group:
        task = await projecting(broker, group)
        await append_mixture(recorder, rng, 60)
        await all_published(broker, recorder)
        task.cancel()
    assert_exactly_once_in_order(await published(broker), recorder.appended)


async def test_a_backlog_is_merged_by_time(broker: Broker, recorder: Recorder) -> None:
    """Events of several logs that wait together are published in the order of their times."""
    for _ in range(40):
        await recorder.append("sng-1", context="session")
        await recorder.append("sng-1", context="render")
    async with asyncio.TaskGroup() as group:
        task = await projecting(broker, group)
        await all_published(broker, recorder)
        task.cancel()
    times = [message.headers["ce-time"] for message in await published(broker)]
    assert times == sorted(times)


async def test_a_new_projector_goes_on_where_the_last_one_was_cut(broker: Broker, recorder: Recorder) -> None:
    """Cancelled at a random moment and begun anew, ten times, the projector repeats and skips nothing."""
    rng = random.Random(2)
    for _ in range(10):
        async with asyncio.TaskGroup() as group:
            task = await projecting(broker, group)
            await append_mixture(recorder, rng, rng.randrange(1, 12))
            task.cancel()
    async with asyncio.TaskGroup() as group:
        task = await projecting(broker, group)
        await all_published(broker, recorder)
        task.cancel()
    assert_exactly_once_in_order(await published(broker), recorder.appended)


async def test_two_projectors_at_once_publish_each_event_once(broker: Broker, recorder: Recorder) -> None:
    """Of two projectors that both write, the fence lets one through; when it ends the other takes over."""
    rng = random.Random(3)
    async with asyncio.TaskGroup() as group:
        first, second = await projecting(broker, group), await projecting(broker, group)
        await append_mixture(recorder, rng, 60)
        await all_published(broker, recorder)
        first.cancel()
        await append_mixture(recorder, rng, 30)
        await all_published(broker, recorder)
        second.cancel()
    assert_exactly_once_in_order(await published(broker), recorder.appended)


@pytest.mark.parametrize("count", [1, 20])
async def test_a_write_behind_the_end_is_refused_whole(broker: Broker, recorder: Recorder, count: int) -> None:
    """A projector with an old idea of the stream's end writes nothing, neither one event nor a part of a batch."""
    public = JetStreamPublicStream(await broker.connect("notify"))
    (first,) = await recorder.append("sng-1")
    await public.publish(0, [Outgoing(first, {"session": 1})])
    later = await recorder.append("sng-1", count=count)
    with pytest.raises(FenceLost):
        await public.publish(0, [Outgoing(event, {"session": event.position}) for event in later])
    assert [message.headers["ce-id"] for message in await published(broker)] == [first.event_id]


async def test_what_a_public_message_carries(broker: Broker, recorder: Recorder) -> None:
    """A public message has the CloudEvents headers, the body and the filing of its event, and no internal header."""
    (event,) = await recorder.append("sng-7", project="prj-3", context="render", data=b"\x0a\x01x")
    async with asyncio.TaskGroup() as group:
        task = await projecting(broker, group)
        await all_published(broker, recorder)
        task.cancel()
    (message,) = await published(broker)
    assert message.subject == "pub.acme.prj-3.sng-7.song_track_defined"
    assert message.data == b"\x0a\x01x"
    ours = {name: value for name, value in message.headers.items() if name.lower().startswith(("ce-", "tl-"))}
    assert ours == {
        "ce-specversion": "1.0",
        "ce-id": event.event_id,
        "ce-type": "tapelog.song.track_defined.v1",
        "ce-source": "/tapelog/render",
        "ce-time": event.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "ce-subject": "sng-7",
        "ce-dataschema": "proto:tapelog.session.v1.TrackDefined",
        "ce-datacontenttype": "application/protobuf",
        "ce-sequence": "1",
        "ce-tenant": "acme",
        "tl-actor": "pty-ana",
        "tl-role-used": "MIXING_ENGINEER",
        "tl-project": "prj-3",
        "tl-song": "sng-7",
        "tl-source-position": "ES_SESSION=0,ES_RENDER=1,ES_USAGE=0,ES_NOTIFY=0",
    }
    assert message.headers["Nats-Msg-Id"] == event.event_id


async def survive_kills(broker: Broker, recorder: Recorder, data_dir: Path, *, kills: int, broker_kills: int) -> None:
    """Append while the service's process is killed again and again, the broker too."""
    rng = random.Random(kills)
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            await append_mixture(recorder, rng, 5)
            await asyncio.sleep(0.01)

    async def progress(beyond: int) -> int:
        public = JetStreamPublicStream(await broker.connect("notify"))

        async def has_moved() -> bool:
            return (await public.end()).position > beyond

        await eventually(has_moved, within_s=30.0, every_s=0.02)
        return (await public.end()).position

    async with NotifyProcess(settings_for(broker, data_dir)) as process:
        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            position = 0
            for number in range(kills):
                await process.start()
                position = await progress(position)
                if number < broker_kills:
                    await broker.kill()
                    position = await progress(position)
                await process.stop()
            stop.set()
        await process.start()
        await all_published(broker, recorder)
    assert_exactly_once_in_order(await published(broker), recorder.appended)


async def test_kill_9_of_the_process_and_of_the_broker_lose_and_repeat_nothing(
    broker: Broker, recorder: Recorder, tmp_path: Path
) -> None:
    """Two kills of the service and one of the broker under load: each event once, in order."""
    await survive_kills(broker, recorder, tmp_path, kills=2, broker_kills=1)


@pytest.mark.faults
async def test_many_kills_lose_and_repeat_nothing(broker: Broker, recorder: Recorder, tmp_path: Path, row: Row) -> None:
    """Eight kills of the service and three of the broker under load: each event once, in order."""
    await survive_kills(broker, recorder, tmp_path, kills=8, broker_kills=3)
    row(
        "F05 projector",
        "notify killed 8 times, broker 3 times, while it publishes: each event once, in order",
        f"{len(recorder.appended)} events, lost 0, dup 0, reorder 0",
    )
