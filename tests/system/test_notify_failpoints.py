"""The notify service dies at every place that matters, five times each: nothing due is lost, nothing billed twice."""

import asyncio
import signal
import uuid
from pathlib import Path
from typing import Final

import pytest
from standardwebhooks.webhooks import Webhook
from tapelog.notify.v1 import alerts_pb2, events_pb2
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog_chassis.testing import Broker, eventually
from tapelog_notify.testing import TENANT, NotifyProcess, Recorder, connected_client, settings_for
from tapelog_notify.testing_hostile import HostileEndpoint

from tests.faults.harness.battery import Row

from .billing import Invoice, Ledger, free_port, total_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
PLACES: Final = (
    "notify.before_post",
    "notify.after_post",
    "notify.before_ack",
    "notify.after_ack",
    "notify.before_publish",
    "notify.after_publish",
    "notify.before_mark",
    "notify.after_mark",
)
DEATHS: Final = 5
SETTLED: Final = "tapelog.usage_account.usage_settled.v1"


async def bill_until_death(process: NotifyProcess, ledger: Ledger) -> int:
    """Make usage until the process has died; return how it ended."""
    dying = asyncio.ensure_future(process.died())
    async with asyncio.timeout(90.0):
        while not dying.done():
            await ledger.bill(2)
            await asyncio.sleep(0.05)
    return await dying


async def check(ledger: Ledger, endpoint: HostileEndpoint, secret: str, total_ms: int) -> None:
    """Everything due was accepted, first times in order; repeats have one id and one body; the totals are one."""
    await eventually(
        lambda: {request.event_id for request in endpoint.requests} >= set(ledger.usage_ids), within_s=60.0
    )
    invoice = Invoice()
    invoice.book(endpoint)
    verifier = Webhook(secret)
    bodies: dict[str, bytes] = {}
    for request in invoice.requests:
        verifier.verify(request.body, request.headers)
        assert bodies.setdefault(request.event_id, request.body) == request.body
    assert list(invoice.booked) == ledger.usage_ids
    assert sum(invoice.booked.values()) == total_ms


@pytest.mark.parametrize("place", PLACES)
async def test_five_deaths_at_a_place_lose_nothing(broker: Broker, tmp_path: Path, place: str, row: Row) -> None:
    """Kill -9 at the place, at its first to fifth passing; every alert is raised once as well."""
    ledger = Ledger(await Recorder.on(broker))
    settings = settings_for(broker, tmp_path, port=free_port(), webhook_schedule_s=(0.0, *[0.1] * 19))
    address = f"127.0.0.1:{settings.port}"
    async with HostileEndpoint() as endpoint, NotifyProcess(settings) as process:
        await process.start()
        async with connected_client(settings, address) as notify:
            await notify.channel.channel_ready()
            secret = (await notify.create(endpoint.url, types=["tapelog.usage_account.*"])).secret
            rule = alerts_pb2.AlertRule(title="Settled", filter={"types": [SETTLED]}, group_by="data.entry.job")
            rule.severity = alerts_pb2.ALERT_SEVERITY_INFO
            request = pb.CreateAlertRuleRequest(rule=rule, request_id=str(uuid.uuid4()))
            await notify.stub.CreateAlertRule(request, metadata=notify.caller())
        await process.stop(signal.SIGTERM)
        for number in range(1, DEATHS + 1):
            # A mark is kept every few seconds only: each of its deaths is at the first one.
            count = 1 if place.endswith("mark") else number
            await process.start(failpoint=f"{place}:{count}")
            assert await bill_until_death(process, ledger) == -signal.SIGKILL
        await process.start()
        await check(ledger, endpoint, secret, await total_of(await broker.log("render")))
        await eventually(lambda: _alerts_are(broker, len(ledger.usage_ids) // 2), within_s=60.0)
        requests = len(endpoint.requests)
    row(
        f"F05 {place.removeprefix('notify.')}",
        f"notify dies there {DEATHS} times: every event at least once under one id, totals and alerts once",
        f"{len(ledger.usage_ids)} due, lost 0, {requests - len(ledger.usage_ids)} repeats; billed once, "
        f"{len(ledger.usage_ids) // 2} alerts once each",
    )


async def test_kills_of_the_broker_under_load_lose_nothing(broker: Broker, tmp_path: Path, row: Row) -> None:
    """Kill -9 of nats-server five times while usage is made and delivered."""
    ledger = Ledger(await Recorder.on(broker))
    settings = settings_for(broker, tmp_path, port=free_port(), webhook_schedule_s=(0.0, *[0.1] * 19))
    async with HostileEndpoint() as endpoint, NotifyProcess(settings) as process:
        await process.start()
        async with connected_client(settings, f"127.0.0.1:{settings.port}") as notify:
            await notify.channel.channel_ready()
            secret = (await notify.create(endpoint.url, types=["tapelog.usage_account.*"])).secret
        for _ in range(DEATHS):
            await ledger.bill(60)
            seen = len(endpoint.requests)
            await eventually(lambda seen=seen: len(endpoint.requests) > seen, within_s=60.0)
            await broker.kill()
        await ledger.bill(60)
        await check(ledger, endpoint, secret, await total_of(await broker.log("render")))
    row(
        "F05 broker",
        f"broker killed {DEATHS} times while usage is delivered: nothing due lost, totals once",
        f"{len(ledger.usage_ids)} due, lost 0; billed once",
    )


async def _alerts_are(broker: Broker, count: int) -> bool:
    """Whether so many alerts were raised, each once."""
    log = await broker.log("notify")
    raised = [
        events_pb2.AlertRaised.FromString(stored.data).key
        async for stored in log.read_all("notify")
        if stored.type == "tapelog.alert.alert_raised.v1" and stored.aggregate.tenant == TENANT
    ]
    assert len(raised) == len(set(raised))
    return len(raised) == count
