"""Alerts from event to person: rules, Slack, mail by a real SMTP server, the stream, restarts."""

import asyncio
import email
import json
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path

import grpc
import pytest
from standardwebhooks.webhooks import Webhook
from tapelog.notify.v1 import alerts_pb2, events_pb2
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import resources_pb2 as res
from tapelog.render.v1 import events_pb2 as render
from tapelog_chassis.testing import Broker, eventually
from tapelog_notify.testing import NotifyClient, Recorder, read_events, running_notify, settings_for
from tapelog_notify.testing_endpoint import Receiver, Reply

FAILED = "tapelog.render_job.render_failed.v1"


async def add_rule(notify: NotifyClient, **fields: object) -> alerts_pb2.AlertRule:
    """Create a rule."""
    values = {"title": "Render failed", "severity": "ALERT_SEVERITY_CRITICAL", "filter": {"types": [FAILED]}}
    rule = alerts_pb2.AlertRule(**{**values, **fields})  # type: ignore[arg-type]
    request = pb.CreateAlertRuleRequest(rule=rule, request_id=str(uuid.uuid4()))
    made: alerts_pb2.AlertRule = await notify.stub.CreateAlertRule(request, metadata=notify.caller())
    return made


async def fail_render(recorder: Recorder, job: str) -> str:
    """Let a render fail; return the event's id."""
    data = render.RenderFailed(attempts=3, reason="SOURCE_TRUNCATED", message="the file ends early")
    (event,) = await recorder.append(
        job, context="render", type_=FAILED, schema="tapelog.render.v1.RenderFailed", data=data.SerializeToString()
    )
    return event.event_id


async def alerts_of(notify: NotifyClient, *, resolved: bool = False) -> list[alerts_pb2.Alert]:
    """List alerts."""
    request = pb.ListAlertsRequest(show_resolved=resolved)
    return list((await notify.stub.ListAlerts(request, metadata=notify.caller())).alerts)


async def open_channel(notify: NotifyClient, **channel: object) -> pb.CreateSubscriptionResponse:
    """Create a subscription to alerts by a channel for people."""
    subscription = res.Subscription(filter={"types": ["tapelog.alert.alert_raised.v1"]}, **channel)  # type: ignore[arg-type]
    request = pb.CreateSubscriptionRequest(subscription=subscription, request_id=str(uuid.uuid4()))
    created: pb.CreateSubscriptionResponse = await notify.stub.CreateSubscription(request, metadata=notify.caller())
    return created


async def test_a_failed_render_reaches_slack_a_webhook_and_the_stream(
    notify: NotifyClient, recorder: Recorder, broker: Broker
) -> None:
    """One failure, one alert with its numbers on each channel, one id; the Slack URL is in no event."""
    async with Receiver() as slack, Receiver() as hook:
        created = await open_channel(notify, slack={"url": f"{slack.url}/T0/very-secret"})
        assert (created.secret, created.subscription.slack.host) == ("", "127.0.0.1")
        signed = await notify.create(hook.url, types=["tapelog.alert.*"])
        await add_rule(notify, template="{data.reason}: {data.message} ({data.attempts} attempts, {aggregate})")
        cause = await fail_render(recorder, "job-1")
        await slack.wait_for(1)
        await hook.wait_for(1)
        (streamed,) = await read_events(notify.subscribe(0, types=["tapelog.alert.*"]), 1)
        raised = events_pb2.AlertRaised.FromString(streamed.data.value)
        assert list(raised.event_ids) == [cause]
        assert streamed.causation_id == cause
        body = Webhook(signed.secret).verify(hook.accepted[0].body, hook.accepted[0].headers)
        assert body["id"] == streamed.id
        text = json.loads(slack.accepted[0].body)["text"]
        assert text.splitlines()[:2] == [
            "*[CRITICAL] Render failed*",
            "SOURCE_TRUNCATED: the file ends early (3 attempts, job-1)",
        ]
        assert "webhook-signature" not in slack.accepted[0].headers
        stored = await (await broker.log("notify")).load(_aggregate(created.subscription.name))
        assert all(b"very-secret" not in event.data for event in stored)


def _aggregate(name: str):  # noqa: ANN202 - an aggregate id
    from tapelog_chassis.event_log import AggregateId

    return AggregateId("notify", "acme", name.removeprefix("subscriptions/"))


async def test_dedup_snooze_resolve_and_deletion(notify: NotifyClient, recorder: Recorder) -> None:
    """Ten failures of a song are one alert; resolved it comes anew, snoozed it does not, without the rule never."""
    rule = await add_rule(notify, group_by="project")
    for number in range(10):
        await fail_render(recorder, f"job-{number}")
    await eventually(lambda: _count(notify, 1))
    (alert,) = await alerts_of(notify)
    assert (alert.raised, alert.rule, alert.key) == (1, rule.name, "prj-1")
    resolve = pb.ResolveAlertRequest(name=alert.name, reason="fixed the file", request_id=str(uuid.uuid4()))
    assert (await notify.stub.ResolveAlert(resolve, metadata=notify.caller())).state == alerts_pb2.ALERT_STATE_RESOLVED
    await eventually(lambda: _count(notify, 0))
    await fail_render(recorder, "job-10")
    await eventually(lambda: _count(notify, 1))
    snooze = pb.SnoozeAlertRequest(name=alert.name, reason="known", request_id=str(uuid.uuid4()))
    snooze.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    assert (await notify.stub.SnoozeAlert(snooze, metadata=notify.caller())).state == alerts_pb2.ALERT_STATE_SNOOZED
    delete = pb.DeleteAlertRuleRequest(name=rule.name, request_id=str(uuid.uuid4()))
    await notify.stub.DeleteAlertRule(delete, metadata=notify.caller())
    assert not (await notify.stub.ListAlertRules(pb.ListAlertRulesRequest(), metadata=notify.caller())).rules
    other = notify.caller(tenant="other")
    assert not (await notify.stub.ListAlerts(pb.ListAlertsRequest(), metadata=other)).alerts
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await notify.stub.ResolveAlert(
            pb.ResolveAlertRequest(name=alert.name, request_id=str(uuid.uuid4())), metadata=other
        )
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def _count(notify: NotifyClient, count: int) -> bool:
    return len(await alerts_of(notify)) == count


async def test_an_absence_is_told_after_a_restart_once_and_resolved_by_what_closes_it(
    broker: Broker, tmp_path: Path, recorder: Recorder
) -> None:
    """The wait began before the restart; two restarts later there is still one alert, and the closing event ends it."""
    settings = settings_for(broker, tmp_path)
    async with running_notify(settings) as notify:
        await add_rule(
            notify,
            title="Waits for a worker",
            filter={"types": ["tapelog.render_job.render_requested.v1"]},
            absence={"until_types": ["tapelog.render_job.render_started.v1"], "after": timedelta(seconds=2)},
            group_by="aggregate",
        )
        await recorder.append(
            "job-1",
            context="render",
            type_="tapelog.render_job.render_requested.v1",
            schema="tapelog.render.v1.RenderRequested",
        )
    async with running_notify(settings) as notify:
        await eventually(lambda: _count(notify, 1))
    async with running_notify(settings) as notify:
        (alert,) = await alerts_of(notify)
        assert (alert.key, alert.raised) == ("job-1", 1)
        await recorder.append(
            "job-1",
            context="render",
            type_="tapelog.render_job.render_started.v1",
            schema="tapelog.render.v1.RenderStarted",
        )
        await eventually(lambda: _count(notify, 0))
        (over,) = await alerts_of(notify, resolved=True)
        assert over.state == alerts_pb2.ALERT_STATE_RESOLVED


async def start_mail_server(port: int, folder: Path) -> asyncio.subprocess.Process:
    """Start aiosmtpd, which files what it gets."""
    options = ("-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Mailbox", str(folder))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aiosmtpd", *options, stdin=asyncio.subprocess.DEVNULL
    )


@asynccontextmanager
async def mail_server(folder: Path) -> AsyncIterator[int]:
    """Run a real SMTP server as a process of its own, which files what it gets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = await start_mail_server(port, folder)

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(answers)
        yield port
    finally:
        process.kill()
        await process.wait()


def mails(folder: Path) -> list[Message]:
    """Read what was filed."""
    return [email.message_from_bytes(path.read_bytes()) for path in sorted((folder / "new").glob("*"))]


async def test_an_alert_arrives_by_mail_also_when_the_server_was_down(
    broker: Broker, tmp_path: Path, recorder: Recorder
) -> None:
    """A real SMTP server gets each alert once, with its numbers; while it is down the schedule tries again."""
    folder = tmp_path / "mail"
    async with mail_server(folder) as port:
        changes = {
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_security": "none",
            "smtp_from": "alerts@studio.example",
            "webhook_schedule_s": (0.0, *[0.3] * 19),
        }
        settings = settings_for(broker, tmp_path, **changes)
        async with running_notify(settings) as notify:
            created = await open_channel(notify, email={"to": ["ana@label.example", "ben@label.example"]})
            assert (created.subscription.email.recipients, list(created.subscription.email.to)) == (2, [])
            await add_rule(notify, template="{data.reason} after {data.attempts} attempts", group_by="aggregate")
            await fail_render(recorder, "job-1")
            await eventually(lambda: len(mails(folder)) == 1)
            test = await notify.stub.TestSubscription(
                pb.TestSubscriptionRequest(name=created.subscription.name), metadata=notify.caller()
            )
            assert (test.response_status, test.error) == (250, "")
    # Two mails of one second lie in the folder in no order.
    (first,) = [mail for mail in mails(folder) if not mail["Subject"].startswith("test delivery")]
    assert first["To"] == "ana@label.example, ben@label.example"
    assert first["Subject"] == "[CRITICAL] Render failed"
    assert "SOURCE_TRUNCATED after 3 attempts" in str(first.get_payload())
    assert first["Message-ID"].endswith("@studio.example>")
    # The server is gone: the next alert waits for it.
    async with running_notify(settings) as notify:
        await fail_render(recorder, "job-2")

        async def was_tried() -> bool:
            return bool((await notify.deliveries(created.subscription.name))[0].error)

        await eventually(was_tried)
        async with mail_server_at(port, folder):
            await eventually(lambda: len(mails(folder)) == 3)


@asynccontextmanager
async def mail_server_at(port: int, folder: Path) -> AsyncIterator[None]:
    """Run the server again on the same port."""
    process = await start_mail_server(port, folder)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_a_channel_that_cannot_work_is_refused(notify: NotifyClient) -> None:
    """No mail server, no addresses, a Slack URL inside the network: each is told at creation."""
    codes = []
    for channel in (
        {"email": {"to": ["ana@label.example"]}},
        {"email": {}},
        {"email": {"to": ["ana@label.example\nBcc: x@y.z"]}},
        {"slack": {"url": "https://169.254.169.254/hook"}},
        {"slack": {"url": ""}},
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await open_channel(notify, **channel)
        codes.append(refused.value.code())
    assert codes == [grpc.StatusCode.FAILED_PRECONDITION, *[grpc.StatusCode.INVALID_ARGUMENT] * 4]


async def test_a_slack_channel_that_is_archived_is_disabled(notify: NotifyClient, recorder: Recorder) -> None:
    """410 from Slack switches the subscription off, as it does for a webhook."""
    async with Receiver(usual=Reply(410)) as slack:
        created = await open_channel(notify, slack={"url": slack.url})
        await add_rule(notify)
        await fail_render(recorder, "job-1")

        async def is_disabled() -> bool:
            state = (await notify.get(created.subscription.name)).state
            return bool(state == res.SUBSCRIPTION_STATE_DISABLED)

        await eventually(is_disabled)
