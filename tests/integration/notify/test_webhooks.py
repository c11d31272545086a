"""Webhooks against real endpoints that fail in every way: order, retries, isolation, signatures."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from standardwebhooks.webhooks import Webhook
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import resources_pb2
from tapelog.session.v1 import events_pb2 as session
from tapelog_chassis.testing import Broker, eventually
from tapelog_notify.testing import NotifyClient, Recorder, read_events, running_notify, settings_for
from tapelog_notify.testing_endpoint import Receiver, Reply

SCHEDULE_S = (0.0, 0.1, 0.2, 0.3, 0.4)
TIMEOUT_S = 0.5


@pytest.fixture
async def quick(broker: Broker, tmp_path: Path) -> AsyncIterator[NotifyClient]:
    """Run the service with a schedule of tenths of seconds."""
    changes = {"webhook_schedule_s": SCHEDULE_S, "webhook_timeout_s": TIMEOUT_S}
    async with running_notify(settings_for(broker, tmp_path, **changes)) as client:
        yield client


async def paused(notify: NotifyClient, name: str) -> resources_pb2.Subscription:
    """Wait until a subscription is not active any more."""

    async def is_stopped() -> bool:
        state = (await notify.get(name)).state
        return state != resources_pb2.SUBSCRIPTION_STATE_ACTIVE

    await eventually(is_stopped, every_s=0.05)
    return await notify.get(name)


async def test_events_arrive_once_in_order_and_signed(notify: NotifyClient, recorder: Recorder) -> None:
    """A healthy endpoint gets every event in order; an independent implementation verifies each signature."""
    async with Receiver() as receiver:
        created = await notify.create(receiver.url)
        for _ in range(30):
            await recorder.append()
        await receiver.wait_for(31)
        verifier = Webhook(created.secret)
        bodies = [verifier.verify(item.body, item.headers) for item in receiver.accepted]
    assert [body["id"] for body in bodies] == receiver.accepted_ids
    # The first event is the subscription's own creation.
    assert receiver.accepted_ids[1:] == [event.event_id for event in recorder.appended]
    assert bodies[0]["type"] == "tapelog.subscription.subscription_created.v1"
    assert [int(body["position"]) for body in bodies] == list(range(1, 32))


async def test_the_body_is_a_cloud_event_with_its_data(notify: NotifyClient, recorder: Recorder) -> None:
    """The JSON data is the event's message, readable back into it; a secret of the caller's own signs it."""
    secret = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    message = session.SongCreated(song="sng-9", project="prj-1", title="Größe", sample_rate_hz=48000, bit_depth=24)
    async with Receiver() as receiver:
        created = await notify.create(receiver.url, types=["tapelog.song.*"], secret=secret)
        (event,) = await recorder.append(
            "sng-9",
            type_="tapelog.song.song_created.v1",
            schema="tapelog.session.v1.SongCreated",
            data=message.SerializeToString(),
        )
        await receiver.wait_for(1)
        (item,) = receiver.received
    assert created.secret == secret
    body = Webhook(secret).verify(item.body, item.headers)
    data = body.pop("data")
    assert json_format.ParseDict(data, session.SongCreated()) == message
    assert body == {
        "specversion": "1.0",
        "id": event.event_id,
        "type": "tapelog.song.song_created.v1",
        "source": "/tapelog/session",
        "subject": "sng-9",
        "time": event.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "dataschema": "proto:tapelog.session.v1.SongCreated",
        "datacontenttype": "application/json",
        "sequence": "1",
        "position": "2",
        "tenant": "acme",
        "project": "prj-1",
        "song": "sng-9",
        "actor": "pty-ana",
        "roleused": "MIXING_ENGINEER",
        "resource": "tapelog:projects/prj-1/songs/sng-9",
        "dataref": "tapelog:events/2",
    }
    assert item.headers["content-type"].startswith("application/cloudevents+json")


async def test_a_large_event_is_sent_thin(notify: NotifyClient, recorder: Recorder) -> None:
    """An event whose JSON would reach 20 kB arrives with a reference to read it by, in place of its data."""
    data = session.SongCreated(title="x" * 25_000).SerializeToString()
    async with Receiver() as receiver:
        await notify.create(receiver.url, types=["tapelog.song.*"])
        await recorder.append(type_="tapelog.song.song_created.v1", schema="tapelog.session.v1.SongCreated", data=data)
        await receiver.wait_for(1)
        body = json.loads(receiver.received[0].body)
    assert "data" not in body
    assert len(receiver.received[0].body) < 1000
    (event,) = await read_events(notify.subscribe(int(body["dataref"].rpartition("/")[2]) - 1), 1)
    assert event.data.value == data


FAILURES = {
    "500": Reply(500),
    "404": Reply(404),
    "redirect": Reply(302, headers={"location": "/elsewhere"}),
    "429": Reply(429),
    "hang": Reply(200, delay_s=5.0),
    "reset": Reply(reset=True),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_is_retried_with_the_same_id_and_nothing_overtakes(
    quick: NotifyClient, recorder: Recorder, failure: Reply
) -> None:
    """Two failures, then success: the event keeps its id, gets new timestamps, and the next one waits for it."""
    async with Receiver(failure, failure) as receiver:
        created = await quick.create(receiver.url, types=["tapelog.song.*"])
        first, second = [await recorder.append(), await recorder.append()]
        await receiver.wait_for(2)
        order = [item.event_id for item in receiver.received]
        assert order == [first[0].event_id] * 3 + [second[0].event_id]
        assert {item.path for item in receiver.received} == {"/hook"}
        for item in receiver.received:
            Webhook(created.secret).verify(item.body, item.headers)
        times = [item.time_s for item in receiver.received[:3]]
        assert times[1] - times[0] >= SCHEDULE_S[1]
        assert times[2] - times[1] >= SCHEDULE_S[2]
        assert len({item.body for item in receiver.received[:3]}) == 1
        attempts = await quick.deliveries(created.subscription.name)
    assert [(item.attempt, bool(item.error)) for item in attempts] == [(1, False), (3, False), (2, True), (1, True)]
    assert attempts[-1].HasField("next_attempt_time")
    assert not attempts[0].HasField("next_attempt_time")


async def test_retry_after_is_honoured(quick: NotifyClient, recorder: Recorder) -> None:
    """An endpoint that says 429 and Retry-After is left alone for as long as it asked."""
    async with Receiver(Reply(429, headers={"retry-after": "1"})) as receiver:
        await quick.create(receiver.url, types=["tapelog.song.*"])
        await recorder.append()
        await receiver.wait_for(1)
        first, second = receiver.received
    assert second.time_s - first.time_s >= 1.0
    assert second.event_id == first.event_id


async def test_410_disables_and_resume_delivers_what_waited(quick: NotifyClient, recorder: Recorder) -> None:
    """An endpoint that is gone is not called again; once resumed it gets the event that found it gone."""
    async with Receiver(Reply(410)) as receiver:
        created = await quick.create(receiver.url, types=["tapelog.song.*"])
        name = created.subscription.name
        (event,) = await recorder.append()
        stopped = await paused(quick, name)
        assert stopped.state == resources_pb2.SUBSCRIPTION_STATE_DISABLED
        assert "410" in stopped.last_error
        await recorder.append()
        assert len(receiver.received) == 1
        request = pb.ResumeSubscriptionRequest(name=name, request_id="4b8f0f6e-54d5-4c0e-9be1-2a9a11f5a111")
        resumed = await quick.stub.ResumeSubscription(request, metadata=quick.caller())
        assert resumed.state == resources_pb2.SUBSCRIPTION_STATE_ACTIVE
        await receiver.wait_for(2)
        assert receiver.accepted_ids[0] == event.event_id
        (disabled,) = [
            item
            for item in await read_events(quick.subscribe(0, types=["tapelog.subscription.*"]), 2)
            if item.type == "tapelog.subscription.subscription_disabled.v1"
        ]
    assert disabled.actor == "svc-notify"


async def test_exhausted_attempts_pause_and_lose_nothing(quick: NotifyClient, recorder: Recorder) -> None:
    """When the schedule is used up the subscription pauses; resumed, it begins with the event that failed."""
    async with Receiver(usual=Reply(500)) as receiver:
        created = await quick.create(receiver.url, types=["tapelog.song.*"])
        name = created.subscription.name
        (event,) = await recorder.append()
        await recorder.append()
        stopped = await paused(quick, name)
        assert stopped.state == resources_pb2.SUBSCRIPTION_STATE_PAUSED
        assert [item.event_id for item in receiver.received] == [event.event_id] * len(SCHEDULE_S)
        receiver.usual = Reply()
        request = pb.ResumeSubscriptionRequest(name=name, request_id="4b8f0f6e-54d5-4c0e-9be1-2a9a11f5a222")
        await quick.stub.ResumeSubscription(request, metadata=quick.caller())
        await receiver.wait_for(2)
        assert receiver.accepted_ids == [item.event_id for item in recorder.appended]
        assert (await quick.get(name)).delivered_position >= 3


async def test_a_subscriber_that_was_down_catches_up_in_order(quick: NotifyClient, recorder: Recorder) -> None:
    """Fifty events pass while one endpoint is down; it gets each of them, in order, with the ids the other saw."""
    changes = [Reply(503)] * 3
    async with Receiver(*changes) as billing, Receiver() as alerts:
        for receiver in (billing, alerts):
            await quick.create(receiver.url, types=["tapelog.song.*"])
        for _ in range(50):
            await recorder.append()
        await alerts.wait_for(50)
        await billing.wait_for(50)
        assert billing.accepted_ids == alerts.accepted_ids == [event.event_id for event in recorder.appended]


async def test_a_failing_endpoint_delays_no_other(notify: NotifyClient, recorder: Recorder) -> None:
    """While endpoints hang, refuse or answer 500, a healthy one gets its events before a call to them times out."""
    async with Receiver(usual=Reply(delay_s=600.0)) as dead, Receiver(usual=Reply(500)) as ill, Receiver() as healthy:
        urls = [dead.url] * 5 + [ill.url] * 5 + ["http://127.0.0.1:9/closed"] * 5
        for url in urls:
            await notify.create(url, types=["tapelog.song.*"])
        await notify.create(healthy.url, types=["tapelog.song.*"])
        for _ in range(20):
            await recorder.append()
        await healthy.wait_for(20, within_s=5.0)
        assert healthy.accepted_ids == [event.event_id for event in recorder.appended]
        await eventually(lambda: len(dead.received) == 5 and len(ill.received) == 5)


async def test_a_huge_answer_is_cut(notify: NotifyClient, recorder: Recorder) -> None:
    """An answer of 50 MB with a good status counts as accepted, and is not read to its end."""
    async with Receiver(Reply(200, body_bytes=50_000_000)) as receiver:
        created = await notify.create(receiver.url, types=["tapelog.song.*"])
        await recorder.append()
        await recorder.append()
        await receiver.wait_for(2)
        attempts = await notify.deliveries(created.subscription.name)
    assert [item.response_status for item in attempts] == [204, 200]


async def test_a_restart_of_the_service_goes_on_where_it_stopped(
    broker: Broker, recorder: Recorder, tmp_path: Path
) -> None:
    """A wait that was begun before a restart is kept over it, and the event is delivered once it is over."""
    settings = settings_for(broker, tmp_path, webhook_schedule_s=(0.0, 1.0, 1.0))
    async with Receiver(Reply(500)) as receiver:
        async with running_notify(settings) as first:
            created = await first.create(receiver.url, types=["tapelog.song.*"])
            await recorder.append()
            await eventually(lambda: len(receiver.received) == 1)
        await recorder.append()
        async with running_notify(settings) as second:
            await receiver.wait_for(2)
            await eventually(lambda: _has_logged(second, created.subscription.name, 3))
            attempts = await second.deliveries(created.subscription.name)
        waited_s = receiver.received[1].time_s - receiver.received[0].time_s
        assert waited_s >= 1.0
        assert receiver.accepted_ids == [event.event_id for event in recorder.appended]
        verifier = Webhook(created.secret)
        for item in receiver.received:
            verifier.verify(item.body, item.headers)
    # The log is kept over the restart, newest first.
    assert [item.attempt for item in attempts] == [1, 2, 1]


async def _has_logged(notify: NotifyClient, name: str, count: int) -> bool:
    return len(await notify.deliveries(name)) >= count


async def test_the_broker_is_killed_while_webhooks_flow(
    quick: NotifyClient, broker: Broker, recorder: Recorder
) -> None:
    """After kill -9 of the broker every event arrives, in order; repeats have the same id."""
    async with Receiver() as receiver:
        await quick.create(receiver.url, types=["tapelog.song.*"])
        for number in range(40):
            await recorder.append()
            if number == 20:
                await broker.kill()
        await eventually(lambda: set(receiver.accepted_ids) >= {e.event_id for e in recorder.appended}, within_s=40.0)
        firsts = list(dict.fromkeys(receiver.accepted_ids))
    assert firsts == [event.event_id for event in recorder.appended]


async def test_pause_holds_and_delete_ends_delivery(quick: NotifyClient, recorder: Recorder) -> None:
    """A paused webhook gets nothing until it is resumed; a deleted one never again."""
    async with Receiver() as receiver, Receiver() as other:
        created = await quick.create(receiver.url, types=["tapelog.song.*"])
        await quick.create(other.url, types=["tapelog.song.*"])
        name = created.subscription.name
        pause = pb.PauseSubscriptionRequest(
            name=name, reason="holiday", request_id="4b8f0f6e-54d5-4c0e-9be1-2a9a11f5a333", etag='"1"'
        )
        paused_ = await quick.stub.PauseSubscription(pause, metadata=quick.caller())
        assert (paused_.state, paused_.etag) == (resources_pb2.SUBSCRIPTION_STATE_PAUSED, '"2"')
        await recorder.append()
        await other.wait_for(1)
        assert receiver.received == []
        resume = pb.ResumeSubscriptionRequest(name=name, request_id="4b8f0f6e-54d5-4c0e-9be1-2a9a11f5a444")
        await quick.stub.ResumeSubscription(resume, metadata=quick.caller())
        await receiver.wait_for(1)
        delete = pb.DeleteSubscriptionRequest(name=name, request_id="4b8f0f6e-54d5-4c0e-9be1-2a9a11f5a555")
        await quick.stub.DeleteSubscription(delete, metadata=quick.caller())
        await recorder.append()
        await other.wait_for(2)
        assert len(receiver.received) == 1
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await quick.get(name)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_attempt_in_flight_is_brought_to_its_end_at_stop(
    broker: Broker, recorder: Recorder, tmp_path: Path
) -> None:
    """A stop while an endpoint is answering waits for the answer, so that the event is not sent twice."""
    settings = settings_for(broker, tmp_path)
    async with Receiver(Reply(delay_s=0.5)) as receiver:
        async with running_notify(settings) as first:
            await first.create(receiver.url, types=["tapelog.song.*"])
            await recorder.append()
            await eventually(lambda: len(receiver.received) == 1)
        async with running_notify(settings):
            await recorder.append()
            await receiver.wait_for(2)
            await asyncio.sleep(0)
        assert receiver.accepted_ids == [event.event_id for event in recorder.appended]
        assert len(receiver.received) == 2
