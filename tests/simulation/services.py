"""The services as the simulation runs them: their own code on simulated ports, wired as their `main` wires it."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.render.v1.render_service_pb2 import CreateRenderJobRequest
from tapelog_chassis.errors import Aborted, ResourceExhausted, ServiceError, Unavailable
from tapelog_chassis.topology import RENDER_LEDGER, RENDER_OUTCOMES, SESSION_PROCESS, SESSION_RENDERS
from tapelog_render.application.access import Caller
from tapelog_render.application.asking.room import Submission
from tapelog_render.application.asking.submit import create_render_job
from tapelog_render.application.events import Repositories, job_repository
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.queueing.reconcile import reconcile_forever
from tapelog_render.application.usage.ledger import UsageLedger
from tapelog_render.application.working.work import Bench, work_on
from tapelog_session.adapters import feeds
from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.following.follow_ups import follow_up
from tapelog_session.application.following.processes import PARTY, ProcessState, drive
from tapelog_session.application.following.render_outcomes import record_outcome
from tapelog_session.application.following.render_requests import CREATE, request_renders
from tapelog_session.application.ports import RenderRefused, RenderUnavailable

from .broker import SimulatedBroker
from .faults import Network, Process, caller
from .loop import VirtualClock
from .ports import Consumer, Delivered, SimulatedLog
from .workshop import (
    ENGINE,
    HEARTBEAT_S,
    SimulatedEngine,
    SimulatedObjects,
    SimulatedQueue,
    SimulatedSignals,
)

CALL_S: Final = 5.0
PAUSE_S: Final = 1.0
SKEW_S: Final = 2.0
"""How far the clocks of two services may be apart."""

T = TypeVar("T")


class CallFailed(Exception):  # noqa: N818 - names a state
    """A call was not answered: whether it had its effect is unknown."""


async def call(network: Network, server: Process, handler: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Call a process over the network; `CallFailed` if there is no answer."""
    caller()
    await network.pause()
    weather, rng = network.weather, network.rng
    if (weather.lost_request and rng.random() < weather.lost_request) or not server.is_up:
        await asyncio.sleep(0.1)
        raise CallFailed
    handling = server.spawn(handler())
    if weather.doubled and rng.random() < weather.doubled:
        server.spawn(handler())
    await asyncio.wait([handling], timeout=CALL_S)
    caller()
    if not handling.done() or handling.cancelled() or (weather.lost_reply and rng.random() < weather.lost_reply):
        raise CallFailed
    return handling.result()


class SessionService:
    """A replica of the session service: its aggregates, and where it is the first one, both of its processes."""

    def __init__(
        self, name: str, broker: SimulatedBroker, network: Network, render: "RenderService", *, processes: bool
    ) -> None:
        self._processes = processes
        self._broker = broker
        self._network = network
        self._log = SimulatedLog(broker, network)
        self._renders = CalledRenders(network, render)
        self._skew_s = network.rng.uniform(-SKEW_S, SKEW_S)
        self.process = Process(name, self._main)
        self.states: list[ProcessState] = []
        self.aggregates = Aggregates.on(self._log)

    async def _main(self) -> None:
        aggregates = Aggregates.on(self._log, clock=VirtualClock(self._skew_s))
        self.aggregates = aggregates
        if not self._processes:
            await asyncio.Event().wait()
        asking, recording = ProcessState(), ProcessState()
        self.states = [asking, recording]

        async def ask(step: Delivered) -> None:
            await follow_up(aggregates, [step.message])
            await request_renders(aggregates.songs, EVENTS, self._renders, step.message)

        async def record(step: Delivered) -> None:
            await record_outcome(aggregates.songs, feeds.render_outcome_of(feeds.DeliveryStep(step.message)))

        async with asyncio.TaskGroup() as group:
            group.create_task(drive("ask-for-renders", aiter(session_facts(self._broker, self._network)), ask, asking))
            group.create_task(
                drive("record-renders", aiter(render_ends(self._broker, self._network)), record, recording)
            )


def session_facts(broker: SimulatedBroker, network: Network) -> Consumer:
    """Return the feed of the session's own facts."""
    return Consumer(broker, network, SESSION_PROCESS, "session", lambda: broker.contexts.setdefault("session", []))


def render_ends(broker: SimulatedBroker, network: Network) -> Consumer:
    """Return the feed of the public events that end renders."""
    return Consumer(
        broker,
        network,
        SESSION_RENDERS,
        "public",
        lambda: broker.public,
        wants=lambda message: message.subject.rpartition(".")[2] in RENDER_OUTCOMES,
    )


def render_facts(broker: SimulatedBroker, network: Network) -> Consumer:
    """Return the feed of the ledger."""
    return Consumer(
        broker, network, RENDER_LEDGER, "render", lambda: broker.contexts.setdefault("render", []), at_once=4
    )


class RenderService:
    """The render service: submission, index, ledger and reconciler."""

    def __init__(self, broker: SimulatedBroker, network: Network) -> None:
        self._broker = broker
        self._network = network
        self._skew_s = network.rng.uniform(-SKEW_S, SKEW_S)
        self.queue = SimulatedQueue(broker, network)
        self.process = Process("render", self._main)
        self.submission: Submission | None = None

    async def _main(self) -> None:
        log, clock = SimulatedLog(self._broker, self._network), VirtualClock(self._skew_s)
        repositories = Repositories.on(log, clock=clock)
        index, ledger, caught_up = JobIndex(log), UsageLedger(repositories), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(index.follow(caught_up))
            await caught_up.wait()
            self.submission = Submission(
                repositories=repositories,
                ledger=ledger,
                queue=self.queue,
                permissions=NobodyElse(),
                engine_version=ENGINE,
                queue_depth_max=1000,
                tenant_queue_depth_max=1000,
                tenant_bytes_max=2**40,
                reuse_results=True,
                index=index,
                registry=NobodyElse(),
                clock=clock,
            )
            group.create_task(self._keep_ledger(ledger))
            group.create_task(reconcile_forever(index, self.queue, clock))

    async def _keep_ledger(self, ledger: UsageLedger) -> None:
        async for delivered in render_facts(self._broker, self._network):
            try:
                await ledger.on_event(delivered.message)
            except ServiceError:
                await delivered.retry(PAUSE_S)
            else:
                await delivered.done()


class NobodyElse:
    """Permissions and registry that only people need; here the session service alone calls."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a service was asked for {name}, which only people are")


class CalledRenders:
    """`RenderJobs` over the simulated network."""

    def __init__(self, network: Network, render: RenderService) -> None:
        self._network = network
        self._render = render

    async def create(self, tenant: str, job: render_pb.RenderJob, *, request_id: str, correlation_id: str) -> None:
        """See `RenderJobs.create`."""
        caller_ = Caller(tenant, PARTY, "service", "", frozenset(), CREATE, correlation_id)
        request = CreateRenderJobRequest(job=job, request_id=request_id)

        async def handle() -> None:
            if self._render.submission is None:
                raise Unavailable("STARTING", "not yet")
            await create_render_job(self._render.submission, caller_, request)

        try:
            await call(self._network, self._render.process, handle)
        except (CallFailed, Unavailable, Aborted, ResourceExhausted) as failure:
            raise RenderUnavailable(repr(failure)) from failure
        except ServiceError as failure:
            raise RenderRefused(failure.reason, failure.message) from failure

    async def create_batch(
        self,
        tenant: str,
        jobs: Sequence[render_pb.RenderJob],
        reference: render_pb.RenderReference,
        *,
        request_id: str,
        correlation_id: str,
    ) -> None:
        """See `RenderJobs.create_batch`; nobody here asks for one."""
        del tenant, jobs, reference, request_id, correlation_id
        raise AssertionError("no batch was asked for")


class Worker:
    """A render worker."""

    def __init__(
        self, name: str, broker: SimulatedBroker, network: Network, objects: SimulatedObjects, scratch: Path
    ) -> None:
        self._broker = broker
        self._network = network
        self._objects = objects
        self._scratch = scratch
        self.engine = SimulatedEngine(network)
        self.process = Process(name, self._main)

    async def _main(self) -> None:
        bench = Bench(
            worker=f"{self.process.name}-{self.process.starts}",
            jobs=job_repository(SimulatedLog(self._broker, self._network), clock=VirtualClock()),
            objects=self._objects,  # type: ignore[arg-type]  # as much of it as a worker uses
            engine=self.engine,
            signals=SimulatedSignals(),
            heartbeat_s=HEARTBEAT_S,
            scratch=self._scratch / f"{self.process.name}-{self.process.starts}",
            clock=VirtualClock(),
            hurry=asyncio.Event(),
        )
        queue = SimulatedQueue(self._broker, self._network)
        while True:
            lease = await queue.next()
            try:
                await work_on(bench, lease)
            except ServiceError:
                await asyncio.sleep(PAUSE_S)


def seeded(seed: int) -> random.Random:
    """Return the generator of a run; the product's own jitter is drawn from the same seed."""
    random.seed(seed)
    return random.Random(seed)
