"""A broker, and services run by their own `run` with metrics on."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import tapelog_notify.main
import tapelog_render.main
import tapelog_render.worker
import tapelog_session.main
from prometheus_client.parser import text_string_to_metric_families
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.testing import Broker, embedded_nats
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings, WorkerSettings
from tapelog_session.settings import SessionSettings

START_S = 30.0
SERVICES: dict[str, tuple[Any, Any]] = {
    "session": (tapelog_session.main.run, SessionSettings),
    "render": (tapelog_render.main.run, RenderSettings),
    "notify": (tapelog_notify.main.run, NotifySettings),
    "worker": (tapelog_render.worker.run, WorkerSettings),
}


@dataclasses.dataclass(frozen=True)
class Running:
    """A service that serves."""

    address: str
    metrics: str
    issuer: LocalIssuer

    async def scrape(self) -> dict[str, list[Any]]:
        """Return the samples of every metric, as Prometheus's own parser reads them."""
        async with aiohttp.ClientSession() as session, session.get(f"http://{self.metrics}/metrics") as answer:
            assert answer.status == 200
            families = text_string_to_metric_families(await answer.text())
            return {family.name: list(family.samples) for family in families}


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Give a provisioned broker."""
    async with embedded_nats(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture
def running(broker: Broker, tmp_path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[Running]]:
    """Give a way to run a service."""
    issuer = LocalIssuer.open(tmp_path / "identity", create=True)

    @contextlib.asynccontextmanager
    async def run(name: str, **changes: Any) -> AsyncIterator[Running]:
        serve, settings = SERVICES[name]
        creds = tmp_path / f"{name}.creds"
        creds.touch(0o600)
        creds.write_text(broker.creds(name))
        if name == "render":
            changes = {"spawn_workers": False, **changes}
        values = {"data_dir": tmp_path, "nats_url": broker.url, "nats_creds": creds, "port": 0, "metrics_port": 0}
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        task = asyncio.create_task(
            serve(settings(**(values | changes)), ready=lambda **fields: ready.set_result(fields), stop=stop)
        )
        async with asyncio.timeout(START_S):
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        try:
            fields = ready.result()
            yield Running(fields.get("address", ""), fields["metrics"], issuer)
        finally:
            stop.set()
            await task

    return run
