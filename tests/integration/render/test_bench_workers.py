"""Workers added and drained while jobs run: `pytest -m bench -s tests/integration/render/test_bench_workers.py`."""

import asyncio
import contextlib
import dataclasses
import itertools
import os
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from tapelog.render.v1.events_pb2 import RenderAttemptFailed, UsageSettled
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import JobState, RenderJob
from tapelog_chassis.testing import eventually
from tapelog_desk import render_mix
from tapelog_render.application.events import REGISTRY
from tapelog_render.main import worker_environment

from .material import mix_job, mix_recipe, put_audio, tone
from .studio import Studio, running_studio

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

JOBS = 200
LEAST_RATIO = 1.6
PHASES = ("1 worker", "2 workers", "1 worker again")
TURNS = (50, 150)
"""Jobs done when the second worker joins, and when it is asked to leave."""
SECONDS, TRACKS = 90.0, 20
"""A job takes about a second of one core: half a song."""


@dataclasses.dataclass
class Fleet:
    """Workers as processes of their own, as on other hosts; `cpu_s` is what the ended ones used with their engines."""

    studio: Studio
    workers: list[asyncio.subprocess.Process] = dataclasses.field(default_factory=list)

    async def join(self) -> None:
        """Start one more worker and wait until its engine is warm: joining is not what is measured."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TAPELOG_")}
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tapelog_render.worker",
            stdin=asyncio.subprocess.DEVNULL,
            env={**environment, **worker_environment(self.studio.settings)},
        )
        self.workers.append(worker)
        await eventually(lambda: len(psutil.Process(worker.pid).children()) == 1, within_s=60.0)

    async def leave(self) -> float:
        """Ask the youngest worker to drain, in the middle of whatever it does; return the seconds that it took."""
        worker = self.workers.pop()
        begun_s = asyncio.get_running_loop().time()
        worker.terminate()
        assert await worker.wait() == 0
        return asyncio.get_running_loop().time() - begun_s

    def cpu_s(self) -> float:
        """Return the processor seconds of the workers that run and their engines."""
        processes = [psutil.Process(worker.pid) for worker in self.workers]
        everyone = itertools.chain(processes, *(process.children() for process in processes))
        return sum(sum(process.cpu_times()[:2]) for process in everyone)


@contextlib.asynccontextmanager
async def fleet_of(studio: Studio) -> AsyncIterator[Fleet]:
    """Run workers until the block ends."""
    fleet = Fleet(studio)
    try:
        yield fleet
    finally:
        while fleet.workers:
            await fleet.leave()


def _jobs(assets: list[str]) -> list[RenderJob]:
    """Return mixes that share no node, each billed for its own key."""
    return [mix_job(mix_recipe(assets, gain_db=-6.0 - 0.01 * n), key=f"mixVersions/{n}") for n in range(JOBS)]


async def _done(studio: Studio, names: list[str]) -> dict[str, float]:
    """Return when each job that has succeeded did so, by the log's clock."""
    ended = {}
    for name in names:
        events = await studio.events(name)
        if events[-1].type.endswith("render_succeeded.v1"):
            ended[name] = events[-1].time.timestamp()
    return ended


async def _until(studio: Studio, names: list[str], count: int) -> None:
    """Wait until so many jobs are done, asking seldom: who asks uses the same cores."""

    async def are_done() -> bool:
        return JOBS - await studio.queue_depth() >= count

    await eventually(are_done, within_s=900.0, every_s=0.25)


def _per_minute(ended_s: list[float], first: int, last: int) -> float:
    """Return the jobs per minute between two jobs in order of their ends."""
    return 60.0 * (last - first) / (ended_s[last] - ended_s[first])


async def test_a_second_worker_joins_and_leaves_among_two_hundred_jobs(tmp_path: Path):
    """1 to 2 to 1 workers of one kernel thread each: 1.6 times the jobs per minute; none lost, the same bytes."""
    async with running_studio(
        tmp_path, spawn_workers=False, ack_wait_s=30.0, node_cache_mib=0, worker_drain_s=20.0
    ) as studio:
        assets = [
            await put_audio(studio.objects, studio.folder, tone(SECONDS, 60.0 * (n + 1), seed=n)) for n in range(TRACKS)
        ]
        jobs = _jobs(assets)
        batch = await studio.stub.BatchCreateRenderJobs(
            BatchCreateRenderJobsRequest(jobs=jobs, request_id=str(uuid.uuid4())), metadata=studio.caller()
        )
        names = [job.name for job in batch.jobs]
        async with fleet_of(studio) as fleet:
            await fleet.join()
            await _until(studio, names, TURNS[0])
            alone_cpu_s = fleet.cpu_s()
            await fleet.join()
            joined = len(await _done(studio, names))
            await _until(studio, names, TURNS[1])
            both_cpu_s = fleet.cpu_s() - alone_cpu_s
            drained_at = len(await _done(studio, names))
            drain_s = await fleet.leave()
            await _until(studio, names, JOBS)
            ended_s = sorted((await _done(studio, names)).values())
        jobs_done = [await studio.get(name) for name in names]
        assert Counter(job.state for job in jobs_done) == {JobState.JOB_STATE_SUCCEEDED: JOBS}
        assert {job.attempts for job in jobs_done} == {1}, "a worker that drains finishes what it has"
        await _assert_recorded_once(studio, names)
        await _assert_same_bytes(studio, jobs_done, tmp_path)
    rates = [
        _per_minute(ended_s, 0, joined - 1),
        _per_minute(ended_s, joined + 1, drained_at - 1),
        _per_minute(ended_s, drained_at + 1, JOBS - 1),
    ]
    ratio = rates[1] / ((rates[0] + rates[2]) / 2.0)
    told = ", ".join(f"{phase} {rate:.1f} jobs a minute" for phase, rate in zip(PHASES, rates, strict=True))
    sys.stdout.write(
        f"\n{told}: {ratio:.2f} times; {alone_cpu_s / joined:.2f} s CPU a job alone, "
        f"{both_cpu_s / (drained_at - joined):.2f} s beside another; drained in {drain_s:.1f} s, 0 of {JOBS} lost "
        f"({os.cpu_count()} cores shared with service, broker and test, load {os.getloadavg()[0]:.1f})\n"
    )
    assert ratio >= LEAST_RATIO


async def _assert_recorded_once(studio: Studio, names: list[str]) -> None:
    for name in names:
        events = [REGISTRY.decode(event) for event in await studio.events(name)]
        assert not [event for event in events if isinstance(event, RenderAttemptFailed)]
    settled: Counter[str] = Counter()

    async def are_settled() -> bool:
        events = await studio.account_events()
        settled.clear()
        settled.update(event.entry.job for event in events if isinstance(event, UsageSettled))
        return len(settled) >= len(names)

    await eventually(are_settled, within_s=60.0)
    assert settled == Counter(name.removeprefix("renderJobs/") for name in names)


async def _assert_same_bytes(studio: Studio, jobs: list[RenderJob], folder: Path) -> None:
    """Render one job of each worker's again in this process."""
    by_worker = {job.worker: job for job in jobs}
    assert len(by_worker) == 2
    for number, job in enumerate(by_worker.values()):
        out = folder / f"again-{number}"
        out.mkdir()
        again = await asyncio.to_thread(
            render_mix,
            job.mix.recipe,
            lambda source: studio.objects.local_path(source.asset_sha256) or Path(),
            list(job.mix.outputs),
            out,
        )
        assert again.audio[0].result.sha256 == job.result.audio[0].sha256
