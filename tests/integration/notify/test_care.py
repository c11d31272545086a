"""Care of a webhook: secrets replaced, tests, redeliveries, replays, dead letters, the log over a restart."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import resources_pb2 as res
from tapelog_chassis.testing import Broker, eventually
from tapelog_chassis.topology import PUB
from tapelog_notify.testing import NotifyClient, Recorder, running_notify, settings_for
from tapelog_notify.testing_endpoint import Received, Receiver, Reply

SCHEDULE_S = (0.0, 0.1, 0.1)


@pytest.fixture
async def quick(broker: Broker, tmp_path: Path) -> AsyncIterator[NotifyClient]:
    """Run the service with a schedule of tenths of seconds."""
    async with running_notify(settings_for(broker, tmp_path, webhook_schedule_s=SCHEDULE_S)) as client:
        yield client


async def rotate(notify: NotifyClient, name: str, *, overlap_s: int, request_id: str = "") -> pb.RotateSecretResponse:
    """Replace a secret."""
    request = pb.RotateSecretRequest(name=name, request_id=request_id or str(uuid.uuid4()))
    request.overlap.seconds = overlap_s
    response: pb.RotateSecretResponse = await notify.stub.RotateSecret(request, metadata=notify.caller())
    return response


def verifies(secret: str, received: Received) -> bool:
    """Ask the specification's own package whether a signature is good."""
    try:
        Webhook(secret).verify(received.body, received.headers)
    except WebhookVerificationError:
        return False
    return True


async def public_head(broker: Broker) -> int:
    """Return how many public events there are."""
    admin = await broker.connect("admin")
    return int((await admin.jetstream().stream_info(PUB)).state.last_seq)


async def test_while_a_secret_is_replaced_both_sign(notify: NotifyClient, recorder: Recorder) -> None:
    """In the overlap old and new secret verify each delivery; a replacement without overlap ends the old ones."""
    async with Receiver() as receiver:
        created = await notify.create(receiver.url, types=["tapelog.song.*"])
        name = created.subscription.name
        await recorder.append()
        await receiver.wait_for(1)
        rotated = await rotate(notify, name, overlap_s=3600)
        await recorder.append()
        await receiver.wait_for(2)
        last = await rotate(notify, name, overlap_s=0)
        await recorder.append()
        await receiver.wait_for(3)
    secrets = [created.secret, rotated.secret, last.secret]
    assert len(set(secrets)) == 3
    found = [[verifies(secret, received) for secret in secrets] for received in receiver.accepted]
    assert found == [[True, False, False], [True, True, False], [False, False, True]]


async def test_a_repeated_replacement_is_one(notify: NotifyClient, recorder: Recorder) -> None:
    """The same request gives the same secret; after a later replacement it gives none and undoes nothing."""
    async with Receiver() as receiver:
        name = (await notify.create(receiver.url, types=["tapelog.song.*"])).subscription.name
        first_id = str(uuid.uuid4())
        first = await rotate(notify, name, overlap_s=60, request_id=first_id)
        assert (await rotate(notify, name, overlap_s=60, request_id=first_id)).secret == first.secret
        second = await rotate(notify, name, overlap_s=0)
        assert (await rotate(notify, name, overlap_s=60, request_id=first_id)).secret == ""
        await recorder.append()
        await receiver.wait_for(1)
    assert [verifies(secret, receiver.accepted[0]) for secret in (first.secret, second.secret)] == [False, True]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rotate(notify, name, overlap_s=8 * 86400)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_test_delivery_is_signed_logged_and_no_event(notify: NotifyClient, broker: Broker) -> None:
    """Also a paused webhook can be tested; what became of it is the answer, and no event is made."""
    async with Receiver(Reply(500)) as receiver:
        created = await notify.create(receiver.url, types=["tapelog.song.*"])
        name = created.subscription.name
        pause = pb.PauseSubscriptionRequest(name=name, reason="set-up", request_id=str(uuid.uuid4()))
        await notify.stub.PauseSubscription(pause, metadata=notify.caller())
        await eventually(lambda: _at_least(broker, 2))
        request = pb.TestSubscriptionRequest(name=name)
        failed = await notify.stub.TestSubscription(request, metadata=notify.caller())
        passed = await notify.stub.TestSubscription(request, metadata=notify.caller())
        body = Webhook(created.secret).verify(receiver.accepted[0].body, receiver.accepted[0].headers)
        assert await public_head(broker) == 2
        logged = await notify.deliveries(name)
    assert (failed.response_status, failed.error, passed.response_status) == (500, "HTTP 500", 204)
    assert body["type"] == "tapelog.subscription.test_delivery.v1"
    assert body["data"]["subscription"] == name
    assert [item.kind for item in logged] == [res.DELIVERY_KIND_TEST] * 2
    assert all(item.latency_ms > 0 for item in logged)


async def _at_least(broker: Broker, count: int) -> bool:
    return await public_head(broker) >= count


async def test_one_event_is_delivered_again_with_its_id(notify: NotifyClient, recorder: Recorder) -> None:
    """A redelivery has the event's id and a signature of now; events of others, or beside the filter, are not found."""
    async with Receiver() as receiver:
        name = (await notify.create(receiver.url, types=["tapelog.song.*"])).subscription.name
        (event,) = await recorder.append()
        await recorder.append("sng-9", tenant="other")
        await receiver.wait_for(1)
        position = 2
        request = pb.RedeliverEventRequest(name=name, position=position)
        delivery = await notify.stub.RedeliverEvent(request, metadata=notify.caller())
        assert (delivery.event_id, delivery.kind) == (event.event_id, res.DELIVERY_KIND_REDELIVERY)
        assert receiver.accepted_ids == [event.event_id] * 2
        for wrong in (1, 3, 99, 0, -1):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await notify.stub.RedeliverEvent(
                    pb.RedeliverEventRequest(name=name, position=wrong), metadata=notify.caller()
                )
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert len(receiver.received) == 2


async def replayed(notify: NotifyClient, name: str, after: int, **more: object) -> list[pb.ReplayEventsResponse]:
    """Replay to the end."""
    request = pb.ReplayEventsRequest(name=name, **more)  # type: ignore[arg-type]
    request.start.after_position = after
    return [answer async for answer in notify.stub.ReplayEvents(request, metadata=notify.caller())]


async def test_a_range_is_replayed_in_order_and_makes_no_event(
    notify: NotifyClient, recorder: Recorder, broker: Broker
) -> None:
    """The same ids come again in the same order, of this tenant and filter alone; the stream has not grown."""
    async with Receiver() as receiver:
        name = (await notify.create(receiver.url, types=["tapelog.song.*"])).subscription.name
        events = [*await recorder.append(count=5), *await recorder.append("sng-2", count=5)]
        await recorder.append("sng-3", tenant="other", count=3)
        await receiver.wait_for(10)
        await eventually(lambda: _at_least(broker, 14))
        answers = await replayed(notify, name, 0)
        ids = [event.event_id for event in events]
        assert receiver.accepted_ids == ids * 2
        assert [answer.delivery.event_id for answer in answers] == [*ids, ""]
        assert answers[-1].position == 14
        assert await public_head(broker) == 14
        some = await replayed(notify, name, 3, end_position=8, filter=res.EventFilter(songs=["sng-2"]))
        assert [answer.delivery.event_id for answer in some] == [*ids[5:7], ""]
        stamps = [int(item.headers["webhook-timestamp"]) for item in receiver.received]
    assert stamps == sorted(stamps)


async def test_a_replay_stops_where_an_event_fails_and_resumes_there(notify: NotifyClient, recorder: Recorder) -> None:
    """Three failures end a replay with the place to resume after; from there nothing is missed."""
    async with Receiver() as receiver:
        name = (await notify.create(receiver.url, types=["tapelog.song.*"])).subscription.name
        events = await recorder.append(count=4)
        await receiver.wait_for(4)
        receiver.replies.extend([Reply(), Reply(500), Reply(), Reply(500), Reply(500), Reply(500)])
        answers = await replayed(notify, name, 1)
        assert [bool(answer.delivery.error) for answer in answers] == [False, True, False, True, True, True]
        rest = await replayed(notify, name, answers[-1].position)
        assert receiver.accepted_ids[4:] == [event.event_id for event in events]
    assert rest[-1].position == 5


async def test_unordered_gives_up_one_event_and_goes_on(quick: NotifyClient, recorder: Recorder) -> None:
    """An event that fails every time delays no other, becomes a dead letter, and leaves the list when redelivered."""
    async with Receiver() as receiver:
        created = await quick.create(receiver.url, types=["tapelog.song.*"], unordered=True)
        name = created.subscription.name
        assert created.subscription.webhook.unordered
        receiver.refused_songs = {"sng-bad"}
        (bad,) = await recorder.append("sng-bad")
        good = await recorder.append("sng-good", count=20)
        await receiver.wait_for(20)

        async def letters() -> list[res.DeadLetter]:
            request = pb.ListDeadLettersRequest(parent=name)
            return list((await quick.stub.ListDeadLetters(request, metadata=quick.caller())).dead_letters)

        async def is_buried() -> bool:
            return bool(await letters())

        await eventually(is_buried)
        (letter,) = await letters()
        assert (letter.event_id, letter.attempts, letter.error) == (bad.event_id, len(SCHEDULE_S), "HTTP 500")
        assert sorted(receiver.accepted_ids) == sorted(event.event_id for event in good)
        assert (await quick.get(name)).state == res.SUBSCRIPTION_STATE_ACTIVE
        receiver.refused_songs = set()
        request = pb.RedeliverEventRequest(name=name, position=letter.position)
        await quick.stub.RedeliverEvent(request, metadata=quick.caller())
        assert receiver.accepted_ids[-1] == bad.event_id
        assert await letters() == []


async def test_an_endpoint_that_fails_for_too_long_is_disabled_with_an_event(
    broker: Broker, tmp_path: Path, recorder: Recorder
) -> None:
    """Failing for the whole time switches it off, also over a restart; resumed, it begins anew."""
    changes = {"webhook_schedule_s": (0.0, *[0.2] * 19), "webhook_disable_after_s": 1.5}
    settings = settings_for(broker, tmp_path, **changes)
    async with Receiver(usual=Reply(500)) as receiver:
        async with running_notify(settings) as notify:
            name = (await notify.create(receiver.url, types=["tapelog.song.*"])).subscription.name
            await recorder.append()
            await eventually(lambda: len(receiver.received) >= 2)
        async with running_notify(settings) as notify:

            async def is_disabled() -> bool:
                return bool((await notify.get(name)).state == res.SUBSCRIPTION_STATE_DISABLED)

            await eventually(is_disabled)
            assert len(receiver.received) < 12
            attempts = await notify.deliveries(name)
            receiver.usual = Reply()
            request = pb.ResumeSubscriptionRequest(name=name, request_id=str(uuid.uuid4()))
            await notify.stub.ResumeSubscription(request, metadata=notify.caller())
            await receiver.wait_for(1)
    # The log of both processes is one log, newest first.
    assert [item.attempt for item in attempts] == list(range(len(attempts), 0, -1))
