"""Jobs that are too much for their worker's container, and jobs that kill their engine: given up once, others go on."""

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from tapelog.render.v1.events_pb2 import RenderFailed
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import JobState, RenderJob, RenderKind, RepairSpec, UsageState
from tapelog_chassis.testing import eventually
from tapelog_render.application.events import REGISTRY

from tests.faults.harness.battery import Row

from .material import analysis_job, put_audio, reference, tone
from .studio import Studio, long_mix, running_studio

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CGROUP = Path("/sys/fs/cgroup/memory")
LIMIT_BYTES = 130 * 2**20
GOOD = 200
TAKE_S = 600
"""Its repair takes 120 MiB of the engine alone, and there is no room for that beside the worker."""
RESTORED_S = 10.0


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """Make a control group of 130 MiB; needs root and cgroup v1."""
    folder = CGROUP / f"tapelog-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(LIMIT_BYTES))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"cannot make a control group of cgroup v1: {error.strerror}")
    with contextlib.suppress(OSError):
        (folder / "memory.swappiness").write_text("0")
    yield folder
    for _ in range(100):
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.1)  # its last process is still on its way out
        else:
            return


@contextlib.asynccontextmanager
async def confined(studio: Studio, cgroup: Path) -> AsyncIterator[None]:
    """Keep every worker and engine of a studio in a control group, as a container would from its start on."""

    async def herd() -> None:
        known: set[int] = set()
        while True:
            for worker in studio.pool.statistics.pids:
                with contextlib.suppress(psutil.NoSuchProcess, OSError):
                    for process in (psutil.Process(worker), *psutil.Process(worker).children()):
                        if process.pid not in known:
                            (cgroup / "cgroup.procs").write_text(str(process.pid))
                            known.add(process.pid)
            await asyncio.sleep(0.02)

    herding = asyncio.create_task(herd())
    try:
        yield
    finally:
        herding.cancel()
        await asyncio.gather(herding, return_exceptions=True)


def reason_of(job: RenderJob) -> str:
    """Return the stable reason of a job's failure."""
    info = ErrorInfo()
    assert job.error.details[0].Unpack(info)
    return info.reason


async def dead_letters(studio: Studio, names: list[str]) -> list[RenderFailed]:
    """Return the records of jobs that were given up."""
    events = [REGISTRY.decode(event) for name in names for event in await studio.events(name)]
    return [event for event in events if isinstance(event, RenderFailed) and event.is_dead_letter]


async def test_a_job_too_large_for_its_container(tmp_path: Path, small_cgroup: Path, row: Row):
    """F15: a worker of 130 MiB, a repair that needs more: OUT_OF_MEMORY after 3 attempts; all others are whole."""
    async with running_studio(tmp_path, workers=1, ack_wait_s=30.0) as studio, confined(studio, small_cgroup):
        take = np.random.default_rng(5).standard_normal((TAKE_S * 48_000, 1)).astype(np.float32) * 0.1
        large = await put_audio(studio.objects, studio.folder, take)
        small = await put_audio(studio.objects, studio.folder, tone(1.0, 440.0))
        job = RenderJob(
            kind=RenderKind.RENDER_KIND_REPAIR,
            repair=RepairSpec(asset_sha256=large),
            reference=reference("takes/tk-large", song="sng-large"),
        )
        greedy = await studio.create(job)
        good = [await studio.create(analysis_job(small)) for _ in range(20)]
        ended = await studio.ended(greedy.name, within_s=300.0)
        over_s = time.monotonic()
        assert ended.state == JobState.JOB_STATE_FAILED
        assert ended.attempts <= 3
        assert reason_of(ended) == "OUT_OF_MEMORY", ended.error.message
        assert "kernel" in ended.error.message
        assert {(await studio.ended(job.name)).state for job in good} == {JobState.JOB_STATE_SUCCEEDED}
        await eventually(lambda: len(studio.pool.statistics.pids) == 1, within_s=RESTORED_S)
        after = await studio.ended((await studio.create(analysis_job(small))).name)
        assert after.state == JobState.JOB_STATE_SUCCEEDED
        assert len(await dead_letters(studio, [greedy.name, *(job.name for job in good)])) == 1
        await studio.usage("sng-large", states={UsageState.USAGE_STATE_RELEASED})
        restored_s = time.monotonic() - over_s
        row(
            "F15",
            "worker in 130 MiB, a repair that needs more: OUT_OF_MEMORY after 3 attempts at most, 20 others done",
            f"failed after {ended.attempts} attempts, 20 of 20 others done, next job done {restored_s:.1f} s after",
        )
        assert restored_s <= RESTORED_S + 20.0


async def _kill_always(studio: Studio, name: str) -> int:
    """End the engine by SIGSEGV in every attempt at a job, as a hole in a decoder would; return how often."""
    kills, killed = 0, set[int]()
    while (job := await studio.get(name)).state in (JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING):
        if job.state == JobState.JOB_STATE_RUNNING and job.progress_percent > 0 and job.attempts not in killed:
            with contextlib.suppress(psutil.NoSuchProcess, ValueError):
                os.kill(studio.engine_of(job).pid, signal.SIGSEGV)
                kills += 1
                killed.add(job.attempts)
        await asyncio.sleep(0.02)
    return kills


async def _waits_s(studio: Studio, names: list[str]) -> list[float]:
    """Return how long each job took from its request to its end."""
    found = []
    for name in names:
        events = await studio.events(name)
        found.append((events[-1].time - events[0].time).total_seconds())
    return sorted(found)


async def test_a_job_that_always_kills_its_decoder(tmp_path: Path, row: Row):
    """F16: among 200 good jobs: 1 RenderFailed, 1 dead letter, 3 attempts; every good job succeeds, and in its time."""
    async with running_studio(tmp_path, ack_wait_s=30.0) as studio:
        small = [await put_audio(studio.objects, studio.folder, tone(1.0, 200.0 + n, seed=n)) for n in range(4)]

        async def good(wave: str) -> list[str]:
            jobs = [analysis_job(small[n % 4]) for n in range(GOOD // 2)]
            for n, job in enumerate(jobs):
                job.reference.key = f"takes/{wave}-{n}"
            wanted = BatchCreateRenderJobsRequest(jobs=jobs, request_id=str(uuid.uuid4()))
            batch = await studio.stub.BatchCreateRenderJobs(wanted, metadata=studio.caller())
            return [job.name for job in batch.jobs]

        before = await good("before")
        for name in before:
            await studio.ended(name)
        poison = await studio.create(await long_mix(studio, song="sng-poison"))
        killing = asyncio.create_task(_kill_always(studio, poison.name))
        beside = await good("beside")
        states = {(await studio.ended(name)).state for name in beside}
        ended = await studio.ended(poison.name, within_s=120.0)
        kills = await killing
        assert states == {JobState.JOB_STATE_SUCCEEDED}
        assert ended.state == JobState.JOB_STATE_FAILED
        assert reason_of(ended) == "ENGINE_DIED"
        assert "SIGSEGV" in ended.error.message
        assert (ended.attempts, kills) == (3, 3)
        (letter,) = await dead_letters(studio, [poison.name, *before, *beside])
        assert (letter.reason, letter.attempts) == ("ENGINE_DIED", 3)
        assert (await studio.event_names(poison.name)).count("RenderFailed") == 1
        assert studio.pool.statistics.restarts == 0
        await studio.usage("sng-poison", states={UsageState.USAGE_STATE_RELEASED})
        calm, disturbed = await _waits_s(studio, before), await _waits_s(studio, beside)
        row(
            "F16",
            "a job whose decoder always dies, 200 good ones: 1 RenderFailed, 1 dead letter, 3 attempts, others done",
            f"3 attempts, 1 failure, 1 dead letter; last of 100 good jobs after {calm[-1]:.1f} s before and "
            f"{disturbed[-1]:.1f} s beside it",
        )
        # The poison takes one of two workers for its three attempts; the figure for a quiet machine is twice.
        assert disturbed[-1] <= 4 * calm[-1] + 5.0
