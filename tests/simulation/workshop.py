"""The work queue, the engine and the object store of the simulation."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapelog.common.v1 import audio_pb2
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderJob, RenderKind, RenderResult
from tapelog_chassis.objects import ObjectRef
from tapelog_render.application.ports import EngineFailure, JobKey, Made, Progress, QueueUnavailable, RenderOrder

from .broker import SimulatedBroker
from .faults import Network, caller

LEASE_S: Final = 6.0
HEARTBEAT_S: Final = 2.0
ENGINE: Final = "tapelog-simulated/1"
LENGTH_FRAMES: Final = 96_000


@dataclass(slots=True)
class Queued:
    """A job in the queue."""

    key: JobKey
    available_s: float = 0.0
    deliveries: int = 0


class SimulatedQueue:
    """A `JobQueue`, and the workers' side of it: a job is in it once, and with one worker as far as it knows."""

    def __init__(self, broker: SimulatedBroker, network: Network) -> None:
        self._broker = broker
        self._network = network

    async def publish(self, key: JobKey, kind: RenderKind.ValueType, class_: PriorityClass.ValueType) -> bool:
        """See `JobQueue.publish`."""
        del kind, class_

        def effect() -> bool:
            self._broker.require()
            if key in self._broker.jobs:
                return False
            self._broker.jobs[key] = Queued(key)
            self._broker.notify("jobs")
            return True

        return await self._call(effect, f"queue {key.job}")

    async def keep_lanes(self, lanes: Collection[tuple[PriorityClass.ValueType, str]]) -> None:
        """See `JobQueue.keep_lanes`."""

    async def remove(self, key: JobKey) -> None:
        """See `JobQueue.remove`."""
        await self._call(lambda: self._broker.jobs.pop(key, None), f"remove {key.job}")

    async def depth(self) -> int:
        """See `JobQueue.depth`."""
        return await self._call(lambda: len(self._broker.jobs), "depth")

    async def queued(self) -> Collection[JobKey]:
        """See `JobQueue.queued`."""
        return await self._call(lambda: list(self._broker.jobs), "queued")

    async def discard(self, key: JobKey) -> None:
        """See `JobQueue.discard`."""
        await self.remove(key)

    async def stop_running(self, key: JobKey) -> None:
        """See `JobQueue.stop_running`."""

    async def next(self) -> "SimulatedLease":
        """Wait for a job."""
        loop = asyncio.get_running_loop()
        while True:
            caller()
            jobs = list(self._broker.jobs.values()) if self._broker.is_up else []
            free = next((job for job in jobs if job.available_s <= loop.time()), None)
            if free is None:
                soonest_s = min((job.available_s for job in jobs), default=None)
                await self._broker.wait("jobs", None if soonest_s is None else soonest_s - loop.time() + 1e-6)
                continue
            free.available_s = loop.time() + LEASE_S
            free.deliveries += 1
            await self._network.pause()
            self._broker.trace.add(caller(), "takes", free.key.job, free.deliveries)
            return SimulatedLease(self, free, free.deliveries)

    async def settle(self, name: str, job: Queued, effect: Callable[[], Any]) -> None:
        """Answer a delivery; a lost answer is repeated by nobody."""

        def guarded() -> None:
            self._broker.require()
            if self._broker.jobs.get(job.key) is job:
                effect()
                self._broker.notify("jobs")

        try:
            await self._call(guarded, f"{name} {job.key.job}")
        except QueueUnavailable:
            return

    async def _call(self, effect: Callable[[], Any], name: str) -> Any:
        def there() -> Any:
            self._broker.require()
            return effect()

        return await self._network.call(there, unknown=lambda: QueueUnavailable("no answer"), name=name)


@dataclass(slots=True)
class SimulatedLease:
    """A `Lease`."""

    queue: SimulatedQueue
    job: Queued
    delivery: int

    @property
    def key(self) -> JobKey:
        """See `Lease.key`."""
        return self.job.key

    async def heartbeat(self) -> None:
        """See `Lease.heartbeat`."""
        await self.queue.settle("beat", self.job, lambda: self._available_in(LEASE_S))

    async def done(self) -> None:
        """See `Lease.done`; as on JetStream, one whose lease is over takes the job off the queue all the same."""
        await self.queue.settle("done", self.job, self._remove)

    async def give_back(self, *, delay_s: float = 0.0) -> None:
        """See `Lease.give_back`."""
        await self.queue.settle("back", self.job, lambda: self._available_in(delay_s))

    async def refuse(self, reason: str) -> None:
        """See `Lease.refuse`."""
        del reason
        await self.done()

    def _remove(self) -> None:
        del self.queue._broker.jobs[self.job.key]

    def _available_in(self, delay_s: float) -> None:
        if self.job.deliveries == self.delivery:
            self.job.available_s = asyncio.get_running_loop().time() + delay_s


class SimulatedSignals:
    """`WorkSignals` that never arrive, as best effort may be."""

    async def report(self, key: JobKey, progress: Progress) -> None:
        """See `WorkSignals.report`."""

    @asynccontextmanager
    async def cancelled(self, key: JobKey) -> AsyncIterator[asyncio.Event]:
        """See `WorkSignals.cancelled`."""
        del key
        yield asyncio.Event()


class SimulatedObjects:
    """As much of an object store as a worker uses; each object is named by its content."""

    def __init__(self) -> None:
        self.stored: set[str] = set()

    def local_path(self, sha256: str) -> Path:
        """Return where an object is."""
        return Path(sha256)

    async def exists(self, sha256: str) -> bool:
        """Say whether an object is there."""
        return sha256 in self.stored

    async def put_file(self, path: Path) -> ObjectRef:
        """Store a file, which is named after its content here."""
        self.stored.add(path.name)
        return ObjectRef(path.name, LENGTH_FRAMES * 8)


class SimulatedEngine:
    """An `Engine` that takes some time, and fails now and then."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.failing = 0.0
        self.renders = 0

    @property
    def version(self) -> str:
        """See `Engine.version`."""
        return ENGINE

    async def render(self, order: RenderOrder, on_progress: Callable[[float], None]) -> Made:
        """See `Engine.render`."""
        self.renders += 1
        rng = self._network.rng
        await asyncio.sleep(rng.choice((0.05, 0.3)))
        caller()
        if rng.random() < self.failing:
            raise EngineFailure("ENGINE_ERROR", "it fell over", is_final=False)
        on_progress(1.0)
        return _made(order.job)


def _made(job: RenderJob) -> Made:
    analysed = job.analysis.asset_sha256 if job.kind == RenderKind.RENDER_KIND_ANALYSIS else ""
    audio = audio_pb2.AudioResult(
        sha256=analysed or job.render_digest,
        sample_digest=job.render_digest,
        size_bytes=LENGTH_FRAMES * 8,
        media_type="audio/wav",
        format=audio_pb2.AudioFormat(sample_rate_hz=48_000, channels=2, bit_depth=24, length_frames=LENGTH_FRAMES),
        measurements=audio_pb2.Measurements(
            length_frames=LENGTH_FRAMES, integrated_lufs=-14.1, true_peak_dbtp=-1.0, loudness_range_lu=6.0
        ),
    )
    result = RenderResult(audio=[audio], engine_version=ENGINE)
    return Made(result, (None if analysed else Path(job.render_digest),), ())
