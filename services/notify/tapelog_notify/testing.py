"""Test help that ships with the service: the whole service on a test's broker, a caller, and a writer of events."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import notify_service_pb2_grpc
from tapelog.session.v1 import events_pb2 as session
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.event_log import AggregateId, JetStreamEventLog, Metadata, NewEvent, StoredEvent
from tapelog_chassis.failpoints import VARIABLE as FAILPOINT
from tapelog_chassis.rpc.testing_rpc import TokenFactory
from tapelog_chassis.testing import Broker

from .domain.public_event import PublicEvent
from .main import run
from .settings import NotifySettings

TENANT: Final = "acme"
START_S: Final = 20.0


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
        unordered: bool = False,
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
            wanted.webhook.unordered = unordered
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
        found: list[Any] = []
        while True:
            page = await self.stub.ListDeliveries(request, metadata=self.caller())
            found += page.deliveries
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

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


def public_event(position: int, *, song: str = "sng-1", time: datetime | None = None) -> PublicEvent:
    """Return a public event as a stream would have it at a position."""
    return PublicEvent(
        id=f"evt-{position}", type="tapelog.song.track_defined.v1", source="/tapelog/session",
        time=time or datetime(2026, 1, 1, tzinfo=UTC), tenant=TENANT, project="prj-1", song=song, aggregate=song,
        sequence=position, position=position, actor="pty-ana", on_behalf_of="", role_used="", correlation_id="",
        causation_id="", schema="tapelog.session.v1.TrackDefined", data=b"",
    )  # fmt: skip


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
        "port": 0,
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
    """The service as a process of its own, to be killed. Use as `async with`: nothing is left running."""

    def __init__(self, settings: NotifySettings) -> None:
        self._environment = {
            **os.environ,
            "TAPELOG_DATA_DIR": str(settings.data_dir),
            "TAPELOG_NATS_URL": settings.nats_url,
            "TAPELOG_NATS_CREDS": str(settings.nats_creds),
            "TAPELOG_ALLOW_LOOPBACK_WEBHOOKS": "true",
            "TAPELOG_PORT": str(settings.port),
            "TAPELOG_WEBHOOK_TIMEOUT_S": str(settings.webhook_timeout_s),
            "TAPELOG_WEBHOOK_SCHEDULE_S": json.dumps(settings.webhook_schedule_s),
            "TAPELOG_LOG_LEVEL": os.environ.get("TAPELOG_LOG_LEVEL", "warning"),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Its process id, once it was started."""
        if self._process is None:
            raise RuntimeError("the process was not started")
        return self._process.pid

    async def start(self, *, failpoint: str = "") -> None:
        """Start it, to die at a place if one is named; it may not serve yet."""
        environment = {**self._environment, FAILPOINT: failpoint} if failpoint else self._environment
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tapelog_notify", env=environment, stdin=asyncio.subprocess.DEVNULL
        )

    async def died(self) -> int:
        """Wait for its end; returns the exit status."""
        if self._process is None:
            raise RuntimeError("the process was not started")
        return await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self._process.wait()
