"""HTTP to endpoints that nobody here trusts: pinned addresses, no redirects, no proxies, small answers."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from tapelog_chassis.clock import Clock

from tapelog_notify.application.dispatcher import IN_FLIGHT_MAX
from tapelog_notify.application.ports import Answer
from tapelog_notify.domain.addresses import refusal_of
from tapelog_notify.domain.endpoint import FIELD, parse_endpoint
from tapelog_notify.domain.errors import InvalidValue

CONNECT_S: Final = 10.0
TOTAL_S: Final = 15.0
RESOLVE_S: Final = 5.0
CHECK_S: Final = 2.0
"""How long a registration waits for the name server; names that it cannot resolve yet are checked when sent to."""
ANSWER_BYTES_MAX: Final = 64 * 1024
ANSWER_S: Final = 2.0
"""How long the rest of an answer is read for, once its status is known."""
ADDRESSES_MAX: Final = 16
"""Addresses of one name that are looked at."""
LINE_BYTES_MAX: Final = 8190
HEADERS_MAX: Final = 64
USER_AGENT: Final = "tapelog-webhooks/1"
ERROR_CHARS_MAX: Final = 300


class AddressRefusedError(OSError):
    """A connection was about to leave for an address that is not on the public internet."""


class PinnedResolver(AbstractResolver):
    """Resolves a name once and lets no address through that webhooks may not reach."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host; one that is refused refuses them all."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(RESOLVE_S):
            infos = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        found: list[ResolveResult] = []
        for info_family, _, proto, _, address in infos[:ADDRESSES_MAX]:
            check_address(str(address[0]), allow_loopback=self._allow_loopback)
            found.append(
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=info_family,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return found

    async def close(self) -> None:
        """Nothing is held open."""


def check_address(text: str, *, allow_loopback: bool) -> None:
    """Refuse (`AddressRefusedError`) an address in its numeric form."""
    try:
        address = ip_address(text)
    except ValueError:
        raise AddressRefusedError(f"{text!r} is not an address") from None
    if why := refusal_of(address, allow_loopback=allow_loopback):
        raise AddressRefusedError(f"{address} is not on the public internet ({why})")


class WebhookClient:
    """
    `Webhooks` over HTTP. Use as `async with WebhookClient(...) as client`.

    Parameters
    ----------
    allow_loopback
        Let plain http and this machine's own addresses through (development).
    clock
        For `Retry-After` as a date.
    tls
        Another context than the system's authorities.
    total_s
        How long one attempt may take in all.
    resolver
        Another one than `PinnedResolver`; the address that is connected to is checked all the same.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._clock = clock
        self._tls = tls
        self._total_s = total_s
        self._resolver = resolver or PinnedResolver(allow_loopback=allow_loopback)

    def __repr__(self) -> str:
        return f"WebhookClient(allow_loopback={self._allow_loopback})"

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            limit=IN_FLIGHT_MAX,
            limit_per_host=0,
            socket_factory=self._open_socket,
            ssl=self._tls or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._total_s, connect=CONNECT_S, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
            trust_env=False,
            auto_decompress=False,
            read_bufsize=ANSWER_BYTES_MAX,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def check(self, url: str) -> None:
        """See `Webhooks.check`."""
        endpoint = parse_endpoint(url, allow_loopback=self._allow_loopback)
        if endpoint.address is not None:
            return
        try:
            async with asyncio.timeout(CHECK_S):
                await self._resolver.resolve(endpoint.host, endpoint.port)
        except AddressRefusedError as error:
            raise InvalidValue(FIELD, "ADDRESS_REFUSED", f"{endpoint.host}: {error}") from None
        except (OSError, TimeoutError, UnicodeError):
            return

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """See `Webhooks.post`."""
        began_s = time.perf_counter()
        status, retry_after_s = 0, None
        try:
            # What was registered under other settings, or by an older version, is held to the rules of now.
            parse_endpoint(url, allow_loopback=self._allow_loopback)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
                retry_after_s = parse_retry_after(response.headers.get("retry-after", ""), self._clock.now())
                await _discard(response)
            error = "" if 200 <= status < 300 else _reason(status)
        except (aiohttp.ClientError, InvalidValue, OSError, TimeoutError, UnicodeError, ValueError) as failure:
            error = describe(failure, self._total_s) if not status else ("" if 200 <= status < 300 else _reason(status))
        return Answer(status, error, time.perf_counter() - began_s, retry_after_s)

    def _open_socket(self, info: Any) -> socket.socket:
        """Open the socket of a connection: the last place to refuse the very address that is connected to."""
        family, type_, proto, _, address = info
        check_address(str(address[0]), allow_loopback=self._allow_loopback)
        return socket.socket(family=family, type=type_, proto=proto)


def parse_retry_after(text: str, now: datetime) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds or a date; None where it says neither."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def describe(failure: Exception, total_s: float) -> str:
    """Say in words why there was no answer."""
    match failure:
        case TimeoutError():
            text = f"no answer within {total_s:g} s"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            text = f"TLS failed: {failure}"
        case aiohttp.ClientConnectorError():
            text = str(failure.os_error)
        case aiohttp.ServerDisconnectedError():
            text = "the endpoint closed the connection without an answer"
        case _:
            text = f"{type(failure).__name__}: {failure}"
    return text[:ERROR_CHARS_MAX]


def _reason(status: int) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}: redirects are not followed, register the final URL"
    return f"HTTP {status}"


async def _discard(response: aiohttp.ClientResponse) -> None:
    """Read a small answer, so that the connection can serve again; close it on a large or slow one."""
    try:
        async with asyncio.timeout(ANSWER_S):
            left = ANSWER_BYTES_MAX
            async for chunk in response.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    response.close()
                    return
    except (TimeoutError, aiohttp.ClientError):
        response.close()
