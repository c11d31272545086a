"""Offer a service load in raw HTTP/2 for a twentieth of what a gRPC client costs: it has to share its processor.

`python flood.py '{"address": …}'` prints what came of it as JSON. Each connection is one client that ignores how many
calls the server lets it have at once; it ends a call at its deadline, as every gRPC client does (RFC 9113, gRPC over
HTTP2). Requests are made beforehand: for each song the bytes of a frame, in which only the request id differs.
"""

import asyncio
import json
import struct
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from http2_frames import (
    ACK,
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER,
    HEADERS,
    PING,
    PREFACE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    literal,
)
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.auth import LocalIssuer

METHOD: Final = "/tapelog.session.v1.SessionService/AddNote"
TICK_S: Final = 0.004
NO_ID: Final = "00000000-0000-4000-8000-000000000000"
HEADER_TABLE_SIZE: Final = 1
WINDOW_MAX: Final = 2**31 - 1
WINDOW_FIRST: Final = 65_535
_STATUS: Final = b"grpc-status"
CODES: Final = {0: "OK", 1: "CANCELLED", 4: "DEADLINE_EXCEEDED", 8: "RESOURCE_EXHAUSTED", 14: "UNAVAILABLE"}


@dataclass(kw_only=True)
class Flood:
    """What is offered: `rate` calls begin in a second whatever becomes of those before, or `at_once` are under way."""

    address: str
    issuer_dir: str
    party: str
    songs: list[str]
    seconds: float
    connections: int
    rate: float = 0.0
    at_once: int = 0
    call_s: float = 2.0
    method: str = METHOD
    codes: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    good: int = 0
    begun: int = 0

    async def run(self) -> dict[str, object]:
        """Offer it."""
        issuer = LocalIssuer.open(Path(self.issuer_dir))
        token = issuer.mint(audiences=["session"], tenant="local", party=self.party, kind="person")
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", self.method),
            (":authority", self.address),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", f"{1000 * self.call_s:.0f}m"),
            ("authorization", f"Bearer {token}"),
        ]
        self.headers = b"".join(literal(name, value) for name, value in fields)
        self._requests = [self._request_of(song) for song in self.songs]
        host, _, port = self.address.rpartition(":")
        loop = asyncio.get_running_loop()
        made = [await loop.create_connection(lambda: Client(self), host, int(port)) for _ in range(self.connections)]
        clients = [client for _, client in made]
        await asyncio.gather(*(client.greeted.wait() for client in clients))
        self.end_s = time.monotonic() + self.seconds
        for number in range(self.at_once):
            clients[number % self.connections].call(time.monotonic())
        await (self._wait(clients) if self.at_once else self._begin_at_a_rate(clients))
        while any(client.open for client in clients):
            await self._tick(clients)
        for client in clients:
            client.transport.close()
        self.latencies_s.sort()
        return {
            "good_per_s": self.good / self.seconds,
            "offered_per_s": self.begun / self.seconds,
            "codes": self.codes,
            "p99_s": self.latencies_s[int(0.99 * (len(self.latencies_s) - 1))] if self.latencies_s else 0.0,
            "generator_cpu_s": time.process_time(),
        }

    def next_request(self) -> tuple[bytes, bytes]:
        """Return what comes before and behind the next call's request id."""
        self.begun += 1
        return self._requests[self.begun % len(self._requests)]

    def ended(self, code: str, begun_s: float) -> None:
        """Note what came of a call."""
        now_s = time.monotonic()
        self.codes[code] += 1
        if code == "OK":
            self.latencies_s.append(now_s - begun_s)
            self.good += now_s <= self.end_s and now_s - begun_s <= self.call_s

    def _request_of(self, song: str) -> tuple[bytes, bytes]:
        request = rpc.AddNoteRequest(song=song, text="an offer", severity=res.NOTE_SEVERITY_SHOULD, request_id=NO_ID)
        data = request.SerializeToString()
        before, _, behind = (b"\x00" + struct.pack(">I", len(data)) + data).partition(NO_ID.encode())
        return before, behind

    async def _begin_at_a_rate(self, clients: "list[Client]") -> None:
        begun_s, begun = time.monotonic(), 0
        while (now_s := time.monotonic()) < self.end_s:
            for number in range(begun, int((now_s - begun_s) * self.rate)):
                clients[number % self.connections].call(begun_s + number / self.rate)
                begun = number + 1
            await self._tick(clients)

    async def _wait(self, clients: "list[Client]") -> None:
        while time.monotonic() < self.end_s:
            await self._tick(clients)

    async def _tick(self, clients: "list[Client]") -> None:
        await asyncio.sleep(TICK_S)
        for client in clients:
            client.give_up()
            client.flush()


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        self._stream = -1
        self._window = WINDOW_FIRST
        self._read = b""
        self._out: list[bytes] = []
        self._waiting: deque[tuple[float, int]] = deque()
        self.open: dict[int, float] = {}
        self.greeted = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet: no table of header fields, so that a status can be read without one, and an open window."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a TCP connection's is both
        settings = struct.pack(">HI", HEADER_TABLE_SIZE, 0)
        update = struct.pack(">I", WINDOW_MAX - WINDOW_FIRST)
        self.transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, update))

    def call(self, begun_s: float) -> None:
        """Begin a call that was due at a time."""
        before, behind = self._flood.next_request()
        body = b"%b%08x-0000-4000-8000-%012x%b" % (before, id(self) & 0xFFFFFFFF, self._stream + 2, behind)
        if self._window < len(body):
            self._flood.ended("NO_WINDOW", begun_s)
            return
        self._window -= len(body)
        self._stream += 2
        self.open[self._stream] = begun_s
        self._waiting.append((begun_s + self._flood.call_s, self._stream))
        self._out.append(frame(HEADERS, END_HEADERS, self._stream, self._flood.headers))
        self._out.append(frame(DATA, END_STREAM, self._stream, body))

    def give_up(self) -> None:
        """End the calls whose deadline has passed."""
        now_s = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now_s:
            _, stream = self._waiting.popleft()
            if stream in self.open:
                self._out.append(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
                self._ended(stream, "DEADLINE_EXCEEDED")

    def flush(self) -> None:
        """Send what was said."""
        if self._out:
            self.transport.write(b"".join(self._out))
            self._out.clear()

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        read = self._read + data if self._read else data
        at = 0
        while len(read) - at >= 9:
            high, low, kind, flags, stream = HEADER.unpack_from(read, at)
            end = at + 9 + (high << 8 | low)
            if end > len(read):
                break
            self._take(kind, flags, stream, read[at + 9 : end])
            at = end
        self._read = read[at:]
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count what was under way."""
        for stream in tuple(self.open):
            self._ended(stream, "CONNECTION_LOST")

    def _take(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == HEADERS and flags & END_STREAM:
            at = body.find(_STATUS) + len(_STATUS)
            number = int(body[at + 1 : at + 1 + body[at]])
            self._ended(stream, CODES.get(number, str(number)))
        elif kind == RST_STREAM:
            number = int.from_bytes(body)
            self._ended(stream, "REFUSED_STREAM" if number == REFUSED_STREAM else f"RST_STREAM {number}")
        elif kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(body)
        elif kind == PING and not flags & ACK:
            self._out.append(frame(PING, ACK, 0, body))
        elif kind == SETTINGS and not flags & ACK:
            self._out.append(frame(SETTINGS, ACK, 0))
        elif kind == SETTINGS:
            self.greeted.set()

    def _ended(self, stream: int, code: str) -> None:
        begun_s = self.open.pop(stream, None)
        if begun_s is None:
            return
        self._flood.ended(code, begun_s)
        if self._flood.at_once and time.monotonic() < self._flood.end_s:
            self.call(time.monotonic())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(Flood(**json.loads(sys.argv[1])).run())))
