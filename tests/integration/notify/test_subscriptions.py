"""Creating and keeping subscriptions: retries, secrets, permissions, NATS access, addresses that are refused."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import grpc
import nats.errors
import pytest
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import (
    notify_service_pb2_grpc,  # noqa: F401 - registers the service's descriptor
    resources_pb2,
)
from tapelog_chassis.nats import Puller, api, connected, direct
from tapelog_chassis.rpc.testing_rpc import assert_every_rpc_has_a_row
from tapelog_chassis.testing import Broker, eventually
from tapelog_chassis.topology import PUB, SECRETS
from tapelog_notify.adapters.policies import POLICIES, SERVICE
from tapelog_notify.domain.signature import parse_secret
from tapelog_notify.testing import NotifyClient, Recorder, running_notify, settings_for
from tapelog_notify.testing_endpoint import Receiver

URL = "http://127.0.0.1:9/hook"


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    """Return how a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_a_retried_creation_is_one_subscription_with_one_secret(notify: NotifyClient) -> None:
    """The same request_id gives the same subscription and secret; with another body it is refused."""
    request_id = str(uuid.uuid4())
    first = await notify.create(URL, request_id=request_id, title="billing")
    again = await notify.create(URL, request_id=request_id, title="billing")
    assert again == first
    error = await refusal(notify.create(URL, request_id=request_id, title="other"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    listed = await notify.stub.ListSubscriptions(pb.ListSubscriptionsRequest(), metadata=notify.caller())
    assert [item.name for item in listed.subscriptions] == [first.subscription.name]


async def test_concurrent_creations_with_one_request_id_agree(notify: NotifyClient) -> None:
    """Twenty equal requests at once make one subscription, and all are told the same secret."""
    request_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(notify.create(URL, request_id=request_id) for _ in range(20)))
    assert len({(answer.subscription.name, answer.secret) for answer in answers}) == 1


async def test_a_secret_is_in_no_event_and_not_readable_at_rest(
    notify: NotifyClient, broker: Broker, tmp_path: Path
) -> None:
    """Neither the event log, nor the public stream, nor the bucket, nor any file of the broker holds the secret."""
    created = await notify.create(URL)
    secret = parse_secret(created.secret)
    needles = (secret, created.secret.encode(), created.secret.removeprefix("whsec_").encode())
    admin = await broker.connect("admin")
    for stream, subject in (("ES_NOTIFY", "es.notify.>"), (PUB, "pub.>"), (SECRETS, "$KV.secrets.>")):

        async def has_messages(stream: str = stream, subject: str = subject) -> bool:
            return bool((await direct.get_batch(admin, stream, subject, timeout_s=5.0)).messages)

        await eventually(has_messages)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "nats").rglob("*") if path.is_file())
    assert created.subscription.name.removeprefix("subscriptions/").encode() in stored
    assert not any(needle in stored for needle in needles)
    key = tmp_path / "notify" / "secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    read = await notify.get(created.subscription.name)
    assert read.webhook.secret == ""


async def test_lists_are_in_pages_of_one_tenant_oldest_first(notify: NotifyClient) -> None:
    """Five subscriptions come in pages of two, in the order of creation; another tenant has its own."""
    names = [(await notify.create(URL, title=str(number))).subscription.name for number in range(5)]
    other = notify.caller(tenant="zeta")
    await notify.create(URL, caller=other)
    found, token = [], ""
    for size in (2, 2, 1):
        request = pb.ListSubscriptionsRequest(page_size=2, page_token=token)
        page = await notify.stub.ListSubscriptions(request, metadata=notify.caller())
        assert len(page.subscriptions) == size
        found += [item.name for item in page.subscriptions]
        token = page.next_page_token
    assert (found, token) == (names, "")
    theirs = await notify.stub.ListSubscriptions(pb.ListSubscriptionsRequest(), metadata=other)
    assert len(theirs.subscriptions) == 1
    error = await refusal(notify.stub.GetSubscription(pb.GetSubscriptionRequest(name=names[0]), metadata=other))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_stale_etag_is_refused(notify: NotifyClient) -> None:
    """A change that rests on an old reading is aborted, with the etag there is."""
    name = (await notify.create(URL)).subscription.name
    request = pb.PauseSubscriptionRequest(name=name, request_id=str(uuid.uuid4()), etag='"7"')
    error = await refusal(notify.stub.PauseSubscription(request, metadata=notify.caller()))
    assert error.code() is grpc.StatusCode.ABORTED
    assert '"1"' in (error.details() or "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"url": "http://example.com/hook"}, "use https"),
        ({"url": "https://10.0.0.1/hook"}, "not on the public internet (private)"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "metadata"),
        ({"url": "https://example.com:22/"}, "use 443 or 8443"),
        ({"url": "https://user:pass@example.com/"}, "no user name"),
        ({"url": URL, "secret": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"url": URL, "title": "x" * 201}, "the limit is 200"),
        ({"url": URL, "types": ["tapelog.song.none"]}, "neither a full type"),
        ({"url": URL, "after_position": 1000}, "is not in the stream"),
        ({"url": URL, "request_id": "once"}, "must be a UUID"),
    ],
)
async def test_a_wrong_subscription_is_refused_with_what_to_do(
    notify: NotifyClient, changes: dict[str, Any], text: str
) -> None:
    """Each refusal names the value and the rule; nothing is created."""
    error = await refusal(notify.create(**changes))
    assert error.code() in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.DATA_LOSS}
    assert text in (error.details() or "")
    listed = await notify.stub.ListSubscriptions(pb.ListSubscriptionsRequest(), metadata=notify.caller())
    assert list(listed.subscriptions) == []


async def test_loopback_is_refused_unless_allowed(broker: Broker, tmp_path: Path, recorder: Recorder) -> None:
    """Without the developer's setting no connection to this machine is made, not even for what is registered."""
    async with Receiver() as canary:
        async with running_notify(settings_for(broker, tmp_path)) as developer:
            created = await developer.create(canary.url, types=["tapelog.song.*"])
        async with running_notify(settings_for(broker, tmp_path, allow_loopback_webhooks=False)) as notify:
            for host in ("127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "0x7f.1", "169.254.169.254"):
                error = await refusal(notify.create(f"https://{host}/hook"))
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            await recorder.append()

            async def was_tried() -> bool:
                return bool(await notify.deliveries(created.subscription.name))

            await eventually(was_tried)
            (attempt,) = await notify.deliveries(created.subscription.name)
        assert canary.received == []
    assert (attempt.response_status, "http is not encrypted" in attempt.error) == (0, True)


def test_every_rpc_has_a_policy() -> None:
    """No RPC is reachable by accident."""
    assert_every_rpc_has_a_row(POLICIES, SERVICE)


async def test_a_person_without_a_tenant_role_may_call_nothing(notify: NotifyClient) -> None:
    """Each RPC refuses a person whose only roles are in projects."""
    metadata = notify.tokens.metadata("ana")
    codes = {}
    for rpc in POLICIES:
        name = rpc.rpartition("/")[2]
        call = getattr(notify.stub, name)(getattr(pb, f"{name}Request")(), metadata=metadata)
        codes[name] = (await refusal(call.read() if name in {"Subscribe", "ReplayEvents"} else call)).code()
    assert codes == dict.fromkeys(codes, grpc.StatusCode.PERMISSION_DENIED)


async def test_an_outside_tool_reads_its_own_consumer_and_nothing_else(
    notify: NotifyClient, broker: Broker, recorder: Recorder
) -> None:
    """The credentials of a NATS subscription let its holder pull and acknowledge the matching events, no more."""
    created = await notify.create(types=["tapelog.song.stage_*"])
    other = await notify.create(types=["tapelog.song.*"])
    assert (created.subscription.nats.stream, created.secret) == (PUB, "")
    consumer = created.subscription.nats.consumer
    await recorder.append()
    wanted = [await recorder.advance_stage(), await recorder.advance_stage("sng-2", tenant="zeta")]
    wanted.append(await recorder.advance_stage("sng-3"))
    async with connected(
        created.nats_url, name="tool", creds=created.nats_credentials, inbox=created.nats_inbox_prefix
    ) as tool:
        found = []
        async with asyncio.timeout(10.0), Puller(tool, PUB, consumer) as puller:
            async for delivery in puller:
                found.append(delivery.headers["ce-id"])
                await delivery.ack_sync()
                if len(found) == 2:
                    break
        assert found == [wanted[0].event_id, wanted[2].event_id]
        for subject in (
            f"$JS.API.CONSUMER.MSG.NEXT.{PUB}.{other.subscription.nats.consumer}",
            f"$JS.API.DIRECT.GET.{PUB}",
            f"$JS.API.STREAM.MSG.GET.{PUB}",
            f"$JS.API.STREAM.INFO.{PUB}",
            f"$JS.API.CONSUMER.CREATE.{PUB}.mine.pub.acme.>",
            f"$JS.API.CONSUMER.DELETE.{PUB}.{consumer}",
            "pub.acme.-.-.song_track_defined",
            "es.session.acme.sng-1",
        ):
            with pytest.raises(nats.errors.TimeoutError):
                await tool.request(subject, b"{}", timeout=0.1)
    assert (await notify.get(created.subscription.name)).delivered_position > 0


async def test_a_nats_subscription_pauses_and_resumes(notify: NotifyClient, broker: Broker) -> None:
    """The consumer of a paused subscription hands nothing out; deleted, it is gone."""
    created = await notify.create()
    name, consumer = created.subscription.name, created.subscription.nats.consumer
    admin = await broker.connect("admin")

    async def is_paused() -> bool:
        return bool((await api.request(admin, f"CONSUMER.INFO.{PUB}.{consumer}")).get("paused", False))

    pause = pb.PauseSubscriptionRequest(name=name, request_id=str(uuid.uuid4()))
    await notify.stub.PauseSubscription(pause, metadata=notify.caller())
    await eventually(is_paused)
    resume = pb.ResumeSubscriptionRequest(name=name, request_id=str(uuid.uuid4()))
    resumed = await notify.stub.ResumeSubscription(resume, metadata=notify.caller())
    assert resumed.state == resources_pb2.SUBSCRIPTION_STATE_ACTIVE

    async def goes_on() -> bool:
        return not await is_paused()

    await eventually(goes_on)
    delete = pb.DeleteSubscriptionRequest(name=name, request_id=str(uuid.uuid4()))
    await notify.stub.DeleteSubscription(delete, metadata=notify.caller())
    await notify.stub.DeleteSubscription(delete, metadata=notify.caller())
    with pytest.raises(api.JetStreamApiError):
        await is_paused()


async def test_without_the_identity_key_nats_access_is_refused(broker: Broker, tmp_path: Path) -> None:
    """A service that may not mint credentials says so, and offers the other channels."""
    settings = settings_for(broker, tmp_path, nats_identity_dir=tmp_path / "none")
    async with running_notify(settings) as notify:
        error = await refusal(notify.create())
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "use a webhook or Subscribe" in (error.details() or "")
    assert not (tmp_path / "none").exists()
