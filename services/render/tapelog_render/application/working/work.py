"""What a worker does with a job that it was handed: at most one recorded result, whatever happens on the way.

The order is: start in the log (the fence), fetch, render, store by content, record under the fence, take off the queue.
A crash between any two steps leaves a job that the next worker does again; a result stored twice is the same object,
and recorded once.
"""

import asyncio
import dataclasses
import time
import uuid
from pathlib import Path
from typing import Final

import structlog
from tapelog.render.v1.resources_pb2 import RenderResult
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome, Repository
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import ServiceError, Unavailable
from tapelog_chassis.failpoints import failpoint
from tapelog_chassis.objects import (
    ObjectStore,
)

from tapelog_render.application.asking import specs
from tapelog_render.application.events import job_aggregate, own_metadata
from tapelog_render.application.ports import (
    Engine,
    EngineFailure,
    JobKey,
    Lease,
    WorkSignals,
)
from tapelog_render.application.queueing.deadlines import expire
from tapelog_render.application.working.making import make
from tapelog_render.application.working.reuse import reused
from tapelog_render.application.working.sources import ProvedFiles
from tapelog_render.domain import job as jobs
from tapelog_render.domain.errors import AttemptSuperseded, JobEnded
from tapelog_render.domain.job import Failure, Job

RETRY_DELAYS_S: Final = (0.5, 2.0)
"""Before the second and the third attempt; what made an attempt fail may need a moment to pass."""
OTHER_ENGINE_DELAY_S: Final = 5.0
"""Before a job that was digested for another engine version is handed to the next worker."""
RECORD_ATTEMPTS: Final = 20
RECORD_RETRY_S: Final = 0.5
"""A result is offered to a log that does not answer for about 10 s, as long as a broker takes to be back."""

_log = structlog.get_logger(__name__)


class JobIsOver(Exception):  # noqa: N818 - a state, not a defect
    """The job was cancelled, or is another worker's by now: the work is worth nothing."""


class MustStop(Exception):  # noqa: N818 - a state, not a defect
    """The worker has to stop before the job is done."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """What a worker works with.

    Attributes
    ----------
    worker : str
        Its id.
    heartbeat_s : float
        How often a lease is kept; well below the queue's `ack_wait`.
    scratch : Path
        Folder of its own for sources and results in the making.
    clock : Clock
        For deadlines.
    hurry : asyncio.Event
        Set when the worker must stop at once: the job is given back.
    proved : ProvedFiles
        Which of the store's files need not be hashed again.
    """

    worker: str
    jobs: Repository[Job]
    objects: ObjectStore
    engine: Engine
    signals: WorkSignals
    heartbeat_s: float
    scratch: Path
    clock: Clock
    hurry: asyncio.Event
    proved: ProvedFiles = dataclasses.field(default_factory=ProvedFiles)


async def work_on(bench: Bench, lease: Lease) -> None:
    """Do a job that was handed out.

    Raises
    ------
    ServiceError
        The log does not answer: the job stays leased and comes again.
    """
    key = lease.key
    known = await bench.jobs.load(job_aggregate(*key))
    if not known.exists:
        await lease.refuse("the log knows no such job")
        return
    asked = known.state.asked
    if known.state.has_ended:
        await lease.done()
        return
    if asked.render_digest != specs.render_digest_of(asked, asked.recipe_digest, bench.engine.version):
        _log.warning("job is for another engine version", job=key.job, own_version=bench.engine.version)
        await lease.give_back(delay_s=OTHER_ENGINE_DELAY_S)
        return
    if await expire(bench.jobs, key, known.state, bench.clock):
        await lease.done()
        return
    try:
        started = await _start(bench, key, known.state)
    except JobEnded:
        await lease.done()
        return
    if started.versioned.state.has_ended:
        await lease.done()
        return
    await _attempt(bench, lease, started.versioned.state)


async def _attempt(bench: Bench, lease: Lease, job: Job) -> None:
    """Render under a started attempt and record how it ended."""
    key, fence = lease.key, job.fence
    log = _log.bind(job=key.job, tenant=key.tenant, attempt=job.attempts)
    start_s = time.monotonic()
    try:
        result = await reused(bench.jobs, bench.objects, key.tenant, job.asked) or await _while_leased(
            bench, lease, job
        )
        failpoint("render.before_commit")
        await _record(bench, key, job, lambda state: jobs.succeed(state, fence=fence, result=result), "succeed")
        failpoint("render.after_commit")
        log.info("job rendered", seconds=round(time.monotonic() - start_s, 3))
        await lease.done()
        failpoint("render.after_ack")
    except (JobIsOver, AttemptSuperseded) as over:
        # Cancelled: off the queue. Another worker's: this lease is void, and its end takes nothing from the other.
        log.info("result discarded: the job is over or another worker's", cause=str(over))
        if (await bench.jobs.load(job_aggregate(*key))).state.has_ended:
            await lease.done()
    except MustStop:
        await _record(bench, key, job, lambda state: jobs.give_back(state, fence=fence), "give-back")
        log.info("job given back: this worker stops")
        await lease.give_back()
    except EngineFailure as failure:
        await _fail(bench, lease, job, failure)


async def _fail(bench: Bench, lease: Lease, job: Job, failure: EngineFailure) -> None:
    why = Failure(failure.reason, failure.message)
    key, fence, is_final = lease.key, job.fence, failure.is_final
    try:
        outcome = await _record(
            bench, key, job, lambda state: jobs.fail_attempt(state, fence=fence, failure=why, is_final=is_final), "fail"
        )
    except AttemptSuperseded:
        return
    state = outcome.versioned.state
    _log.warning("attempt failed", job=key.job, attempt=job.attempts, reason=why.reason, will_retry=not state.has_ended)
    if state.has_ended:
        await lease.done()
    else:
        counted = state.attempts - state.excused
        await lease.give_back(delay_s=RETRY_DELAYS_S[min(counted, len(RETRY_DELAYS_S)) - 1])


async def _while_leased(bench: Bench, lease: Lease, job: Job) -> RenderResult:
    """Make the result while the lease is kept, unless the job is cancelled or the worker has to stop.

    Raises
    ------
    EngineFailure, JobIsOver, MustStop
    """
    async with bench.signals.cancelled(lease.key) as cancelled:
        making = make(
            bench.engine,
            bench.objects,
            job,
            proved=bench.proved,
            folder=bench.scratch / f"{lease.key.job}-{job.fence}",
            report=lambda progress: bench.signals.report(lease.key, progress),
        )
        work = asyncio.create_task(making, name="render")
        others = [
            asyncio.create_task(_keep(bench, lease, job.fence), name="heartbeat"),
            asyncio.create_task(_raise_when(cancelled, JobIsOver("cancelled")), name="cancelled"),
            asyncio.create_task(_raise_when(bench.hurry, MustStop()), name="hurry"),
        ]
        try:
            done, _ = await asyncio.wait([work, *others], return_when=asyncio.FIRST_COMPLETED)
            # A result that is there counts, even when the order to stop came in the same moment.
            return work.result() if work in done else await next(iter(done))
        finally:
            for task in (work, *others):
                task.cancel()
            await asyncio.gather(work, *others, return_exceptions=True)


async def _keep(bench: Bench, lease: Lease, fence: int) -> RenderResult:
    """Keep the lease for ever; raises `JobIsOver` when the log says that the attempt is not the running one."""
    while True:
        await lease.heartbeat()
        await asyncio.sleep(bench.heartbeat_s)
        try:
            state = (await bench.jobs.load(job_aggregate(*lease.key))).state
        except Unavailable:
            continue
        if state.fence != fence:
            raise JobIsOver("the log says that the attempt is over")


async def _raise_when(event: asyncio.Event, error: Exception) -> RenderResult:
    await event.wait()
    raise error


async def _start(bench: Bench, key: JobKey, known: Job) -> Outcome[Job]:
    return await _execute(
        bench,
        key,
        known,
        lambda job: jobs.start(job, worker=bench.worker, engine_version=bench.engine.version),
        request_id=str(uuid.uuid4()),
        step="start",
    )


async def _record(bench: Bench, key: JobKey, job: Job, decide: jobs.Decide, step: str) -> Outcome[Job]:
    """Record how an attempt ended; its fence makes the request_id, so a repeat is the same command."""
    return await _execute(
        bench,
        key,
        job,
        decide,
        request_id=ids.follow_up_request_id(f"{key.tenant}/{key.job}/{job.fence}", step),
        step=step,
    )


async def _execute(
    bench: Bench, key: JobKey, job: Job, decide: jobs.Decide, *, request_id: str, step: str
) -> Outcome[Job]:
    """Execute a command on a job, again while the log does not answer."""
    metadata = own_metadata(job)
    attempt = 0
    while True:
        attempt += 1
        try:
            return await bench.jobs.execute(
                job_aggregate(*key), decide, request_id=request_id, request_hash=step, metadata=metadata
            )
        except ServiceError as failure:
            if not isinstance(failure, Unavailable) or attempt == RECORD_ATTEMPTS:
                raise
            await asyncio.sleep(RECORD_RETRY_S)
