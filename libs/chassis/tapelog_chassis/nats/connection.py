"""Connections to the broker: least privilege, own inbox, reconnecting for ever, errors in the log."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import nats.errors
import structlog
from nats.aio.client import Client, RawCredentials, ReconnectToServerHandler, Server
from nats.aio.msg import Msg

from tapelog_chassis import telemetry

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

HEADER_NAMES_MAX: Final = 1024
"""Names of headers that are remembered; ours are about thirty."""

_log = structlog.get_logger(__name__)


class CancellableClient(Client):
    """
    The client package's connection, without its habit of losing a cancellation.

    `publish` drops one that comes while it flushes, and `request` one that comes together with the answer (in Python
    3.11 `asyncio.wait_for` then returns the answer): a task that was told to end would go on for ever.
    """

    async def publish(self, *arguments: Any, **options: Any) -> None:
        """Publish, see the client package."""
        with _keeping_cancellation():
            await super().publish(*arguments, **options)

    async def request(self, *arguments: Any, **options: Any) -> Msg:
        """Publish and wait for one answer, see the client package."""
        with _keeping_cancellation():
            return await super().request(*arguments, **options)

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """
        Parse a header block as the client package does, looking at every name's characters once and not once a message.

        An event has 25 headers whose names are always the same; checking them anew took more than half of the time in
        which a long aggregate is read.
        """
        found: dict[str, str] = {}
        for line in raw.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon and (key := _header_name(name)):
                found[key] = value.strip().decode("utf-8", "replace")
        return found


@functools.lru_cache(maxsize=HEADER_NAMES_MAX)
def _header_name(name: bytes) -> str:
    """Return a header's name; empty for one that is none."""
    try:
        key = name.strip().decode("ascii")
    except UnicodeDecodeError:
        return ""
    return "" if any(c.isspace() for c in key) else key


@contextmanager
def _keeping_cancellation() -> Iterator[None]:
    """Raise at the end what was asked for meanwhile and got lost."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def connect(
    url: str,
    *,
    name: str,
    creds: str | Path | None = None,
    inbox: str | None = None,
    tls_ca: Path | None = None,
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
                tls=_tls_context(tls_ca) if tls_ca is not None else None,
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
    reconnect_s: tuple[float, float] = RECONNECT_S,
) -> AsyncIterator[Client]:
    """Connect as `connect` does and close at the end, flushing what was published."""
    client = await connect(url, name=name, creds=creds, inbox=inbox, tls_ca=tls_ca, reconnect_s=reconnect_s)
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


def _tls_context(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
