"""A render service on a real broker, with real worker processes, real audio and a session service that knows roles."""

import asyncio
import contextlib
import dataclasses
import itertools
import math
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import psutil
import pytest
import soundfile
from tapelog.common.v1.recipe_pb2 import (
    Compressor,
    EqBand,
    Equalizer,
    MasterRecipe,
    MasterTarget,
    MixRecipe,
    OutputFormat,
    Processor,
    RecipeBus,
    RecipeSend,
    RecipeSource,
    RecipeTrack,
    Reverb,
)
from tapelog.render.v1.render_service_pb2 import (
    CreateRenderJobRequest,
    GetRenderJobRequest,
    ListUsageEntriesRequest,
    WatchRenderJobRequest,
)
from tapelog.render.v1.render_service_pb2_grpc import RenderServiceStub
from tapelog.render.v1.resources_pb2 import (
    AnalysisSpec,
    JobState,
    MasterSpec,
    MixSpec,
    PriorityClass,
    RenderJob,
    RenderKind,
    RenderReference,
    UsageEntry,
)
from tapelog.session.v1.resources_pb2 import Role
from tapelog.session.v1.session_service_pb2 import CheckPermissionRequest, CheckPermissionResponse
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceServicer, add_SessionServiceServicer_to_server
from tapelog_chassis import topology
from tapelog_chassis.auth import Kind, LocalIssuer, TokenVerifier, signed_in
from tapelog_chassis.call_layers import AUTHORIZATION
from tapelog_chassis.event_log import AggregateId, StoredEvent
from tapelog_chassis.grpc_options import ServerConfig
from tapelog_chassis.grpc_server import build_server
from tapelog_chassis.nats import connected
from tapelog_chassis.nats.api import request
from tapelog_chassis.nats.provision import consumer_config
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.request_context import current_principal
from tapelog_chassis.testing import Broker, embedded_nats, eventually
from tapelog_render.adapters.worker_pool import WorkerPool
from tapelog_render.application.events import REGISTRY, job_aggregate
from tapelog_render.main import run
from tapelog_render.settings import RenderSettings

TENANT: Final = "acme"
PROJECT: Final = "prj-pier"
SONG: Final = "sng-pier"
RATE_HZ: Final = 48_000
ENDED: Final = {JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED}


class RolesOfOneProject(SessionServiceServicer):
    """The session service as far as permission goes: the mixing engineer may render in one project, nobody else."""

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


@dataclasses.dataclass
class Studio:
    """A running render service and what a test does with it."""

    broker: Broker
    issuer: LocalIssuer
    objects: ObjectStore
    stub: RenderServiceStub
    pool: WorkerPool
    folder: Path
    stop: asyncio.Event

    def caller(
        self, party: str = "svc-session", *, kind: Kind = "service", tenant: str = TENANT, roles: Sequence[str] = ()
    ) -> tuple[tuple[str, str], ...]:
        """Return call metadata of a caller; by default the session service itself."""
        token = self.issuer.mint(
            audiences=["render", "session"], tenant=tenant, party=party, kind=kind, tenant_roles=roles
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
        log = await self.broker.log("render")
        return await log.load(job_aggregate(TENANT, name.removeprefix("renderJobs/")))

    async def event_names(self, name: str) -> list[str]:
        """Return a job's events by name."""
        return [type(REGISTRY.decode(event)).__name__ for event in await self.events(name)]

    async def usage_events(self, account: str = PROJECT) -> list[Any]:
        """Return an account's events as messages."""
        log = await self.broker.log("render")
        return [REGISTRY.decode(event) for event in await log.load(AggregateId("usage", TENANT, account))]

    async def usage(self, *, states: set[int] | None = None) -> list[UsageEntry]:
        """Return the account's entries, waiting until all are in one of some states."""
        found: list[UsageEntry] = []

        async def settled() -> bool:
            answer = await self.stub.ListUsageEntries(ListUsageEntriesRequest(account=PROJECT), metadata=self.caller())
            found[:] = answer.entries
            return states is None or (bool(found) and all(entry.state in states for entry in found))

        await eventually(settled)
        return found

    async def queue_depth(self) -> int:
        """Return how many messages the queue holds."""
        connection = await self.broker.connect("render")
        answer = await request(connection, f"STREAM.INFO.{topology.JOBS}")
        return int(answer["state"]["messages"])

    def worker_of(self, job: RenderJob) -> psutil.Process:
        """Return the process that works on a job."""
        return psutil.Process(int(job.worker.rpartition("-")[2]))

    def engine_of(self, job: RenderJob) -> psutil.Process:
        """Return the engine process that renders a job."""
        (engine,) = self.worker_of(job).children()
        return engine


def tone(seconds: float, frequency_hz: float, *, channels: int = 1, seed: int = 1) -> np.ndarray:
    """Return a decaying tone with a little seeded noise, `[frames, channels]`."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    signal = 0.25 * np.sin(2 * math.pi * frequency_hz * time_s) * (0.6 + 0.4 * np.sin(2 * math.pi * 1.5 * time_s))
    noise = 0.01 * generator.standard_normal((len(time_s), channels))
    return (signal[:, None] + noise).astype(np.float32)


async def put_audio(objects: ObjectStore, folder: Path, samples: np.ndarray) -> str:
    """Store samples as a 24-bit WAV and return the object's digest."""
    path = folder / f"{uuid.uuid4().hex}.wav"
    await asyncio.to_thread(soundfile.write, path, samples, RATE_HZ, subtype="PCM_24")
    return (await objects.put_file(path)).sha256


def mix_recipe(assets: Sequence[str], *, gain_db: float = -6.0) -> MixRecipe:
    """Return a mix with an equaliser and a compressor on every track, and a reverb on a send."""
    tracks = [
        RecipeTrack(
            id=f"track-{n}",
            source=RecipeSource(asset_sha256=asset),
            gain_db=gain_db,
            pan=(-0.5, 0.0, 0.5)[n % 3],
            chain=[
                Processor(eq=Equalizer(bands=[EqBand(frequency_hz=800.0, gain_db=2.0, q=1.0)])),
                Processor(compressor=Compressor(threshold_db=-20.0)),
            ],
            sends=[RecipeSend(bus="room", gain_db=-12.0)],
            tags=["vocal"] if n == 0 else ["band"],
        )
        for n, asset in enumerate(assets)
    ]
    return MixRecipe(
        sample_rate_hz=RATE_HZ,
        tracks=tracks,
        buses=[RecipeBus(id="room", chain=[Processor(reverb=Reverb(decay_s=1.2))])],
        tail_s=0.5,
    )


def reference(key: str = "mixVersions/1") -> RenderReference:
    """Return what a job is for."""
    return RenderReference(project=PROJECT, song=SONG, key=key, cycle=1)


def mix_job(recipe: MixRecipe, *, key: str = "mixVersions/1", frames: int = 0) -> RenderJob:
    """Return a mix to ask for."""
    return RenderJob(
        kind=RenderKind.RENDER_KIND_MIX,
        mix=MixSpec(recipe=recipe, outputs=[OutputFormat(bit_depth=24)]),
        reference=reference(key),
        expected_length_frames=frames,
        external_ref="BOOK-4711",
    )


def master_job(asset: str) -> RenderJob:
    """Return a master to ask for."""
    recipe = MasterRecipe(source=RecipeSource(asset_sha256=asset), target=MasterTarget(name="streaming"))
    return RenderJob(
        kind=RenderKind.RENDER_KIND_MASTER, master=MasterSpec(recipe=recipe), reference=reference("masterVersions/1")
    )


def analysis_job(asset: str) -> RenderJob:
    """Return an arrival check to ask for."""
    return RenderJob(
        kind=RenderKind.RENDER_KIND_ANALYSIS,
        analysis=AnalysisSpec(asset_sha256=asset),
        priority_class=PriorityClass.PRIORITY_CLASS_INTERACTIVE,
        reference=reference("takes/tk-1"),
    )


async def set_lease(broker: Broker, ack_wait_s: float) -> None:
    """Shorten the lease of the queue's consumers."""
    async with connected(broker.url, name="admin", creds=broker.creds("admin")) as admin:
        for spec in topology.CONSUMERS:
            if spec.stream == topology.JOBS:
                config = consumer_config(dataclasses.replace(spec, ack_wait_s=ack_wait_s))
                body = {"stream_name": spec.stream, "config": config, "action": "update"}
                await request(admin, f"CONSUMER.CREATE.{spec.stream}.{spec.name}.{spec.filters[0]}", body)


@contextlib.asynccontextmanager
async def running_studio(
    folder: Path, *, workers: int = 2, ack_wait_s: float = 2.0, **settings: Any
) -> AsyncIterator[Studio]:
    """Run everything that the render service needs, and the service itself with its workers."""
    issuer = LocalIssuer.open(folder / "identity", create=True)
    verifier = TokenVerifier.from_jwks(issuer.jwks(), audience="session")
    session = build_server(
        ServerConfig(drain_s=0.5),
        [(add_SessionServiceServicer_to_server, RolesOfOneProject(), "tapelog.session.v1.SessionService")],
        verifier=verifier,
        policies={"/tapelog.session.v1.SessionService/CheckPermission": signed_in()},
    )
    async with embedded_nats(folder / "broker") as broker, session:
        await set_lease(broker, ack_wait_s)
        creds = {}
        for name in ("render", "worker"):
            creds[name] = folder / f"{name}.creds"
            creds[name].write_text(broker.creds(name))
        values = {
            "data_dir": folder,
            "nats_url": broker.url,
            "nats_creds": creds["render"],
            "worker_nats_creds": creds["worker"],
            "session_address": session.address,
            "workers": workers,
            "heartbeat_s": ack_wait_s / 4,
            "worker_drain_s": 5.0,
            "drain_s": 1.0,
            "log_level": "warning",
            **settings,
        }
        async with serving(RenderSettings(**values)) as (ready, stop):
            async with grpc.aio.insecure_channel(str(ready["address"])) as channel:
                yield Studio(
                    broker=broker,
                    issuer=issuer,
                    objects=ObjectStore(folder / "objects"),
                    stub=RenderServiceStub(channel),
                    pool=ready["workers"],
                    folder=folder,
                    stop=stop,
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


StudioFactory = Callable[..., contextlib.AbstractAsyncContextManager[Studio]]


@pytest.fixture
def open_studio(tmp_path: Path) -> StudioFactory:
    """Open studios with settings of the test's own, each in a folder of its own."""
    numbers = itertools.count()

    def open_(**settings: Any) -> contextlib.AbstractAsyncContextManager[Studio]:
        folder = tmp_path / f"studio-{next(numbers)}"
        folder.mkdir()
        return running_studio(folder, **settings)

    return open_


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    """A studio with two workers."""
    async with running_studio(tmp_path) as running:
        yield running
