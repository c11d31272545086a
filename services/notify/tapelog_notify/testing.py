"""Test help that ships with the service: the whole service on a test's broker, and real endpoints that misbehave."""

import asyncio
import contextlib
import os
import signal
import sys
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from aiohttp import web
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import notify_service_pb2_grpc
from tapelog.session.v1 import events_pb2 as session
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.event_log import AggregateId, JetStreamEventLog, Metadata, NewEvent, StoredEvent
from tapelog_chassis.testing import Broker, eventually
from tapelog_chassis.testing_rpc import TokenFactory

from .main import run
from .settings import NotifySettings

TENANT: Final = "acme"
START_S: Final = 20.0
HANG_S: Final = 600.0


class Recorder:
    """Appends real events to the real log, as the session and render services do."""

    def __init__(self, logs: dict[str, JetStreamEventLog]) -> None:
        self._logs = logs
        self._sequences: dict[AggregateId, int] = {}
        self.appended: list[StoredEvent] = []

    @classmethod
    async def on(cls, broker: Broker) -> Self:
        """Open the logs of a broker."""
        session_log, render_log = await broker.log("session"), await broker.log("render")
        return cls({"session": session_log, "render": render_log, "usage": render_log})

    async def append(
        self,
        song: str = "sng-1",
        *,
        tenant: str = TENANT,
        project: str = "prj-1",
        context: str = "session",
        count: int = 1,
        type_: str = "tapelog.song.track_defined.v1",
        schema: str = "tapelog.session.v1.TrackDefined",
        data: bytes = b"",
        time: datetime | None = None,
    ) -> list[StoredEvent]:
        """Append events of one type to one aggregate; in other contexts than session it is named after the song."""
        aggregate = AggregateId(context, tenant, song)
        events = [
            NewEvent(event_id=str(uuid.uuid4()), type=type_, schema=schema, data=data, time=time or datetime.now(UTC))
            for _ in range(count)
        ]
        metadata = Metadata(actor="pty-ana", role_used="MIXING_ENGINEER", project=project, song=song)
        stored = await self._logs[context].append(aggregate, self._sequences.get(aggregate, 0), events, metadata)
        self._sequences[aggregate] = stored[-1].sequence
        self.appended += stored
        return stored

    async def advance_stage(self, song: str = "sng-1", **place: Any) -> StoredEvent:
        """Append a StageAdvanced."""
        data = session.StageAdvanced(**{"from": session.StageAdvanced().to}).SerializeToString()
        (event,) = await self.append(
            song,
            type_="tapelog.song.stage_advanced.v1",
            schema="tapelog.session.v1.StageAdvanced",
            data=data,
            **place,
        )
        return event


@dataclass
class NotifyClient:
    """A running notify service, and a caller of it."""

    address: str
    channel: grpc.aio.Channel
    tokens: TokenFactory

    @property
    def stub(self) -> Any:
        """The generated stub."""
        return notify_service_pb2_grpc.NotifyServiceStub(self.channel)

    def caller(
        self, *roles: str, tenant: str = TENANT, party: str = "svc-tool", kind: Any = "integration"
    ) -> tuple[tuple[str, str], ...]:
        """Return call metadata; by default of an integration that may read the tenant."""
        return self.tokens.metadata(party, tenant=tenant, kind=kind, tenant_roles=roles or ("INTEGRATION",))

    async def create(
        self,
        url: str = "",
        *,
        after_position: int | None = None,
        types: Sequence[str] = (),
        songs: Sequence[str] = (),
        secret: str = "",
        title: str = "",
        request_id: str = "",
        caller: tuple[tuple[str, str], ...] | None = None,
    ) -> pb.CreateSubscriptionResponse:
        """Create a webhook subscription, or one by NATS where there is no URL."""
        request = pb.CreateSubscriptionRequest(request_id=request_id or str(uuid.uuid4()))
        wanted = request.subscription
        wanted.title = title
        if url:
            wanted.webhook.url = url
            wanted.webhook.secret = secret
        else:
            wanted.nats.SetInParent()
        if after_position is not None:
            wanted.start.after_position = after_position
        wanted.filter.types.extend(types)
        wanted.filter.songs.extend(songs)
        created: pb.CreateSubscriptionResponse = await self.stub.CreateSubscription(
            request, metadata=caller or self.caller()
        )
        return created

    async def get(self, name: str) -> Any:
        """Read a subscription."""
        return await self.stub.GetSubscription(pb.GetSubscriptionRequest(name=name), metadata=self.caller())

    async def deliveries(self, name: str) -> list[Any]:
        """Read a webhook's attempts, newest first."""
        request = pb.ListDeliveriesRequest(parent=name, page_size=500)
        return list((await self.stub.ListDeliveries(request, metadata=self.caller())).deliveries)

    def subscribe(
        self,
        after_position: int | None = None,
        *,
        time: datetime | None = None,
        caller: tuple[tuple[str, str], ...] | None = None,
        projects: Sequence[str] = (),
        songs: Sequence[str] = (),
        types: Sequence[str] = (),
    ) -> Any:
        """Open an event stream."""
        request = pb.SubscribeRequest()
        request.filter.projects.extend(projects)
        request.filter.songs.extend(songs)
        request.filter.types.extend(types)
        if after_position is not None:
            request.start.after_position = after_position
        if time is not None:
            request.start.time.FromDatetime(time)
        return self.stub.Subscribe(request, metadata=caller or self.caller())


async def read_events(call: Any, count: int, *, within_s: float = 20.0) -> list[Any]:
    """Read this many events of a stream, leaving out the heartbeats."""
    found: list[Any] = []
    async with asyncio.timeout(within_s):
        while len(found) < count:
            response = await call.read()
            if response is grpc.aio.EOF:  # type: ignore[attr-defined]  # missing in the published stubs
                raise EOFError(f"the stream ended after {len(found)} of {count} events: {await call.code()}")
            if response.HasField("event"):
                found.append(response.event)
    return found


def settings_for(broker: Broker, data_dir: Path, **changes: Any) -> NotifySettings:
    """Make settings of a service on this broker, the issuer's key and the credentials file."""
    LocalIssuer.open(data_dir / "identity", create=True)
    creds = data_dir / "notify.creds"
    if not creds.exists():
        creds.write_text(broker.creds("notify"))
    values: dict[str, Any] = {
        "data_dir": data_dir,
        "nats_url": broker.url,
        "nats_creds": creds,
        "allow_loopback_webhooks": True,
        "drain_s": 2.0,
    }
    return NotifySettings(**(values | changes))


@contextlib.asynccontextmanager
async def running_notify(settings: NotifySettings) -> AsyncIterator[NotifyClient]:
    """Run the whole service in this process, as `tapelog up` does."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    def ready(**fields: object) -> None:
        started.set_result(str(fields["address"]))

    async with asyncio.TaskGroup() as group:
        group.create_task(run(settings, ready=ready, stop=stop), name="notify")
        try:
            async with asyncio.timeout(START_S):
                await started
            async with connected_client(settings, started.result()) as client:
                yield client
        finally:
            stop.set()


@contextlib.asynccontextmanager
async def connected_client(settings: NotifySettings, address: str) -> AsyncIterator[NotifyClient]:
    """Connect to a running service with tokens of its local issuer."""
    issuer = LocalIssuer.open(settings.data_dir / "identity")
    async with grpc.aio.insecure_channel(address) as channel:
        yield NotifyClient(address, channel, TokenFactory(audience="notify", issuer=issuer))


class NotifyProcess:
    """The service as a process of its own, to be killed."""

    def __init__(self, settings: NotifySettings) -> None:
        self._environment = {
            **os.environ,
            "TAPELOG_DATA_DIR": str(settings.data_dir),
            "TAPELOG_NATS_URL": settings.nats_url,
            "TAPELOG_NATS_CREDS": str(settings.nats_creds),
            "TAPELOG_ALLOW_LOOPBACK_WEBHOOKS": "true",
            "TAPELOG_PORT": str(settings.port),
            "TAPELOG_LOG_LEVEL": "warning",
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it may not serve yet."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tapelog_notify", env=self._environment, stdin=asyncio.subprocess.DEVNULL
        )

    async def stop(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self._process.wait()


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
    """

    def __init__(self, *replies: Reply, usual: Reply | None = None) -> None:
        self.replies = deque(replies)
        self.usual = usual or Reply()
        self.received: list[Received] = []
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
        if reply.delay_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(reply.delay_s):
                    await self._released.wait()
        if reply.reset and request.transport is not None:
            request.transport.abort()
        if 200 <= reply.status < 300 and not reply.reset:
            self.accepted.append(received)
        return web.Response(status=reply.status, headers=reply.headers, body=b"x" * reply.body_bytes or None)
