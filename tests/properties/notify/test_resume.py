"""However often a follower disconnects, and wherever: no event is missed, none comes twice."""

import asyncio
import random
from typing import Any

import grpc
from tapelog_notify.testing import NotifyClient, Recorder

FOLLOWERS = 6
EVENTS = 300


async def follow_with_breaks(notify: NotifyClient, rng: random.Random, count: int, **filters: Any) -> list[Any]:
    """Read `count` events over many streams, each cut after a random number of messages, resumed by its cursor."""
    found: list[Any] = []
    position = 0
    while len(found) < count:
        call = notify.subscribe(position, **filters)
        for _ in range(rng.randrange(1, 40)):
            response = await call.read()
            if response is grpc.aio.EOF:
                break
            if response.HasField("event"):
                found.append(response.event)
                position = response.event.position
            else:
                position = max(position, response.heartbeat.position)
            if len(found) >= count:
                break
        call.cancel()
    return found


async def test_random_disconnects_lose_and_repeat_nothing(notify: NotifyClient, recorder: Recorder) -> None:
    """Six followers with and without filters break off at random while 300 events are appended to four songs."""
    rng = random.Random(20260501)
    songs = [rng.choice(["sng-1", "sng-2", "sng-3", "sng-4"]) for _ in range(EVENTS)]

    async def write() -> None:
        for song in songs:
            await recorder.append(song, context=rng.choice(["session", "render"]))

    ones = songs.count("sng-1")
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(write())
        everything = [
            group.create_task(follow_with_breaks(notify, random.Random(seed), EVENTS)) for seed in range(FOLLOWERS // 2)
        ]
        filtered = [
            group.create_task(follow_with_breaks(notify, random.Random(seed), ones, songs=["sng-1"]))
            for seed in range(FOLLOWERS // 2)
        ]
    public_order = [event.id for event in everything[0].result()]
    assert sorted(public_order) == sorted(event.event_id for event in recorder.appended)
    for task in everything:
        assert [event.id for event in task.result()] == public_order
    of_song = {event.event_id for event in recorder.appended if event.metadata.song == "sng-1"}
    for task in filtered:
        assert [event.id for event in task.result()] == [id_ for id_ in public_order if id_ in of_song]
