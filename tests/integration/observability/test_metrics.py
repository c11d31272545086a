"""Metrics of running services, read over HTTP as Prometheus reads them."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis.auth.certificates import PrivateAuthority
from tapelog_chassis.errors import ConfigRefusal, PortInUse
from tapelog_chassis.observability import metrics
from tapelog_chassis.observability.exposition import exposing
from tapelog_chassis.settings import ServiceSettings
from tapelog_chassis.testing import eventually

OURS = {
    "session": ("tapelog_consumer_pending", "tapelog_projection_lag", "tapelog_disk_free_bytes"),
    "render": ("tapelog_render_jobs_waiting", "tapelog_render_jobs_in_stream", "tapelog_consumer_pending"),
    "notify": ("tapelog_notify_alerts_firing", "tapelog_projection_lag", "tapelog_notify_projector_active"),
}


@pytest.mark.parametrize("name", sorted(OURS))
async def test_a_running_service_shows_its_metrics(running: Any, name: str):
    """Calls are counted, samples are taken, and every series is a declared one with declared labels."""
    async with running(name) as service:
        async with grpc.aio.insecure_channel(service.address) as channel:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        found: dict[str, list[Any]] = {}

        async def has_samples() -> bool:
            found.update(await service.scrape())
            return all(found.get(metric) for metric in OURS[name])

        await eventually(has_samples, every_s=0.1)
        calls = [s for s in found["tapelog_rpcs_handled"] if s.labels["method"] == "/grpc.health.v1.Health/Check"]
        assert "OK" in {sample.labels["code"] for sample in calls}  # of all servers that this process has had
        connected = {s.labels["user"]: s.value for s in found["tapelog_broker_connected"]}
        assert connected[name] == 1.0
        for family, samples in found.items():
            if not family.startswith(metrics.PREFIX):
                continue
            spec = metrics.CATALOGUE[family]
            for sample in samples:
                assert sample.labels.keys() - {"le"} == set(spec.labels), sample
    assert {s.labels["code"] for s in found["tapelog_rpcs_handled"]} <= {code.name for code in grpc.StatusCode}


async def test_metrics_are_off_and_closed_by_default(tmp_path: Path):
    """Without a port nothing listens; beyond loopback without certificates, and on a taken port, the start fails."""
    async with exposing(ServiceSettings(data_dir=tmp_path)) as address:
        assert address == ""
    with pytest.raises(ConfigRefusal, match="METRICS_CLIENT_CA"):
        async with exposing(ServiceSettings(metrics_port=0, metrics_host="0.0.0.0")):  # noqa: S104 - refused
            pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse):
            async with exposing(ServiceSettings(metrics_port=taken.getsockname()[1])):
                pass


async def test_beyond_loopback_a_scraper_shows_a_certificate(tmp_path: Path):
    """With the authority's certificate the page is answered; plain text, and TLS without a certificate, are not."""
    files = certificates(tmp_path)
    settings = ServiceSettings(
        metrics_port=0, tls_certificate=files["cert"], tls_key=files["key"], metrics_client_ca=files["ca"]
    )
    async with exposing(settings) as address, aiohttp.ClientSession() as session:
        url = f"https://localhost:{address.rpartition(':')[2]}/metrics"
        trusting = ssl.create_default_context(cafile=files["ca"])
        for anonymous in (url.replace("https", "http"), url):
            with pytest.raises((aiohttp.ClientError, asyncio.TimeoutError)):
                async with session.get(anonymous, ssl=trusting) as answer:
                    await answer.read()
        trusting.load_cert_chain(files["cert"], files["key"])
        async with session.get(url, ssl=trusting) as answer:
            assert answer.status == 200
            assert b"tapelog_rpcs_handled" in await answer.read()


def test_a_label_that_names_somebody_cannot_be_declared():
    """Neither an id as a label, nor a name twice, nor a name out of form."""
    for label in ("tenant", "party", "job"):
        with pytest.raises(ValueError, match="series for each"):
            metrics.counter("tapelog_never", "Never.", "times", [label])
    with pytest.raises(ValueError, match="twice"):
        metrics.gauge("tapelog_broker_connected", "Again.", "state")
    with pytest.raises(ValueError, match="snake_case"):
        metrics.gauge("songs-total", "Badly named.", "songs")
    assert "tapelog_never" not in metrics.CATALOGUE


def certificates(folder: Path) -> dict[str, Path]:
    """Write an authority and a certificate of localhost."""
    PrivateAuthority.open(folder).issue("part", ("localhost",))
    return {"cert": folder / "part.pem", "key": folder / "part.key", "ca": folder / "ca.pem"}
