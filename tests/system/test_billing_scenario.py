"""A billing system that fails, goes down and comes back, while alerts go on: real processes and sockets, one truth."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import resources_pb2 as res
from tapelog_chassis.nats import Puller, connected
from tapelog_chassis.testing import Broker, eventually
from tapelog_chassis.topology import CONTEXTS, PUB
from tapelog_notify.testing import NotifyClient, NotifyProcess, Recorder, connected_client, settings_for
from tapelog_notify.testing_hostile import Behaviour, HostileEndpoint

from .billing import ALERTS, Invoice, Ledger, free_port, total_of

WHILE_DOWN: Final = 500
SCHEDULE_S: Final = (0.0, 0.05, 0.1, 0.2, *[1.0] * 16)


@contextlib.asynccontextmanager
async def alerts_tool(created: pb.CreateSubscriptionResponse, found: list[str]) -> AsyncIterator[None]:
    """Read the alerts' NATS consumer as an outside tool does."""

    async def read() -> None:
        async with (
            connected(
                created.nats_url, name="tool", creds=created.nats_credentials, inbox=created.nats_inbox_prefix
            ) as tool,
            Puller(tool, PUB, created.subscription.nats.consumer) as puller,
        ):
            async for delivery in puller:
                found.append(delivery.headers["ce-id"])
                await delivery.ack_sync()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(read())
        try:
            yield
        finally:
            task.cancel()


async def heads(broker: Broker) -> dict[str, int]:
    """Return the end of every log of facts."""
    log = await broker.log("notify")
    return {context: await log.head(context) for context in CONTEXTS}


async def test_a_billing_system_that_was_down_ends_with_the_ledgers_total(broker: Broker, tmp_path: Path) -> None:
    """Failing, timing out, down for 500 events over a kill of the service, back: every event once, in order, to the ms.

    Meanwhile alerts come by NATS without waiting; then a replay, a new secret, and an endpoint that is gone.
    """
    recorder = await Recorder.on(broker)
    ledger, invoice, alerted = Ledger(recorder), Invoice(), []
    settings = settings_for(broker, tmp_path, port=free_port(), webhook_schedule_s=SCHEDULE_S, webhook_timeout_s=0.3)
    behaviours = (Behaviour(status=500), Behaviour("silent"), Behaviour(), Behaviour("reset"))
    async with NotifyProcess(settings) as process:
        await process.start()
        async with connected_client(settings, f"127.0.0.1:{settings.port}") as notify:
            await notify.channel.channel_ready()
            async with HostileEndpoint(behaviours) as failing:
                created = await notify.create(failing.url, types=["tapelog.usage_account.*"])
                alerts = await notify.create(types=list(ALERTS))
                await ledger.bill(4)
                await eventually(lambda: len(failing.requests) >= 7)
            invoice.book(failing)
            async with alerts_tool(alerts, alerted):
                # Down: nobody listens on its port any more.
                await ledger.bill(WHILE_DOWN // 2)
                await ledger.alert()
                await eventually(lambda: alerted == ledger.alert_ids)
                await process.stop()
                # What is appended now is published by nobody: the projector is dead.
                await ledger.bill(WHILE_DOWN // 2)
                await ledger.alert()
                await process.start()
                await eventually(lambda: alerted == ledger.alert_ids)
                async with HostileEndpoint(port=failing.port) as back:
                    await eventually(lambda: len(back.requests) >= WHILE_DOWN, within_s=60.0)
                    invoice.book(back)
                    await _check_deliveries(notify, created, invoice)
                    assert list(invoice.booked) == ledger.usage_ids
                    total_ms = await total_of(await broker.log("render"))
                    assert sum(invoice.booked.values()) == total_ms > 0
                    await _replay(notify, broker, created, back, ledger)
                    await _rotate(notify, created, back, ledger)
                    await _disappear(notify, created, back, ledger)
        assert alerted == ledger.alert_ids


async def _check_deliveries(notify: NotifyClient, created: Any, invoice: Invoice) -> None:
    """Repeats have one id, one body and fresh timestamps, all signatures are right, and the log shows what failed."""
    verifier = Webhook(created.secret)
    bodies: dict[str, bytes] = {}
    for request in invoice.requests:
        verifier.verify(request.body, request.headers)
        assert bodies.setdefault(request.event_id, request.body) == request.body
    first = [request for request in invoice.requests if request.event_id == invoice.requests[0].event_id]
    assert len(first) >= 3
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(first[0].body, first[0].headers)
    old = datetime.now(UTC) - timedelta(minutes=10)
    stale = {
        "webhook-id": first[0].event_id,
        "webhook-timestamp": str(int(old.timestamp())),
        "webhook-signature": verifier.sign(first[0].event_id, old, first[0].body.decode()),
    }
    with pytest.raises(WebhookVerificationError):
        verifier.verify(first[0].body, stale)
    shown = await notify.deliveries(created.subscription.name)
    assert any(delivery.error for delivery in shown)
    assert {delivery.response_status for delivery in shown} >= {0, 204}


async def _replay(
    notify: NotifyClient, broker: Broker, created: Any, endpoint: HostileEndpoint, ledger: Ledger
) -> None:
    """From its checkpoint the billing system asks again: the same ids, in order, and not one new fact."""
    before, sent = await heads(broker), len(endpoint.requests)
    asked = pb.ReplayEventsRequest(name=created.subscription.name, start=res.StartPosition(after_position=0))
    answers = [answer async for answer in notify.stub.ReplayEvents(asked, metadata=notify.caller())]
    again = [request.event_id for request in endpoint.requests[sent:]]
    assert again == ledger.usage_ids
    assert len(answers) == len(again) + 1
    assert await heads(broker) == before


async def _rotate(notify: NotifyClient, created: Any, endpoint: HostileEndpoint, ledger: Ledger) -> None:
    """While the old secret is valid too, each delivery verifies with either."""
    asked = pb.RotateSecretRequest(name=created.subscription.name, request_id=str(uuid.uuid4()))
    rotated = await notify.stub.RotateSecret(asked, metadata=notify.caller())
    sent = len(endpoint.requests)
    await ledger.bill(2)
    await eventually(lambda: len(endpoint.requests) >= sent + 2)
    request = endpoint.requests[-1]
    for secret in (created.secret, rotated.secret):
        Webhook(secret).verify(request.body, request.headers)


async def _disappear(notify: NotifyClient, created: Any, endpoint: HostileEndpoint, ledger: Ledger) -> None:
    """410 switches the subscription off, with what was said."""
    endpoint.usual = Behaviour(status=410)
    await ledger.bill(2)

    async def is_disabled() -> bool:
        return bool((await notify.get(created.subscription.name)).state == res.SUBSCRIPTION_STATE_DISABLED)

    await eventually(is_disabled)
    newest = (await notify.deliveries(created.subscription.name))[0]
    assert (newest.response_status, newest.event_id) == (410, ledger.usage_ids[-2])
