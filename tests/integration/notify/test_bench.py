"""How fast events travel on this machine; the load and the services share its cores. `pytest -m bench -s`."""

import asyncio
import time
from pathlib import Path

import pytest
from tapelog.session.v1 import events_pb2 as session
from tapelog_chassis.testing import Broker
from tapelog_notify.testing import NotifyClient, Recorder, running_notify, settings_for
from tapelog_notify.testing_endpoint import Receiver

pytestmark = pytest.mark.bench
ROUNDS = 200
BACKLOG = 3000
SUBSCRIBERS = 100
EVENTS = 10


def tell(line: str) -> None:
    """Print a figure: a bench's output."""
    print(f"\n{line}")  # noqa: T201 - the figures are what it is run for


def shown(name: str, seconds: list[float]) -> str:
    """Write a distribution as one line."""
    ms = sorted(1e3 * value for value in seconds)
    return f"{name}: p50 {ms[len(ms) // 2]:.1f} ms, p99 {ms[int(0.99 * (len(ms) - 1))]:.1f} ms, n={len(ms)}"


async def test_append_to_webhook_and_to_stream(notify: NotifyClient, recorder: Recorder) -> None:
    """One event at a time on an idle system, from the call of append to its receipt."""
    async with Receiver() as receiver:
        await notify.create(receiver.url, types=["tapelog.song.*"])
        call = notify.subscribe(types=["tapelog.song.*"])
        await call.read()
        by_hook, by_stream = [], []
        for number in range(ROUNDS):
            began_s = time.monotonic()
            await recorder.append()
            response = await call.read()
            while not response.HasField("event"):
                response = await call.read()
            by_stream.append(time.monotonic() - began_s)
            await receiver.wait_for(number + 1)
            by_hook.append(receiver.accepted[-1].time_s - began_s)
        call.cancel()
    tell(shown("append to webhook", by_hook))
    tell(shown("append to gRPC stream", by_stream))
    assert sorted(by_hook)[ROUNDS // 2] < 0.25


async def test_the_projectors_throughput(broker: Broker, tmp_path: Path, recorder: Recorder) -> None:
    """A backlog of small events, from the start of the service to the last one at a follower."""
    for _ in range(BACKLOG // 100):
        await recorder.append(count=100)
    began_s = time.monotonic()
    async with running_notify(settings_for(broker, tmp_path)) as notify:
        call = notify.subscribe(0, types=["tapelog.song.*"])
        count = 0
        while count < BACKLOG:
            count += (await call.read()).HasField("event")
        took_s = time.monotonic() - began_s
        call.cancel()
    tell(f"projector and one follower: {BACKLOG / took_s:.0f} events/s with the start of the service, n={BACKLOG}")


async def test_a_hundred_followers_get_every_event_in_order(notify: NotifyClient, recorder: Recorder) -> None:
    """Each of a hundred streams on one song of its own: gaps, repeats and disorder are 0."""
    calls = [notify.subscribe(songs=[f"sng-{number}"]) for number in range(SUBSCRIBERS)]
    await asyncio.gather(*(call.read() for call in calls))
    sent: dict[str, float] = {}
    waits: list[float] = []

    async def read(call) -> list[str]:  # noqa: ANN001 - a stub's call has no public type
        found = []
        while len(found) < EVENTS:
            response = await call.read()
            if response.HasField("event"):
                text = session.TrackDefined.FromString(response.event.data.value).track.title
                waits.append(time.monotonic() - sent[text])
                found.append(text)
        return found

    readers = [asyncio.create_task(read(call)) for call in calls]
    for index in range(EVENTS):
        for number in range(SUBSCRIBERS):
            name = f"{number}/{index}"
            sent[name] = time.monotonic()
            data = session.TrackDefined(track={"title": name}).SerializeToString()
            await recorder.append(f"sng-{number}", data=data)
    async with asyncio.timeout(60.0):
        found = [await reader for reader in readers]
    for call in calls:
        call.cancel()
    assert found == [[f"{number}/{index}" for index in range(EVENTS)] for number in range(SUBSCRIBERS)]
    tell(shown(f"append to {SUBSCRIBERS} followers, each on its song", waits))
