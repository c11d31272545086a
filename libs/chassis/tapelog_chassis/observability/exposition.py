"""Metrics over HTTP for Prometheus: off unless a port is set, on loopback unless both sides show certificates."""

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tapelog_chassis import telemetry
from tapelog_chassis.auth.http_peers import only_peers, server_context
from tapelog_chassis.errors import ConfigRefusal, PortInUse
from tapelog_chassis.rpc.peers import PeerCheck
from tapelog_chassis.settings import ServiceSettings

SAMPLE_EVERY_S: Final = 5.0
"""How old a sampled figure may be; shorter than any sensible scrape interval."""
BACKLOG: Final = 16
"""Scrapers that may wait for their connection."""

Sample = Callable[[], Awaitable[None]]
"""Takes figures and sets their gauges; one that raises is taken again the next time."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def exposing(settings: ServiceSettings, samples: Sequence[Sample] = ()) -> AsyncIterator[str]:
    """Serve the process's metrics, and sample what changes by itself, for as long as the context lasts.

    Parameters
    ----------
    settings : ServiceSettings
        `metrics_port` None serves nothing and samples nothing.
    samples : Sequence[Sample]

    Yields
    ------
    str
        host:port, empty where metrics are off.

    Raises
    ------
    ConfigRefusal
        The address is reachable from other machines and callers would not have to show a certificate.
    PortInUse
        Another process has the port.
    """
    if settings.metrics_port is None:
        yield ""
        return
    settings.check_listeners()
    tls = _tls(settings)
    application = web.Application(middlewares=[] if tls is None else [only_peers(PeerCheck(settings.tls_revoked))])
    application.router.add_get("/metrics", _answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(
            runner, settings.metrics_host, settings.metrics_port, ssl_context=tls, backlog=BACKLOG, reuse_address=True
        )
        try:
            await site.start()
        except OSError as failure:
            raise PortInUse(settings.metrics_host, settings.metrics_port) from failure
        sampling = asyncio.create_task(_sample_forever(samples), name="metrics")
        try:
            yield f"{settings.metrics_host}:{runner.addresses[0][1]}"
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
    finally:
        await runner.cleanup()


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _sample_forever(samples: Sequence[Sample]) -> None:
    while True:
        for sample in samples:
            try:
                await sample()
            except Exception as failure:  # noqa: BLE001 - a figure that is missing stops nothing
                telemetry.SAMPLES_FAILED.inc()
                _log.debug("sample failed", cause=f"{type(failure).__name__}: {failure}")
        await asyncio.sleep(SAMPLE_EVERY_S)


def _tls(settings: ServiceSettings) -> ssl.SSLContext | None:
    """Return the server's side of mutual TLS, or None for plain text on loopback."""
    if settings.metrics_client_ca is None:
        return None
    files = settings.tls_files()
    if files is None:
        raise ConfigRefusal("TAPELOG_METRICS_CLIENT_CA needs TAPELOG_TLS_CERTIFICATE and TAPELOG_TLS_KEY beside it")
    asking = dataclasses.replace(files, client_ca=settings.metrics_client_ca)
    return server_context(asking, ssl.TLSVersion.TLSv1_3)
