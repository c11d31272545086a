"""The broker's protocol where every command goes: header blocks written at once, whole messages read in one look."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable
from typing import Any, Final

import structlog
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

HEADER_NAMES_MAX: Final = 1024
"""Names of headers that are remembered; ours are about thirty."""
LINE_BYTES_MAX: Final = 4096
"""A control line of the protocol."""

_CRLF: Final = b"\r\n"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""What the client package takes for the name of a header."""
_VERSION_LINE: Final = b"NATS/1.0\r\n"
_NONE: Final[dict[str, str]] = {}
_plain_names: Final[set[str]] = set()

_log = structlog.get_logger(__name__)


class Headers(dict[str, str]):
    """Headers of a message to be sent, and the bytes that they are on the wire.

    Attributes
    ----------
    block : bytes, optional
        None where a name or value is out of the ordinary, for the client package to judge.
    """

    __slots__ = ("block",)

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(headers)
        self.block = header_block(headers)


class Incoming:
    """A message as it came, of which the headers are read when somebody asks for them.

    Attributes
    ----------
    subject, reply, data
    block : bytes
        The headers as they came; empty for none.
    """

    __slots__ = ("_headers", "block", "data", "reply", "subject")

    def __init__(self, subject: str, reply: str, block: bytes, data: bytes) -> None:
        self.subject = subject
        self.reply = reply
        self.block = block
        self.data = data
        self._headers: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"Incoming({self.subject}, {len(self.data)} bytes)"

    @property
    def headers(self) -> dict[str, str]:
        """The headers; those of a status too, as the client package names them."""
        if self._headers is None:
            self._headers = parse_block(self.block)
        return self._headers


Receive = Callable[[Incoming], None]
"""Takes a message at once; never waits."""


class WholeMessages(Parser):
    """The client package's parser, of which whole messages for direct receivers are taken before it gets them.

    What comes is nearly always some whole messages; then nothing is copied, matched or awaited but they. A message
    that is in pieces, or is not for a direct receiver, is read by the package, and what is behind it too.
    """

    def __init__(self, client: Any, receivers: dict[int, Receive]) -> None:
        super().__init__(client)
        self._receivers = receivers
        self._behind_bytes = 0

    def begin(self, waiting_bytes: int) -> None:
        """Begin with a connection, of which so many bytes wait for the package already."""
        self._behind_bytes = waiting_bytes

    def passed_on(self, count: int) -> None:
        """Note that bytes were left to the package, which comes to them later."""
        self._behind_bytes += count

    async def parse(self, data: bytes = b"") -> None:
        """Parse what was left to the package."""
        self._behind_bytes -= len(data)
        await super().parse(data)

    def take(self, data: bytes) -> int:
        """Hand out the messages that are whole and whose receiver is known; return where the first other begins.

        While something before it waits for the package, or is being read by it, that is at once.
        """
        if self._behind_bytes or self.buf or self.state != AWAITING_CONTROL_LINE:
            return 0
        start, end, stats = 0, len(data), self.nc.stats
        while start < end:
            line_end = data.find(_CRLF, start, start + LINE_BYTES_MAX)
            if line_end < 0:
                break
            words = data[start:line_end].split(b" ")
            has_headers = words[0] == b"HMSG"
            if not has_headers and words[0] != b"MSG":
                break
            try:
                receive = self._receivers.get(int(words[2]))
                size = int(words[-1])
                headers_size = int(words[-2]) if has_headers else 0
            except (IndexError, ValueError):
                break
            body = line_end + 2
            if receive is None or headers_size > size or body + size + 2 > end:
                break
            reply = words[3].decode() if len(words) > 4 + has_headers else ""
            headers_end = body + headers_size
            stats["in_msgs"] += 1
            stats["in_bytes"] += size - headers_size
            start = body + size + 2
            hand_over(
                receive, Incoming(words[1].decode(), reply, data[body:headers_end], data[headers_end : start - 2])
            )
        return start


class Taking(asyncio.Protocol):
    """Stands between a connection and the protocol that was there: what it takes itself costs no round of the loop."""

    def __init__(self, parser: WholeMessages, behind: asyncio.Protocol) -> None:
        self._parser = parser
        self._behind = behind

    def data_received(self, data: bytes) -> None:
        """Take what can be taken, and pass on the rest."""
        taken = self._parser.take(data)
        if taken < len(data):
            self._parser.passed_on(len(data) - taken)
            self._behind.data_received(data[taken:])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on."""
        self._behind.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        self._behind.connection_lost(error)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._behind.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._behind.resume_writing()


def hand_over(receive: Receive, message: Incoming) -> None:
    """Give a message to its receiver; one that it cannot read does not end the reading of all."""
    try:
        receive(message)
    except Exception:  # noqa: BLE001 - whatever a receiver could not read is told, and the next one is read
        _log.exception("a message was not taken", subject=message.subject)


def header_block(headers: dict[str, str]) -> bytes | None:
    """Return a header block; None where a name or value is out of the ordinary, for the client package to judge."""
    if not _plain_names.issuperset(headers):
        if not all(map(_HEADER_NAME.fullmatch, headers)):
            return None
        if len(_plain_names) < HEADER_NAMES_MAX:
            _plain_names.update(headers)
    block = "NATS/1.0\r\n" + "".join([f"{name}: {value}\r\n" for name, value in headers.items()]) + "\r\n"
    is_plain = block.count("\n") == block.count("\r") == len(headers) + 2
    return block.encode() if is_plain else None


def parse_block(block: bytes) -> dict[str, str]:
    """Return the headers of a block: an inline status as `Status` and `Description`, and the lines."""
    if not block:
        return _NONE
    if block.startswith(_VERSION_LINE):
        return parse_header_lines(block[len(_VERSION_LINE) :])
    first, _, rest = block.partition(_CRLF)
    headers = {}
    status, _, description = first[len(_VERSION_LINE) - 1 :].decode("utf-8", "replace").partition(" ")
    if status.isdigit():
        headers["Status"] = status
    if description:
        headers["Description"] = description
    return headers | parse_header_lines(rest)


def parse_header_lines(raw: bytes) -> dict[str, str]:
    """
    Parse a header block as the client package does, looking at every name's characters once and not once a message.

    An event has 25 headers whose names are always the same; checking them anew took more than half of the time in
    which a long aggregate is read.
    """
    found: dict[str, str] = {}
    for line in raw.split(_CRLF):
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
