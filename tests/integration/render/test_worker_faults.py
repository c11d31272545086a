"""Workers, engines and the broker die, hang and stop in the middle of jobs; every job still ends once, billed once."""

import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator

import grpc
import psutil
import pytest
import pytest_asyncio
from tapelog.render.v1.events_pb2 import RenderAttemptFailed, RenderRequested, UsageSettled
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import JobState, RenderJob, UsageState
from tapelog_chassis import topology
from tapelog_chassis.event_log import Metadata, NewEvent
from tapelog_chassis.testing import eventually, new_event
from tapelog_render.application.events import REGISTRY, Repositories, job_aggregate
from tapelog_render.domain.job import cancel

from tests.faults.harness.battery import Row

from .conftest import StudioFactory
from .material import SONG, analysis_job, mix_job, mix_recipe, put_audio, tone
from .studio import ENDED, TENANT, Studio, assert_ended_once, long_mix, running_studio

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    """Run one studio with two workers and a short lease for the tests of this file."""
    folder = tmp_path_factory.mktemp("studio")
    async with running_studio(folder, reconcile_every_s=0.2, reconcile_grace_s=0.0) as running:
        yield running


async def test_a_worker_that_hung_and_comes_back_records_nothing(studio: Studio):
    """A stopped worker loses its lease; continued, it discards its result, for the job is another's by then."""
    job = await studio.create(await long_mix(studio, song="sng-hung"))
    running = await studio.running(job.name)
    zombie = [studio.worker_of(running), studio.engine_of(running)]
    for process in zombie:
        process.suspend()
    ended = await studio.ended(job.name)
    for process in zombie:
        process.resume()
    await assert_ended_once(studio, ended)
    # It is alive and takes work again: it was fenced off, not broken.
    asset = await put_audio(studio.objects, studio.folder, tone(0.5, 440.0))
    os.kill(studio.worker_of(ended).pid, signal.SIGSTOP)
    try:
        other = await studio.ended((await studio.create(analysis_job(asset))).name)
    finally:
        os.kill(studio.worker_of(ended).pid, signal.SIGCONT)
    assert other.worker == running.worker
    assert (await studio.event_names(job.name)).count("RenderSucceeded") == 1


async def test_a_job_whose_engine_dies_is_tried_again(studio: Studio):
    """Kill -9 of the engine costs an attempt, not the job and not the worker."""
    job = await studio.create(await long_mix(studio, song="sng-engine"))
    running = await studio.running(job.name)
    studio.engine_of(running).kill()
    ended = await studio.ended(job.name)
    await assert_ended_once(studio, ended)
    assert ended.attempts == 2
    failed = [REGISTRY.decode(event) for event in await studio.events(job.name)][2]
    assert isinstance(failed, RenderAttemptFailed)
    assert failed.reason == "ENGINE_DIED"
    assert "SIGKILL" in failed.message
    assert studio.pool.statistics.restarts == 0


async def test_a_job_that_exceeds_its_time_limit_three_times_fails_and_others_go_on(open_studio: StudioFactory):
    """A job that can never end fails with its reason after three attempts, is not billed, and blocks nobody."""
    async with open_studio(job_time_limit_s=1.0, job_memory_limit_mib=4096) as studio:
        poison = await studio.create(await long_mix(studio, layers=30))
        asset = await put_audio(studio.objects, studio.folder, tone(0.5, 440.0))
        good = [await studio.create(analysis_job(asset)) for _ in range(4)]
        assert {(await studio.ended(job.name)).state for job in good} == {JobState.JOB_STATE_SUCCEEDED}
        ended = await studio.ended(poison.name)
        assert ended.state == JobState.JOB_STATE_FAILED
        assert ended.attempts == 3
        assert "TIME_LIMIT_REACHED" in str(ended.error.details[0])
        assert (await studio.event_names(poison.name)).count("RenderFailed") == 1
        await studio.usage(SONG, states={UsageState.USAGE_STATE_RELEASED})
        assert await studio.queue_depth() == 0


@pytest.mark.faults
async def test_a_job_that_needs_more_memory_than_allowed_fails_with_that_reason(open_studio: StudioFactory, row: Row):
    """The limit hits the engine alone: the job fails after three attempts, the worker goes on."""
    async with open_studio(workers=1, job_memory_limit_mib=1) as studio:
        asset = await put_audio(studio.objects, studio.folder, tone(2.0, 440.0))
        greedy = await studio.ended((await studio.create(mix_job(mix_recipe([asset] * 96)))).name)
        assert greedy.state == JobState.JOB_STATE_FAILED
        assert greedy.attempts == 3
        assert "OUT_OF_MEMORY" in str(greedy.error.details[0])
        assert studio.pool.statistics.restarts == 0
    row(
        "F15 limit",
        "engine over its memory limit: OUT_OF_MEMORY after 3 attempts, worker goes on",
        "3 attempts, restarts 0",
    )


async def test_a_cancellation_that_no_worker_heard_of_is_found_at_the_next_heartbeat(studio: Studio):
    """The log is what counts: with the message to the workers lost, the engine still ends."""
    # Far longer than a heartbeat: an engine that is done before the worker looks need not end.
    job = await studio.create(await long_mix(studio, layers=24, song="sng-unheard"))
    engine = studio.engine_of(await studio.running(job.name))
    await Repositories.on(studio.log()).jobs.execute(
        job_aggregate(TENANT, job.name.removeprefix("renderJobs/")),
        lambda state: cancel(state, reason="unheard"),
        request_id=str(uuid.uuid4()),
        request_hash="test",
        metadata=Metadata(actor="pty-mix"),
    )
    await eventually(lambda: not engine.is_running())
    assert (await studio.ended(job.name)).state == JobState.JOB_STATE_CANCELLED


async def _digests_of_a_batch(studio: Studio) -> list[tuple[str, str]]:
    assets = [await put_audio(studio.objects, studio.folder, tone(1.0, 200.0 + n, seed=n)) for n in range(3)]
    jobs = [mix_job(mix_recipe(assets, gain_db=-3.0 * n), key=f"mixVersions/{n}") for n in range(4)]
    batch = await studio.stub.BatchCreateRenderJobs(
        BatchCreateRenderJobsRequest(jobs=jobs, request_id=str(uuid.uuid4())), metadata=studio.caller()
    )
    ended = [await studio.ended(job.name) for job in batch.jobs]
    return [(job.result.audio[0].sha256, job.result.audio[0].sample_digest) for job in ended]


async def test_one_worker_and_two_workers_make_the_same_bytes(studio: Studio, open_studio: StudioFactory):
    """The same batch gives the same digests, whoever renders it and beside whatever else."""
    two = await _digests_of_a_batch(studio)
    async with open_studio(workers=1) as alone:
        one = await _digests_of_a_batch(alone)
    assert one == two
    assert len(set(one)) == 4


async def test_a_job_lost_between_log_and_queue_is_queued_again(studio: Studio):
    """The reconciler finds a job that is open in the log and missing from the queue."""
    asset = await put_audio(studio.objects, studio.folder, tone(0.5, 440.0))
    lost = RenderJob()
    lost.CopyFrom(await studio.create(analysis_job(asset)))
    lost.name = "renderJobs/job-lost"
    await _record(studio, "job-lost", lost)
    ended = await studio.ended(lost.name)
    assert ended.state == JobState.JOB_STATE_SUCCEEDED


async def test_a_message_that_names_no_job_leaves_the_queue(studio: Studio):
    """A worker refuses it, and the dead-letter net takes it out; nothing else is touched."""
    connection = await studio.broker.connect("render")
    await connection.request(topology.job_subject("mix", "standard", TENANT, "job-nobody"), b"", timeout=2)

    async def is_gone() -> bool:
        return await studio.queue_depth() == 0

    await eventually(is_gone, within_s=30)


@pytest.mark.faults
async def test_a_job_that_no_worker_takes_ends_as_undeliverable(open_studio: StudioFactory, row: Row):
    """Digested for an engine that nobody runs, handed out to the limit, it fails with a reason and leaves the queue."""
    async with open_studio(job_deliveries_max=2) as studio:
        asset = await put_audio(studio.objects, studio.folder, tone(0.5, 440.0))
        other = RenderJob()
        other.CopyFrom(await studio.create(analysis_job(asset)))
        other.name, other.render_digest = "renderJobs/job-other", "0" * 64
        await _record(studio, "job-other", other)
        ended = await studio.ended(other.name)
        assert ended.state == JobState.JOB_STATE_FAILED
        assert "UNDELIVERABLE" in str(ended.error.details[0])
        assert await studio.queue_depth() == 0
    row(
        "F16 unwanted",
        "a job that no worker takes: UNDELIVERABLE at the limit, the queue empty",
        "failed once, queue 0",
    )


@pytest.mark.faults
async def test_the_broker_killed_twice_under_load_loses_and_doubles_nothing(open_studio: StudioFactory, row: Row):
    """Twenty jobs, nats-server killed twice with kill -9, one worker as well: every job ends once, billed once."""
    async with open_studio() as studio:
        assets = [await put_audio(studio.objects, studio.folder, tone(45.0, 200.0 + n, seed=n)) for n in range(6)]
        jobs = [mix_job(mix_recipe(assets, gain_db=-0.5 * n), key=f"mixVersions/{n}") for n in range(20)]
        created = [await studio.create(job) for job in jobs]
        await studio.ended(created[1].name)
        await studio.broker.kill()
        await _ended_patiently(studio, created[6].name)
        await eventually(lambda: len(studio.pool.statistics.pids) == 2, within_s=20)
        psutil.Process(studio.pool.statistics.pids[0]).kill()
        await _ended_patiently(studio, created[10].name)
        await studio.broker.kill()
        for job in created:
            ended = await _ended_patiently(studio, job.name)
            assert ended.state == JobState.JOB_STATE_SUCCEEDED
            assert (await studio.event_names(job.name)).count("RenderSucceeded") == 1
        entries = await studio.usage(SONG, states={UsageState.USAGE_STATE_SETTLED})
        assert len(entries) == len({entry.usage_key for entry in entries}) == 20
        settled = [event for event in await studio.usage_events(SONG) if isinstance(event, UsageSettled)]
        assert len(settled) == 20

        async def is_empty() -> bool:
            return await studio.queue_depth() == 0

        await eventually(is_empty, within_s=30)
        assert studio.broker.server.restarts == 2
    row(
        "F02 queue",
        "20 mixes, broker killed twice, a worker once: each ends once and is billed once",
        "20 results, 20 bills, queue 0",
    )


async def _ended_patiently(studio: Studio, name: str) -> RenderJob:
    """Read until a job has ended, over a broker that comes and goes."""
    job = RenderJob()

    async def has_ended() -> bool:
        nonlocal job
        with contextlib.suppress(grpc.aio.AioRpcError):
            job = await studio.get(name)
        return job.state in ENDED

    await eventually(has_ended, within_s=90, every_s=0.2)
    return job


async def _record(studio: Studio, job_id: str, job: RenderJob) -> None:
    """Record a job in the log without queueing it, as a crash right after the append would."""
    event = RenderRequested(job=job)
    base = new_event(job_id, event.SerializeToString(), type_=REGISTRY.type_of(event))
    new = NewEvent(base.event_id, base.type, event.DESCRIPTOR.full_name, base.data, base.time)
    log = await studio.broker.log("render")
    await log.append(job_aggregate(TENANT, job_id), 0, [new], Metadata(actor="svc-session"))
