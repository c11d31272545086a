"""Connections to the broker: least privilege, own inbox, reconnecting for ever, errors in the log."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import nats.errors
import structlog
from nats.aio.client import Client, RawCredentials, ReconnectToServerHandler, Server

from tapelog_chassis import telemetry
from tapelog_chassis.rpc.grpc_options import CertificatePair

from .client import CancellableClient
from .errors import Unreachable
from .permissions import inbox_prefix

CONNECT_TIMEOUT_S: Final = 10.0
"""For the first connection; later ones are retried for ever."""
RECONNECT_S: Final = (0.25, 1.0)
"""Longest wait before the first attempt to reconnect, and before any; drawn at random, so that those who lost the
server together do not come back together."""
RECONNECT_CROWD_S: Final = (4.0, 4.0)
"""The same for those who may be hundreds, such as workers: 500 come back at about 125 a second."""
PING_INTERVAL_S: Final = 5
"""A dead link is noticed after two of these."""
PENDING_BYTES: Final = 8 * 1024 * 1024
"""Published while disconnected and kept for the reconnect; beyond it publishing fails at once."""
CLOSE_FLUSH_S: Final = 2.0
CLOSE_S: Final = 2.0

_log = structlog.get_logger(__name__)


async def connect(
    url: str,
    *,
    name: str,
    creds: str | Path | None = None,
    inbox: str | None = None,
    tls_ca: Path | None = None,
    tls_pair: CertificatePair | None = None,
    reconnect_s: tuple[float, float] = RECONNECT_S,
) -> Client:
    """
    Connect as one user. The caller closes the connection; `connected` does so by itself.

    Parameters
    ----------
    url
        One or more server addresses, separated by commas.
    name
        Service name, for the server's listings and for the inbox prefix `_INBOX_<name>`.
    creds
        Text or path of a `.creds` file; None where the server asks for none.
    inbox
        Another inbox prefix than the name's.
    tls_ca
        Certificate authority that signed the server's certificate; needed for `tls://` addresses.
    tls_pair
        The certificate to show where the server asks for one.
    reconnect_s
        Longest wait before the first attempt to reconnect, and before any.

    Raises
    ------
    Unreachable
        If no server accepts the connection within `CONNECT_TIMEOUT_S`.
    """
    failures: list[str] = []
    log = _log.bind(connection=name)

    async def on_error(error: Exception) -> None:
        failures[:] = [f"{type(error).__name__}: {error}".rstrip(": ")]
        log.warning("nats error", error=failures[0])

    async def on_disconnect() -> None:
        telemetry.BROKER_CONNECTED.labels(name).set(0)
        if not client.is_closed:
            log.info("nats disconnected")

    async def on_reconnect() -> None:
        telemetry.BROKER_CONNECTED.labels(name).set(1)
        telemetry.BROKER_RECONNECTS.labels(name).inc()
        log.info("nats reconnected")

    credentials = RawCredentials(creds) if isinstance(creds, str) else creds
    client = CancellableClient()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect(
                servers=url.split(","),
                name=name,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                # At first only an unreachable server is tried again; one that refuses these creds raises at once.
                allow_reconnect=False,
                connect_timeout=2,
                max_reconnect_attempts=-1,
                reconnect_to_server_handler=_spread(*reconnect_s),
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=2,
                user_credentials=credentials,
                inbox_prefix=inbox or inbox_prefix(name),
                pending_size=PENDING_BYTES,
                tls=_tls_context(tls_ca, tls_pair) if tls_ca is not None else None,
            )
    except (nats.errors.Error, OSError, TimeoutError) as error:
        reason = failures[0] if failures else f"{type(error).__name__}: {error}"
        await _shut(client)
        raise Unreachable(
            f"cannot connect to {url} as {name}: {reason}. Is the server up, are the creds its own?"
        ) from (error)
    client.options["allow_reconnect"] = True
    telemetry.BROKER_CONNECTED.labels(name).set(1)
    return client


@asynccontextmanager
async def connected(
    url: str,
    *,
    name: str,
    creds: str | Path | None = None,
    inbox: str | None = None,
    tls_ca: Path | None = None,
    tls_pair: CertificatePair | None = None,
    reconnect_s: tuple[float, float] = RECONNECT_S,
) -> AsyncIterator[Client]:
    """Connect as `connect` does and close at the end, flushing what was published."""
    client = await connect(
        url, name=name, creds=creds, inbox=inbox, tls_ca=tls_ca, tls_pair=tls_pair, reconnect_s=reconnect_s
    )
    try:
        yield client
    finally:
        await close(client)


async def close(client: Client) -> None:
    """Flush what was published, if the server is there, and close."""
    try:
        if client.is_connected:
            await client.flush(timeout=CLOSE_FLUSH_S)  # type: ignore[arg-type]  # annotated int, used as seconds
    except (nats.errors.Error, OSError) as error:
        _log.info("nats closed without a last flush", error=str(error))
    finally:
        await _shut(client)


async def _shut(client: Client) -> None:
    """Close, but wait no longer than `CLOSE_S`: after a failed TLS handshake the client package waits for ever.

    One that is just reconnecting fails at what is left of its broken connection; it is closed all the same.
    """
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(CLOSE_S):
            await client.close()


def _spread(first_s: float, longest_s: float) -> ReconnectToServerHandler:
    """Choose where and when to connect again: the server that failed least, after a random wait."""

    def choose(servers: list[Server], _info: dict[str, Any]) -> tuple[Server, float]:
        server = min(servers, key=lambda known: known.reconnects)
        most_s = min(longest_s, first_s * 2.0 ** min(server.reconnects, 10))
        return server, random.uniform(0.0, most_s)  # noqa: S311 - spreads attempts, no secret

    return choose


def _tls_context(authority: Path, pair: CertificatePair | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context
