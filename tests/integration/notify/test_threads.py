"""Invariant 18 over the wire: whoever follows the client thread sees nothing of internal notes, on any channel."""

import asyncio
import json
import uuid
from typing import Any

import grpc
import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import resources_pb2 as notify_res
from tapelog.session.v1 import events_pb2 as session
from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.event_log import StoredEvent
from tapelog_chassis.nats import Puller, connected
from tapelog_chassis.topology import MAX_MESSAGE_BYTES, PUB
from tapelog_client import Tapelog
from tapelog_client.tokens import StaticTokenSource
from tapelog_notify.domain.public_event import BODY_BYTES_MAX
from tapelog_notify.testing import NotifyClient, Recorder, read_events
from tapelog_notify.testing_endpoint import Receiver

CLIENT, INTERNAL = res.NOTE_THREAD_CLIENT, res.NOTE_THREAD_INTERNAL
SECRET = "the singer was drunk"


async def _talk(recorder: Recorder) -> list[StoredEvent]:
    """Append notes of both threads, all that can become of them, and other events; return what the label may see."""
    seen = []
    for thread in (INTERNAL, CLIENT, INTERNAL):
        text = SECRET if thread == INTERNAL else "louder"
        for message in (
            session.NoteAdded(note=res.Note(id="nt-1", text=text, thread=thread)),
            session.NoteReplied(note="nt-1", reply=res.NoteReply(text=text), thread=thread),
            session.NoteAddressed(note="nt-1", answer=text, thread=thread),
            session.NoteDeclined(note="nt-1", reason=text, thread=thread),
            session.NoteReopened(note="nt-1", reason=text, thread=thread),
            session.NoteVerified(note="nt-1", thread=thread),
            session.NotesCarriedOver(notes=[res.CarriedNote(note="nt-1")], thread=thread),
        ):
            (stored,) = await _append(recorder, message)
            if thread == CLIENT:
                seen.append(stored)
        seen.append(await recorder.advance_stage())
    # As an earlier version wrote it: without a thread.
    await _append(recorder, session.NoteAddressed(note="nt-1", answer=SECRET))
    seen.append(await recorder.advance_stage())
    return seen


async def _append(recorder: Recorder, message: Any) -> list[StoredEvent]:
    name = message.DESCRIPTOR.name
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    return await recorder.append(
        type_=f"tapelog.song.{snake}.v1", schema=message.DESCRIPTOR.full_name, data=message.SerializeToString()
    )


async def _subscribe(notify: NotifyClient, url: str = "") -> Any:
    wanted = notify_res.Subscription(
        filter=notify_res.EventFilter(projects=["prj-1"], thread=notify_res.EVENT_THREAD_CLIENT)
    )
    if url:
        wanted.webhook.url = url
    else:
        wanted.nats.SetInParent()
    request = pb.CreateSubscriptionRequest(subscription=wanted, request_id=str(uuid.uuid4()))
    created = await notify.stub.CreateSubscription(request, metadata=notify.caller())
    assert created.subscription.filter.thread == notify_res.EVENT_THREAD_CLIENT
    return created


async def test_the_client_thread_alone_on_all_three_channels(notify: NotifyClient, recorder: Recorder) -> None:
    """Webhook, gRPC stream and NATS consumer get the same events in order; no byte of an internal note is in any."""
    async with Receiver() as receiver:
        await _subscribe(notify, receiver.url)
        consumer = await _subscribe(notify)
        request = pb.SubscribeRequest(start=notify_res.StartPosition(after_position=0))
        request.filter.projects.append("prj-1")
        request.filter.thread = notify_res.EVENT_THREAD_CLIENT
        call = notify.stub.Subscribe(request, metadata=notify.caller())
        seen = [event.event_id for event in await _talk(recorder)]
        streamed = await read_events(call, len(seen))
        await receiver.wait_for(len(seen))
    pulled: dict[str, bytes] = {}
    async with (
        connected(
            consumer.nats_url, name="tool", creds=consumer.nats_credentials, inbox=consumer.nats_inbox_prefix
        ) as tool,
        asyncio.timeout(10.0),
        Puller(tool, PUB, consumer.subscription.nats.consumer) as puller,
    ):
        async for delivery in puller:
            pulled[delivery.headers["ce-id"]] = delivery.data
            await delivery.ack_sync()
            if len(pulled) == len(seen):
                break
    assert [event.id for event in streamed] == seen == receiver.accepted_ids == list(pulled)
    bodies = [item.body for item in receiver.accepted] + [event.data.value for event in streamed]
    assert not any(SECRET.encode() in body for body in [*bodies, *pulled.values()])


async def test_without_a_thread_everything_comes(notify: NotifyClient, recorder: Recorder) -> None:
    """Also what is on the client thread's subjects, and by type."""
    await _talk(recorder)
    call = notify.subscribe(0, types=["tapelog.song.note*"], projects=["prj-1"])
    sent = [event.event_id for event in recorder.appended if event.type.startswith("tapelog.song.note")]
    assert [event.id for event in await read_events(call, len(sent))] == sent


async def test_care_keeps_to_the_thread(notify: NotifyClient, recorder: Recorder) -> None:
    """Neither a redelivery nor a replay brings an internal note to a client subscription."""
    (internal,) = await _append(recorder, session.NoteAdded(note=res.Note(id="nt-1", text=SECRET, thread=INTERNAL)))
    (position,) = [event.position for event in await read_events(notify.subscribe(0), 1)]
    async with Receiver() as receiver:
        created = await _subscribe(notify, receiver.url)
        name = created.subscription.name
        request = pb.RedeliverEventRequest(name=name, position=position)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await notify.stub.RedeliverEvent(request, metadata=notify.caller())
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        replay = pb.ReplayEventsRequest(name=name, start=notify_res.StartPosition(after_position=0))
        async for _ in notify.stub.ReplayEvents(replay, metadata=notify.caller()):
            pass
        assert internal.event_id not in {item.event_id for item in receiver.received}


async def test_the_largest_event_is_a_small_body_with_links_that_lead_to_all_of_it(
    notify: NotifyClient, recorder: Recorder
) -> None:
    """An event as large as the log takes is announced under 20 kB; its link reads it whole, for its tenant alone."""
    proposed = session.MixVersionProposed(recipe=recipe_pb2.MixRecipe(), comment="x" * (MAX_MESSAGE_BYTES - 4096))
    async with Receiver() as receiver:
        await notify.create(receiver.url, types=["tapelog.song.mix_version_proposed.v1"])
        (stored,) = await _append(recorder, proposed)
        await receiver.wait_for(1)
        body = receiver.accepted[0].body
        told = json.loads(body)
    assert len(body) < BODY_BYTES_MAX
    assert "data" not in told
    assert told["resource"] == "tapelog:projects/prj-1/songs/sng-1"
    request = pb.GetEventRequest(name=told["dataref"])
    event = await notify.stub.GetEvent(request, metadata=notify.caller())
    assert (event.id, event.data.value) == (stored.event_id, proposed.SerializeToString())
    token = dict(notify.caller())["authorization"].removeprefix("Bearer ")
    async with Tapelog.connect(notify=notify.address, tokens=StaticTokenSource(token)) as api:
        assert await api.events.get(told["dataref"]) == event
        assert await api.events.end() >= event.position
    for caller, code in (
        (notify.caller(tenant="zeta"), grpc.StatusCode.NOT_FOUND),
        (notify.caller("BILLING_READER"), grpc.StatusCode.PERMISSION_DENIED),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await notify.stub.GetEvent(request, metadata=caller)
        assert caught.value.code() is code
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await notify.stub.GetEvent(pb.GetEventRequest(name="songs/1"), metadata=notify.caller())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
