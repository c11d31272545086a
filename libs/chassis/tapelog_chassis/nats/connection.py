"""Connections to the broker: least privilege, own inbox, reconnecting for ever, errors in the log."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import re
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
from tapelog_chassis.grpc_options import CertificatePair

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

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""What the client package takes for the name of a header."""

_log = structlog.get_logger(__name__)


class CancellableClient(Client):
    """
    The client package's connection, without its habit of losing a cancellation, and lighter where every command goes.

    `publish` drops one that comes while it flushes, and `request` one that comes together with the answer (in Python
    3.11 `asyncio.wait_for` then returns the answer): a task that was told to end would go on for ever.
    """

    _requests = 0
    _answers_sid = 0

    async def publish(self, *arguments: Any, **options: Any) -> None:
        """Publish, see the client package."""
        with _keeping_cancellation():
            await super().publish(*arguments, **options)

    async def _request_new_style(
        self,
        subject: str,
        payload: bytes,
        timeout: float = 1,  # noqa: ASYNC109 - the client package's own parameter
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """
        Publish and wait for one answer, as the client package does, with a future and a timer and nothing else.

        The package makes a random token of its own and a task's worth of waiting for each request; what is counted up
        behind this connection's random prefix is as unlike any other's.
        """
        if self.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        if self._resp_sub_prefix is None:
            await self._init_request_sub()
        prefix = (self._resp_sub_prefix or b"").decode()
        self._requests += 1
        token = f"{self._requests:x}"
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Msg] = loop.create_future()
        self._resp_map[token] = answer
        timer = loop.call_later(timeout, _time_out, answer)
        try:
            await self.publish(subject, payload, reply=f"{prefix}{token}", headers=headers)
            return await answer
        finally:
            timer.cancel()
            self._resp_map.pop(token, None)

    async def _init_request_sub(self) -> None:
        await super()._init_request_sub()
        answers = (sid for sid, sub in self._subs.items() if sub._cb == self._request_sub_callback)  # noqa: SLF001
        self._answers_sid = max(answers, default=0)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """Give an answer to whoever waits for it at once, and not by way of the subscription's queue and task."""
        if sid != self._answers_sid:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        waiting = self._resp_map.get(subject.rpartition(b".")[2].decode())
        if waiting is not None and not waiting.done():
            parsed = await self._process_headers(headers)
            waiting.set_result(self._build_message(sid, subject, reply, data, parsed))

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        """
        Send a message as the client package does, with its header block put together at once and not by letters.

        While nothing waits to be sent it is written here, and not by the package's task one round of the loop later.
        Who sends headers waits for an answer, so what lies in the transport is bounded by the calls that are served.
        """
        block = _header_block(headers) if headers and subject else None
        if block is None:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        sizes = f"{len(block)} {len(block) + payload_size}"
        command = f"HPUB {subject} {reply} {sizes}\r\n".encode() + block + payload + b"\r\n"
        if not self._pending and self.is_connected and self._transport is not None:
            self._transport.write(command)
            return
        await self._send_command(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

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


def _time_out(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())


def _header_block(headers: dict[str, str]) -> bytes | None:
    """Return a header block; None where a name or value is out of the ordinary, for the client package to judge."""
    if not all(map(_is_plain_name, headers)):
        return None
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    block = f"NATS/1.0\r\n{''.join(lines)}\r\n"
    is_plain = block.count("\n") == block.count("\r") == len(lines) + 2
    return block.encode() if is_plain else None


@functools.lru_cache(maxsize=HEADER_NAMES_MAX)
def _is_plain_name(name: str) -> bool:
    return _HEADER_NAME.fullmatch(name) is not None


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
