"""Event streams over gRPC: where they begin, what they let through, how they end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from tapelog.notify.v1 import notify_service_pb2_grpc
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.nats import api
from tapelog_chassis.rpc.testing_rpc import running_server
from tapelog_chassis.testing import Broker, eventually
from tapelog_notify.adapters.delivery_log import JetStreamDeliveryLog
from tapelog_notify.adapters.feeds import JetStreamFeeds
from tapelog_notify.adapters.follow import Follow
from tapelog_notify.adapters.grpc_service import NotifyService
from tapelog_notify.adapters.mail import SmtpMail
from tapelog_notify.adapters.nats_access import IdentityMint
from tapelog_notify.adapters.policies import POLICIES, SERVICE
from tapelog_notify.adapters.public_stream import JetStreamPublicEvents
from tapelog_notify.adapters.secrets import JetStreamSecrets, SecretKey
from tapelog_notify.adapters.webhook_client import WebhookClient
from tapelog_notify.application.desk import Desk
from tapelog_notify.application.fanout import Fanout
from tapelog_notify.testing import NotifyClient, Recorder, read_events


async def read_to_the_end(call: Any) -> tuple[list[Any], grpc.aio.AioRpcError]:
    """Read events until the call is refused; return both."""
    found: list[Any] = []
    try:
        async with asyncio.timeout(20.0):
            while (response := await call.read()) is not grpc.aio.EOF:
                found += [response.event] if response.HasField("event") else []
    except grpc.aio.AioRpcError as error:
        return found, error
    raise AssertionError("the stream ended well")


async def refused(call: Any) -> grpc.aio.AioRpcError:
    """Return why the call is refused."""
    return (await read_to_the_end(call))[1]


async def first_heartbeat(call: Any) -> int:
    """Read the sign of life that a stream begins with."""
    response = await call.read()
    assert response.HasField("heartbeat")
    return int(response.heartbeat.position)


async def test_a_stream_from_now_gets_what_comes(notify: NotifyClient, recorder: Recorder) -> None:
    """Without a start, a stream begins with the next event and carries every attribute of it."""
    await recorder.append(count=3)
    call = notify.subscribe()
    await eventually_published(notify, 3)
    position = await first_heartbeat(call)
    (event,) = await recorder.append("sng-2", context="render", data=b"\x0a\x01x")
    found = (await read_events(call, 4 - position))[-1]
    call.cancel()
    assert (found.id, found.type, found.sequence, found.position) == (event.event_id, event.type, 1, 4)
    assert (found.tenant, found.project, found.song, found.aggregate) == ("acme", "prj-1", "sng-2", "sng-2")
    assert (found.actor, found.role_used, found.source) == ("pty-ana", "MIXING_ENGINEER", "/tapelog/render")
    assert found.time.ToDatetime(UTC) == event.time
    assert found.data.type_url == "type.googleapis.com/tapelog.session.v1.TrackDefined"
    assert found.data.value == b"\x0a\x01x"


async def eventually_published(notify: NotifyClient, count: int) -> None:
    """Wait until so many events are public."""
    call = notify.subscribe(0)
    await read_events(call, count)
    call.cancel()


async def test_a_stream_from_a_position_repeats_and_skips_nothing(notify: NotifyClient, recorder: Recorder) -> None:
    """From position 0 come all events, from position n the ones behind it, and after them those that follow."""
    await recorder.append(count=20)
    whole = notify.subscribe(0)
    ids = [event.id for event in await read_events(whole, 20)]
    assert ids == [event.event_id for event in recorder.appended]
    part = notify.subscribe(12)
    await recorder.append(count=5)
    rest = await read_events(part, 13)
    assert [event.position for event in rest] == list(range(13, 26))
    assert [event.id for event in rest] == [event.event_id for event in recorder.appended][12:]


async def test_a_stream_from_a_time_begins_with_the_first_event_of_that_time(
    notify: NotifyClient, recorder: Recorder
) -> None:
    """Only the time an event was recorded counts, to the microsecond."""
    base = datetime.now(UTC)
    for number in range(10):
        await recorder.append(time=base + timedelta(milliseconds=number))
    await eventually_published(notify, 10)
    call = notify.subscribe(time=base + timedelta(milliseconds=4))
    (first,) = await read_events(call, 1)
    assert first.id == recorder.appended[4].event_id
    late = notify.subscribe(time=base + timedelta(milliseconds=4, microseconds=1))
    (second,) = await read_events(late, 1)
    assert second.id == recorder.appended[5].event_id


@pytest.mark.parametrize(
    ("position", "code", "what"),
    [
        (99, grpc.StatusCode.DATA_LOSS, "which ends at 2: if it was once, the stream was restored"),
        (-1, grpc.StatusCode.OUT_OF_RANGE, "which has 1 to 2"),
    ],
)
async def test_a_position_that_is_not_in_the_stream_is_refused(
    notify: NotifyClient, recorder: Recorder, position: int, code: grpc.StatusCode, what: str
) -> None:
    """A cursor behind the end is of a stream that is lost, in part or whole; one that never was is a mistake."""
    await recorder.append(count=2)
    await eventually_published(notify, 2)
    error = await refused(notify.subscribe(position))
    assert error.code() is code
    assert f"position {position} is not in the stream, {what}" in (error.details() or "")


async def test_an_expired_position_is_out_of_range(notify: NotifyClient, broker: Broker, recorder: Recorder) -> None:
    """A cursor behind which events were removed is refused, never skipped in silence; 0 begins with what is left."""
    await recorder.append(count=6)
    await eventually_published(notify, 6)
    admin = await broker.connect("admin")
    await api.request(admin, "STREAM.PURGE.PUB", {"seq": 5})
    assert (await refused(notify.subscribe(2))).code() is grpc.StatusCode.OUT_OF_RANGE
    assert [event.position for event in await read_events(notify.subscribe(4), 2)] == [5, 6]
    assert [event.position for event in await read_events(notify.subscribe(0), 2)] == [5, 6]


async def test_filters_let_through_what_they_say(notify: NotifyClient, recorder: Recorder) -> None:
    """Projects, songs and type patterns each narrow the stream."""
    await recorder.append("sng-1", project="prj-1")
    await recorder.append("sng-2", project="prj-1")
    await recorder.append("sng-3", project="prj-2")
    stage = await recorder.advance_stage("sng-1", project="prj-1")
    last = await recorder.advance_stage("sng-2", project="prj-1")

    async def ids(count: int, **filters: Any) -> list[str]:
        call = notify.subscribe(0, **filters)
        found = [event.id for event in await read_events(call, count)]
        call.cancel()
        return found

    one, two, three = [event.event_id for event in recorder.appended[:3]]
    assert await ids(3, projects=["prj-2", "prj-1"], songs=["sng-1", "sng-3"]) == [one, three, stage.event_id]
    assert await ids(2, types=["tapelog.song.stage_*"]) == [stage.event_id, last.event_id]
    assert await ids(2, types=["tapelog.song.track_defined.v1"], projects=["prj-1"]) == [one, two]
    assert await ids(1, songs=["projects/prj-1/songs/sng-2"], types=["tapelog.song.stage_*"]) == [last.event_id]


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"types": ["tapelog.song.stag_*"]}, "no event type matches"),
        ({"types": ["*stage*"]}, "neither a full type"),
        ({"songs": ["Sng_1"]}, "is not an id"),
        ({"projects": ["p"] * 33}, "the limit is 32"),
    ],
)
async def test_a_wrong_filter_is_refused_with_its_field(
    notify: NotifyClient, filters: dict[str, list[str]], reason: str
) -> None:
    """A filter that could never match is an error and not a silent stream."""
    error = await refused(notify.subscribe(0, **filters))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in (error.details() or "")


async def test_a_tenant_sees_nothing_of_another(notify: NotifyClient, recorder: Recorder) -> None:
    """With equal ids in two tenants, each stream has its own tenant's events alone."""
    for tenant in ("acme", "zeta", "acme", "zeta"):
        await recorder.append("sng-1", tenant=tenant)
    call = notify.subscribe(0, caller=notify.caller(tenant="zeta"))
    found = await read_events(call, 2)
    assert {event.tenant for event in found} == {"zeta"}
    assert [event.sequence for event in found] == [1, 2]


@pytest.mark.parametrize(
    ("who", "types", "code"),
    [
        ({"tenant_roles": ["AUDITOR"]}, [], None),
        ({"tenant_roles": ["ADMIN"]}, [], None),
        ({"tenant_roles": ["INTEGRATION"], "kind": "integration"}, [], None),
        ({"kind": "service"}, [], None),
        ({}, [], grpc.StatusCode.PERMISSION_DENIED),
        ({"tenant_roles": ["BILLING_READER"]}, ["tapelog.usage_account.*", "tapelog.song.stage_*"], None),
        ({"tenant_roles": ["BILLING_READER"]}, [], grpc.StatusCode.PERMISSION_DENIED),
        ({"tenant_roles": ["BILLING_READER"]}, ["tapelog.song.*"], grpc.StatusCode.PERMISSION_DENIED),
    ],
)
async def test_who_may_follow_what(
    notify: NotifyClient, recorder: Recorder, who: dict[str, Any], types: list[str], code: Any
) -> None:
    """All events need a reading role in the tenant; a billing reader gets usage and stages, and is told so."""
    await recorder.advance_stage()
    call = notify.subscribe(0, types=types, caller=notify.tokens.metadata("ana", **who))
    if code is None:
        assert len(await read_events(call, 1)) == 1
    else:
        assert (await refused(call)).code() is code


@asynccontextmanager
async def hasty(broker: Broker, tmp_path: Path, limits: Follow) -> AsyncIterator[NotifyClient]:
    """Serve streams with other times than usual; subscriptions are not needed."""
    connection = await broker.connect("notify")
    clock = SystemClock()
    async with WebhookClient(allow_loopback=True, clock=clock) as webhooks:
        desk = Desk(
            repository=None,  # type: ignore[arg-type]  # no subscription is touched
            registry=None,  # type: ignore[arg-type]  # the same
            feeds=JetStreamFeeds(connection),
            secrets=JetStreamSecrets(connection, SecretKey.open(tmp_path / "key")),
            webhooks=webhooks,
            mail=SmtpMail(None),
            public=JetStreamPublicEvents(connection),
            deliveries=JetStreamDeliveryLog(connection),
            access=IdentityMint(None, url=broker.url),
            clock=clock,
        )
        add = notify_service_pb2_grpc.add_NotifyServiceServicer_to_server
        fanout = Fanout(desk.public)
        services = [(add, NotifyService(desk, None, fanout, limits), SERVICE)]
        async with (
            asyncio.TaskGroup() as group,
            running_server(services, policies=POLICIES, audience="notify") as server,
        ):
            running = group.create_task(fanout.run())
            yield NotifyClient(server.server.address, server.channel, server.tokens)
            running.cancel()


async def test_heartbeats_carry_a_cursor_that_moves_on(
    broker: Broker, tmp_path: Path, notify: NotifyClient, recorder: Recorder
) -> None:
    """Events that do not match move the cursor of the heartbeats, so that a resume does not read them again."""
    async with hasty(broker, tmp_path, Follow(heartbeat_s=0.1)) as client:
        call = client.subscribe(0, types=["tapelog.song.stage_*"])
        assert await first_heartbeat(call) == 0
        await recorder.append(count=7)

        async def has_moved() -> bool:
            response = await call.read()
            return bool(response.heartbeat.position == 7)

        await eventually(has_moved)
        event = await recorder.advance_stage()
        (found,) = await read_events(call, 1)
        assert (found.id, found.position) == (event.event_id, 8)


async def test_a_reader_that_stops_reading_is_closed_with_its_cursor(
    broker: Broker, tmp_path: Path, notify: NotifyClient, recorder: Recorder
) -> None:
    """A slow reader is ended with RESOURCE_EXHAUSTED; going on from the last position it loses nothing."""
    for _ in range(40):
        await recorder.append(data=bytes(200_000))
    async with hasty(broker, tmp_path, Follow(slow_reader_s=0.5)) as client:
        call = client.subscribe(0)
        seen = [event.position for event in await read_events(call, 1)]
        public = JetStreamPublicEvents(await broker.connect("notify"))

        async def is_published() -> bool:
            return (await public.bounds()).last == 40

        await eventually(is_published)
        await asyncio.sleep(1.5)  # the time that the reader does not read is what is tested
        found, error = await read_to_the_end(call)
        seen += [event.position for event in found]
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "READER_TOO_SLOW" in str(error.trailing_metadata())
        assert len(seen) < 40
        rest = await read_events(client.subscribe(seen[-1]), 40 - len(seen))
    assert seen + [event.position for event in rest] == list(range(1, 41))


async def test_a_cancelled_stream_leaves_nothing_behind(
    notify: NotifyClient, broker: Broker, recorder: Recorder
) -> None:
    """When the caller cancels, the handler ends at once and the broker has no reader of it that still asks."""
    admin = await broker.connect("admin")

    async def waiting() -> int:
        answer = await api.request(admin, "CONSUMER.LIST.PUB")
        return sum(1 for item in answer["consumers"] if item["num_waiting"])

    before = await waiting()
    calls = [notify.subscribe(0) for _ in range(5)]
    await recorder.append()
    for call in calls:
        await read_events(call, 1)
    for call in calls:
        call.cancel()

    async def is_clean() -> bool:
        return await waiting() == before

    await eventually(is_clean)


async def test_a_stream_survives_kill_9_of_the_broker(notify: NotifyClient, broker: Broker, recorder: Recorder) -> None:
    """While the broker is killed and comes back, an open stream goes on without gap or repeat."""
    call = notify.subscribe(0)
    await recorder.append(count=10)
    found = await read_events(call, 10)
    await broker.kill()
    await recorder.append(count=10)
    found += await read_events(call, 10, within_s=30.0)
    assert [event.id for event in found] == [event.event_id for event in recorder.appended]
