"""Health of a running service while its broker is stopped, killed and back."""

import asyncio
import os
import signal
import time
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis.observability.health import keep_health, store_probe
from tapelog_chassis.rpc.grpc_server import LIVE
from tapelog_chassis.testing import Broker, eventually

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NOTICE_S = 30.0


async def test_a_service_without_its_broker_says_so_and_says_when_it_is_back(running: Any, broker: Broker):
    """A broker that hangs makes it NOT_SERVING, but alive; killed and started again, it is SERVING again by itself."""
    async with (
        running("session", health_failing_s=0.1) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)

        async def says(name: str = "") -> int:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            return int(answer.status)

        async def is_out() -> bool:
            return await says() == NOT_SERVING

        async def is_back() -> bool:
            return await says() == SERVING

        assert await says() == await says("tapelog.session.v1.SessionService") == await says(LIVE) == SERVING
        os.kill(broker.server.pid, signal.SIGSTOP)
        try:
            await eventually(is_out, within_s=NOTICE_S, every_s=0.2)
            assert await says("tapelog.session.v1.SessionService") == NOT_SERVING
            assert await says(LIVE) == SERVING
            state = {s.name: s.value for s in (await service.scrape())["tapelog_store_serving"]}
            assert state == {"tapelog_store_serving": 0.0}
        finally:
            await broker.kill()
        await eventually(is_back, within_s=NOTICE_S, every_s=0.2)


class Told:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[bool] = []

    async def set_serving(self, serving: bool) -> None:
        """Remember."""
        self.said.append(serving)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["", "gone", "", "gone", ""], []),
        (["gone"] * 40 + [""] * 2, [False, True]),
    ],
    ids=["short trouble", "lasting trouble"],
)
async def test_only_lasting_trouble_is_told(answers: list[str], said: list[bool]):
    """Single failures change nothing; failures without a break are told once, and the first success ends them."""
    left = list(answers)
    done = asyncio.Event()

    async def probe() -> str:
        if len(left) == 1:
            done.set()
        return left.pop(0) if left else ""

    told = Told()
    task = asyncio.create_task(keep_health(told, probe, every_s=0.01, failing_s=0.1))
    await asyncio.wait_for(done.wait(), 30)
    await eventually(lambda: told.said == said)
    task.cancel()


async def test_a_log_that_answers_no_append_is_trouble_though_the_probe_succeeds():
    """Counted from the first append that got no answer: told at once when that is long ago, over with an answer."""
    since_s = [time.monotonic() - 60.0]

    async def probe() -> str:
        return ""

    told = Told()
    task = asyncio.create_task(
        keep_health(told, probe, every_s=0.01, failing_s=30.0, unanswered_since_s=lambda: since_s[0])
    )
    await eventually(lambda: told.said == [False])
    since_s[0] = 0.0
    await eventually(lambda: told.said == [False, True])
    task.cancel()


async def test_the_probe_writes_and_keeps_one_message(broker: Broker):
    """Each service may make its probe's write, and repeating it does not let the stream grow."""
    admin = await broker.connect("admin")
    for name in ("session", "render", "notify"):
        probe = store_probe(await broker.connect(name), name)
        assert [await probe() for _ in range(3)] == ["", "", ""]
    info = await admin.jetstream().stream_info("KV_snap")
    assert info.state.messages == 3
    client = await broker.connect("session")
    await client.close()
    assert await store_probe(client, "session")() == "no connection to the broker"
