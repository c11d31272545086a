"""kill -9 of the service and the broker while webhooks flow: everything due arrives, repeats have the same id."""

import asyncio
import random
import signal
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook
from tapelog_chassis.testing import Broker, eventually
from tapelog_notify.adapters.public_stream import JetStreamPublicEvents
from tapelog_notify.testing import NotifyProcess, Recorder, running_notify, settings_for
from tapelog_notify.testing_endpoint import Receiver, Reply

from tests.faults.harness.battery import Row


async def survive_kills(broker: Broker, recorder: Recorder, data_dir: Path, *, kills: int, broker_kills: int) -> None:
    """Kill the service at random moments of deliveries; one endpoint is slow, the other fails now and then."""
    rng = random.Random(kills)
    settings = settings_for(broker, data_dir, webhook_schedule_s=(0.0, *[0.2] * 19))
    async with (
        Receiver(usual=Reply(delay_s=0.02)) as slow,
        Receiver(*[Reply(500)] * 2) as ill,
        NotifyProcess(settings) as process,
    ):
        async with running_notify(settings) as notify:
            created = [await notify.create(receiver.url, types=["tapelog.song.*"]) for receiver in (slow, ill)]
        for number in range(kills):
            await recorder.append(f"sng-{number % 3}", count=10)
            before = len(slow.accepted)
            await process.start()
            await eventually(lambda before=before: len(slow.accepted) > before, within_s=30.0)
            await asyncio.sleep(rng.uniform(0.0, 0.15))
            if number < broker_kills:
                await broker.kill()
            await process.stop()
        await process.start()
        wanted = [event.event_id for event in recorder.appended]
        for receiver, answer in zip((slow, ill), created, strict=True):
            await eventually(
                lambda receiver=receiver: set(receiver.accepted_ids) == set(wanted), within_s=60.0, every_s=0.05
            )
            assert list(dict.fromkeys(receiver.accepted_ids)) == wanted
            verifier = Webhook(answer.secret)
            bodies: dict[str, bytes] = {}
            for item in receiver.received:
                verifier.verify(item.body, item.headers)
                assert bodies.setdefault(item.event_id, item.body) == item.body


async def test_a_kill_of_the_service_loses_no_delivery(broker: Broker, recorder: Recorder, tmp_path: Path) -> None:
    """One kill: each event arrives at both endpoints, in order, repeats byte for byte the same."""
    await survive_kills(broker, recorder, tmp_path, kills=1, broker_kills=0)


@pytest.mark.faults
async def test_many_kills_of_service_and_broker_lose_no_delivery(
    broker: Broker, recorder: Recorder, tmp_path: Path, row: Row
) -> None:
    """Eight kills of the service and three of the broker."""
    await survive_kills(broker, recorder, tmp_path, kills=8, broker_kills=3)
    row(
        "F05 webhooks",
        "notify killed 8 times, broker 3 times, while it delivers: each event at both endpoints, first times in order",
        f"{len(recorder.appended)} events due at each of 2, lost 0; repeats byte for byte the same",
    )


async def test_sigterm_ends_the_process_in_order(broker: Broker, recorder: Recorder, tmp_path: Path) -> None:
    """Told to stop, the process publishes and delivers no more and exits with 0."""
    public = JetStreamPublicEvents(await broker.connect("notify"))
    async with NotifyProcess(settings_for(broker, tmp_path)) as process:
        await recorder.append()
        await process.start()

        async def is_published() -> bool:
            return (await public.bounds()).last == 1

        await eventually(is_published, within_s=30.0)
        assert await process.stop(signal.SIGTERM) == 0
