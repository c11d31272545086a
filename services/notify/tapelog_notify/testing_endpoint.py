"""Test help that ships with the service: a real HTTP endpoint that answers as it is told to, well or badly."""

import asyncio
import contextlib
import json
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web
from tapelog_chassis.testing import eventually


@dataclass(frozen=True)
class Reply:
    """
    How an endpoint answers one request.

    Attributes
    ----------
    delay_s
        Wait before the answer.
    reset
        Cut the connection instead of answering.
    body_bytes
        Length of the answer's body.
    """

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    reset: bool = False
    body_bytes: int = 0


@dataclass(frozen=True)
class Received:
    """One request that arrived."""

    time_s: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        """The `webhook-id`."""
        return self.headers["webhook-id"]


class Receiver:
    """
    A real HTTP endpoint on a free loopback port. Use as `async with Receiver() as receiver`.

    Attributes
    ----------
    replies
        Answers to the next requests; `usual` to all after them.
    received
        Every request, in order.
    refused_songs
        Events of these songs are answered with 500, whatever `replies` says.
    """

    def __init__(self, *replies: Reply, usual: Reply | None = None) -> None:
        self.replies = deque(replies)
        self.usual = usual or Reply()
        self.received: list[Received] = []
        self.refused_songs: set[str] = set()
        self._released = asyncio.Event()

    @property
    def accepted_ids(self) -> list[str]:
        """Ids of the events it answered with 2xx, in order."""
        return [item.event_id for item in self.accepted]

    async def __aenter__(self) -> Self:
        self.accepted: list[Received] = []
        application = web.Application(client_max_size=1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        self.url = f"http://127.0.0.1:{self.port}/hook"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._released.set()
        await self._runner.cleanup()

    async def wait_for(self, count: int, *, within_s: float = 20.0) -> None:
        """Wait until so many events were accepted."""
        await eventually(lambda: len(self.accepted) >= count, within_s=within_s)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(time.monotonic(), request.path, headers, body)
        self.received.append(received)
        reply = self.replies.popleft() if self.replies else self.usual
        if self.refused_songs and json.loads(body).get("song") in self.refused_songs:
            reply = Reply(500)
        if reply.delay_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(reply.delay_s):
                    await self._released.wait()
        if reply.reset and request.transport is not None:
            request.transport.abort()
        if 200 <= reply.status < 300 and not reply.reset:
            self.accepted.append(received)
        return web.Response(status=reply.status, headers=reply.headers, body=b"x" * reply.body_bytes or None)
