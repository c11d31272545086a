"""A render service on a real broker, with real worker processes and a session service that knows roles."""

import asyncio
import contextlib
import dataclasses
import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import psutil
from nats.aio.client import Client
from tapelog.render.v1.events_pb2 import UsageSettled
from tapelog.render.v1.render_service_pb2 import (
    CreateRenderJobRequest,
    GetRenderJobRequest,
    ListUsageEntriesRequest,
    WatchRenderJobRequest,
)
from tapelog.render.v1.render_service_pb2_grpc import RenderServiceStub
from tapelog.render.v1.resources_pb2 import JobState, RenderJob, UsageEntry, UsageState
from tapelog.session.v1.resources_pb2 import Asset, Role, Song
from tapelog.session.v1.session_service_pb2 import (
    CheckPermissionRequest,
    CheckPermissionResponse,
    GetAssetRequest,
    GetSongRequest,
)
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from tapelog_chassis import topology
from tapelog_chassis.auth import Kind, LocalIssuer, TokenVerifier, signed_in
from tapelog_chassis.event_log import AggregateId, JetStreamEventLog, StoredEvent
from tapelog_chassis.nats.api import request
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.rpc.call_layers import AUTHORIZATION
from tapelog_chassis.rpc.grpc_options import ServerConfig
from tapelog_chassis.rpc.grpc_server import build_server
from tapelog_chassis.rpc.request_context import current_principal
from tapelog_chassis.testing import Broker, embedded_nats, eventually
from tapelog_render.adapters.worker_pool import WorkerPool
from tapelog_render.application.events import REGISTRY, job_aggregate
from tapelog_render.main import run
from tapelog_render.settings import RenderSettings

from .material import PROJECT, SONG, mix_job, mix_recipe, put_audio, tone

TENANT: Final = "acme"
ENDED: Final = {JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED}


class RolesOfOneProject(SessionServiceServicer):
    """The session service as far as this one asks it: the mixing engineer may render in one project, nobody else."""

    def __init__(self) -> None:
        self.uploaded: set[str] = set()

    async def CheckPermission(  # noqa: N802 - the RPC's name
        self, request: CheckPermissionRequest, _context: Any
    ) -> CheckPermissionResponse:
        """Answer from the caller's own token."""
        allowed = request.project == f"projects/{PROJECT}" and current_principal().acting_party == "pty-mix"
        return CheckPermissionResponse(
            allowed=allowed,
            role=Role.ROLE_MIXING_ENGINEER if allowed else Role.ROLE_UNSPECIFIED,
            membership_sequence=7,
            reason="" if allowed else "no role in the project allows it",
        )

    async def GetSong(  # noqa: N802 - the RPC's name
        self, request: GetSongRequest, context: Any
    ) -> Song:
        """Know every song of the one project, but those called foreign."""
        if not request.name.startswith(f"projects/{PROJECT}/songs/") or request.name.endswith("-foreign"):
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such song")
        return Song(name=request.name)

    async def GetAsset(  # noqa: N802 - the RPC's name
        self, request: GetAssetRequest, context: Any
    ) -> Asset:
        """Know every asset that a test says was uploaded to the one project."""
        if request.name.rpartition("/")[2] not in self.uploaded:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such asset")
        return Asset(name=request.name)


@dataclasses.dataclass
class Studio:
    """A running render service and what a test does with it."""

    broker: Broker
    connection: Client
    issuer: LocalIssuer
    objects: ObjectStore
    stub: RenderServiceStub
    pool: WorkerPool
    folder: Path
    stop: asyncio.Event
    settings: RenderSettings
    stub_address: str = ""
    uploaded: set[str] = dataclasses.field(default_factory=set)

    def caller(
        self,
        party: str = "svc-session",
        *,
        kind: Kind = "service",
        tenant: str = TENANT,
        roles: Sequence[str] = (),
        acts_for: str = "",
    ) -> tuple[tuple[str, str], ...]:
        """Return call metadata of a caller; by default the session service itself."""
        token = self.issuer.mint(
            audiences=["render", "session"],
            tenant=tenant,
            party=party,
            kind=kind,
            tenant_roles=roles,
            on_behalf_of=acts_for,
        )
        return ((AUTHORIZATION, f"Bearer {token}"),)

    async def create(self, job: RenderJob, *, request_id: str = "", metadata: Any = None) -> RenderJob:
        """Ask for a job."""
        wanted = CreateRenderJobRequest(job=job, request_id=request_id or str(uuid.uuid4()))
        return await self.stub.CreateRenderJob(wanted, metadata=metadata or self.caller())

    async def get(self, name: str) -> RenderJob:
        """Read a job."""
        return await self.stub.GetRenderJob(GetRenderJobRequest(name=name), metadata=self.caller())

    async def ended(self, name: str, *, within_s: float = 60.0) -> RenderJob:
        """Watch a job to its end and return it as it ended."""
        async with asyncio.timeout(within_s):
            last = RenderJob()
            async for job in self.stub.WatchRenderJob(WatchRenderJobRequest(name=name), metadata=self.caller()):
                last = job
        assert last.state in ENDED, last
        return last

    async def running(self, name: str) -> RenderJob:
        """Wait until an attempt has made some progress."""
        async for job in self.stub.WatchRenderJob(WatchRenderJobRequest(name=name), metadata=self.caller()):
            if job.state == JobState.JOB_STATE_RUNNING and job.progress_percent > 0:
                return job
            assert job.state not in ENDED, f"the job ended before it could be disturbed: {job}"
        raise AssertionError("the watch ended early")

    async def events(self, name: str) -> list[StoredEvent]:
        """Return a job's events."""
        return await self.log().load(job_aggregate(TENANT, name.removeprefix("renderJobs/")))

    async def event_names(self, name: str) -> list[str]:
        """Return a job's events by name."""
        return [type(REGISTRY.decode(event)).__name__ for event in await self.events(name)]

    async def account_events(self) -> list[Any]:
        """Return the account's events as messages."""
        return list(map(REGISTRY.decode, await self.log().load(AggregateId("usage", TENANT, PROJECT))))

    async def usage_events(self, song: str) -> list[Any]:
        """Return a song's events in the account as messages."""
        return [event for event in await self.account_events() if event.entry.song == song]

    async def usage(self, song: str, *, states: set[int] | None = None) -> list[UsageEntry]:
        """Return a song's entries, waiting until all are in one of some states."""
        found: list[UsageEntry] = []

        async def settled() -> bool:
            answer = await self.stub.ListUsageEntries(ListUsageEntriesRequest(account=PROJECT), metadata=self.caller())
            found[:] = [entry for entry in answer.entries if entry.song == song]
            return states is None or (bool(found) and all(entry.state in states for entry in found))

        await eventually(settled)
        return found

    async def queue_depth(self) -> int:
        """Return how many messages the queue holds."""
        answer = await request(self.connection, f"STREAM.INFO.{topology.JOBS}")
        return int(answer["state"]["messages"])

    def log(self) -> JetStreamEventLog:
        """Open the event log as the render service."""
        return JetStreamEventLog(self.connection)

    def worker_of(self, job: RenderJob) -> psutil.Process:
        """Return the process that works on a job."""
        return psutil.Process(int(job.worker.rpartition("-")[2]))

    def engine_of(self, job: RenderJob) -> psutil.Process:
        """Return the engine process that renders a job."""
        (engine,) = self.worker_of(job).children()
        return engine


@contextlib.asynccontextmanager
async def running_studio(
    folder: Path, *, workers: int = 2, ack_wait_s: float = 2.0, **settings: Any
) -> AsyncIterator[Studio]:
    """Run everything that the render service needs, and the service itself with its workers."""
    issuer = LocalIssuer.open(folder / "identity", create=True)
    verifier = TokenVerifier.from_jwks(issuer.jwks(), audience="session")
    roles = RolesOfOneProject()
    session = build_server(
        ServerConfig(drain_s=0.5),
        [(add_SessionServiceServicer_to_server, roles, "tapelog.session.v1.SessionService")],
        verifier=verifier,
        policies={
            f"/tapelog.session.v1.SessionService/{method}": signed_in()
            for method in ("CheckPermission", "GetSong", "GetAsset")
        },
    )
    async with embedded_nats(folder / "broker") as broker, session:
        creds = {}
        for name in ("render", "worker"):
            creds[name] = folder / f"{name}.creds"
            creds[name].write_text(broker.creds(name))
        values = RenderSettings(
            data_dir=folder,
            port=0,
            nats_url=broker.url,
            nats_creds=creds["render"],
            worker_nats_creds=creds["worker"],
            session_address=session.address,
            workers=workers,
            heartbeat_s=ack_wait_s / 4,
            job_lease_s=ack_wait_s,
            reuse_results=False,  # tests disturb renders, so each has to be one
            worker_drain_s=5.0,
            drain_s=1.0,
            log_level="warning",
        ).model_copy(update=settings)
        async with (
            serving(values) as (ready, stop),
            grpc.aio.insecure_channel(str(ready["address"])) as channel,
        ):
            yield Studio(
                broker=broker,
                connection=await broker.connect("render"),
                issuer=issuer,
                objects=ObjectStore(folder / "objects"),
                stub=RenderServiceStub(channel),
                pool=ready["workers"],
                folder=folder,
                stop=stop,
                settings=values,
                stub_address=str(ready["address"]),
                uploaded=roles.uploaded,
            )


@contextlib.asynccontextmanager
async def serving(settings: RenderSettings) -> AsyncIterator[tuple[dict[str, Any], asyncio.Event]]:
    """Run the service until the block ends; its crash ends the block."""
    stop = asyncio.Event()
    ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def on_ready(**fields: object) -> None:
        ready.set_result(dict(fields))

    service = asyncio.create_task(run(settings, ready=on_ready, stop=stop))
    try:
        await asyncio.wait([service, ready], return_when=asyncio.FIRST_COMPLETED)
        if service.done():
            service.result()
        yield ready.result(), stop
    finally:
        stop.set()
        await service


async def store_tones(studio: Studio, count: int = 2, *, seconds: float = 1.0) -> list[str]:
    """Store tones and return their digests."""
    return [
        await put_audio(studio.objects, studio.folder, tone(seconds, 220.0 * (n + 1), seed=n)) for n in range(count)
    ]


async def long_mix(studio: Studio, *, seconds: float = 40.0, layers: int = 10, song: str = SONG) -> RenderJob:
    """Make a mix that takes some 0.1 s a layer to render; each layer plays the same sources again."""
    assets = [await put_audio(studio.objects, studio.folder, tone(seconds, 110.0 * (n + 1), seed=n)) for n in range(8)]
    return mix_job(mix_recipe(assets * layers), song=song)


async def assert_ended_once(studio: Studio, job: RenderJob) -> None:
    """Check: one RenderSucceeded, one settlement, and the object is what its name says."""
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    names = await studio.event_names(job.name)
    assert names.count("RenderSucceeded") == 1
    assert names[-1] == "RenderSucceeded"
    await studio.usage(job.reference.song, states={UsageState.USAGE_STATE_SETTLED})
    settled = [event for event in await studio.usage_events(job.reference.song) if isinstance(event, UsageSettled)]
    assert [event.entry.job for event in settled] == [job.name.removeprefix("renderJobs/")]
    for audio in job.result.audio:
        stored = studio.objects.local_path(audio.sha256)
        assert stored is not None
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == audio.sha256
