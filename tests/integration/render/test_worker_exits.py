"""Workers that end in the middle of a job, by force or by request, under a lease too long to wait for."""

from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio
from tapelog.render.v1.events_pb2 import RenderAttemptFailed
from tapelog_chassis.testing import eventually
from tapelog_render.application.events import REGISTRY

from .studio import Studio, assert_ended_once, long_mix, running_studio

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    """Run one studio with two workers, a lease longer than any test waits, and a short drain."""
    async with running_studio(tmp_path_factory.mktemp("studio"), ack_wait_s=120.0, worker_drain_s=0.1) as running:
        yield running


async def test_a_worker_killed_in_the_middle_of_a_job_is_replaced_and_its_job_done_once(studio: Studio):
    """After kill -9 another worker finishes, without waiting for the lease; the orphaned engine is gone."""
    job = await studio.create(await long_mix(studio, song="sng-killed"))
    running = await studio.running(job.name)
    victim, engine = studio.worker_of(running), studio.engine_of(running)
    victim.kill()
    ended = await studio.ended(job.name)
    await assert_ended_once(studio, ended)
    assert ended.attempts == 2
    assert ended.worker != running.worker
    lost = [REGISTRY.decode(event) for event in await studio.events(job.name)][2]
    assert isinstance(lost, RenderAttemptFailed)
    assert lost.reason == "WORKER_LOST"
    assert not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE
    await eventually(lambda: len(studio.pool.statistics.pids) == 2)
    assert await studio.queue_depth() == 0


async def test_a_worker_asked_to_stop_gives_its_job_back(studio: Studio):
    """SIGTERM, and a job that outlasts the drain: another worker does it at once, and no attempt is used up."""
    job = await studio.create(await long_mix(studio, song="sng-stopped"))
    running = await studio.running(job.name)
    studio.worker_of(running).terminate()
    ended = await studio.ended(job.name)
    await assert_ended_once(studio, ended)
    given_back = [REGISTRY.decode(event) for event in await studio.events(job.name)][2]
    assert isinstance(given_back, RenderAttemptFailed)
    assert given_back.reason == "WORKER_STOPPED"
