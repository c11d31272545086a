"""Asking for renders: one, or several as one."""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Final

import structlog
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest, CreateRenderJobRequest
from tapelog.render.v1.resources_pb2 import Batch as BatchResource
from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_chassis import ids
from tapelog_chassis.commands import Outcome
from tapelog_chassis.errors import InvalidArgument
from tapelog_chassis.event_log import Metadata

from tapelog_render.application import admission, views
from tapelog_render.application.access import Caller, Grant, granted, metadata_of, require_free_key
from tapelog_render.application.events import job_aggregate
from tapelog_render.application.ownership import require_own
from tapelog_render.application.ports import JobKey, QueueFull, QueueUnavailable
from tapelog_render.application.room import Submission, require_quota, require_room, require_time
from tapelog_render.domain import batch as batches
from tapelog_render.domain import job as jobs
from tapelog_render.domain.job import Job

BATCH_APPENDS_MAX: Final = 16
"""Jobs of a batch that are recorded at a time; more only wait at the log."""

_log = structlog.get_logger(__name__)


async def create_render_job(submission: Submission, caller: Caller, request: CreateRenderJobRequest) -> RenderJob:
    """Record and queue a job, and return it at once.

    Raises
    ------
    InvalidArgument
        A field is wrong; every wrong field is listed.
    PermissionDenied
        No role in the project allows it, or the reference key is reserved.
    ResourceExhausted
        The queue is full.
    """
    if not request.validate_only:
        ids.validate_request_id(request.request_id)
    wanted = admission.admit(request.job, engine_version=submission.engine_version)
    require_free_key(caller, wanted.reference.key, field="job.reference.key")
    grant = await granted(submission.permissions, caller, wanted.reference.project)
    await require_own(submission.registry, submission.index, caller, wanted, field="job")
    if request.validate_only:
        require_time(submission, wanted, field="job")
        return views.wanted_resource(wanted)
    job_id = ids.derive_id("job", caller.tenant, caller.party, caller.rpc, request.request_id)
    return await submit(
        submission, caller, grant, wanted, job_id=job_id, request_id=request.request_id,
        request_hash=ids.request_hash(request),
    )  # fmt: skip


async def submit(
    submission: Submission,
    caller: Caller,
    grant: Grant,
    wanted: RenderJob,
    *,
    job_id: str,
    request_id: str,
    request_hash: str,
) -> RenderJob:
    """Record, reserve for and queue a job that has been admitted; raises as `create_render_job`."""
    key = JobKey(caller.tenant, job_id)
    known = await submission.repositories.jobs.load(job_aggregate(*key))
    if not known.exists:
        require_time(submission, wanted, field="job")
        require_quota(submission, caller.tenant, [wanted])
        await require_room(submission, caller.tenant, 1)
    metadata = _metadata(caller, grant, wanted)
    outcome = await _record(
        submission, key, wanted, request_id=request_id, request_hash=request_hash, metadata=metadata
    )
    if entry := admission.usage_entry_of(job_id, outcome.versioned.state.asked):
        await submission.ledger.reserve(caller.tenant, job_id, [entry], metadata)
    await _queue(submission, key, outcome.versioned.state.asked, replayed=outcome.replayed)
    return views.job_resource(outcome.versioned)


async def batch_create_render_jobs(
    submission: Submission, caller: Caller, request: BatchCreateRenderJobsRequest
) -> BatchResource:
    """Record and queue several jobs as one batch.

    Everything is checked before anything is recorded. The batch comes first and names its jobs, whose ids follow from
    the request: after a crash in between, the same request completes what is missing.

    Raises
    ------
    InvalidArgument, PermissionDenied, ResourceExhausted
        As for one job; then nothing is recorded.
    """
    if not request.validate_only:
        ids.validate_request_id(request.request_id)
    wanted = _admit_all(request, submission.engine_version)
    require_free_key(caller, request.reference.key, field="reference.key")
    for n, job in enumerate(wanted):
        require_free_key(caller, job.reference.key, field=f"jobs[{n}].reference.key")
    project = wanted[0].reference.project
    grant = await granted(submission.permissions, caller, project)
    for n, job in enumerate(wanted):
        await require_own(submission.registry, submission.index, caller, job, field=f"jobs[{n}]")
    if request.validate_only:
        return views.batch_resource("", [views.wanted_resource(job) for job in wanted])
    batch_id = ids.derive_id("bat", caller.tenant, caller.party, caller.rpc, request.request_id)
    keys = [
        JobKey(
            caller.tenant, ids.derive_id("job", caller.tenant, caller.party, caller.rpc, f"{request.request_id}/{n}")
        )
        for n in range(len(wanted))
    ]
    request_hash = ids.request_hash(request)
    metadata = _metadata(caller, grant, wanted[0])
    batch = job_aggregate(caller.tenant, batch_id)
    if not (await submission.repositories.batches.load(batch)).exists:
        for n, job in enumerate(wanted):
            require_time(submission, job, field=f"jobs[{n}]")
        require_quota(submission, caller.tenant, wanted)
        await require_room(submission, caller.tenant, len(wanted))
    await submission.repositories.batches.execute(
        batch,
        lambda state: batches.request(state, jobs=[key.job for key in keys], reference=request.reference),
        request_id=request.request_id,
        request_hash=request_hash,
        metadata=metadata,
    )
    outcomes = await _record_all(
        submission, keys, wanted, batch_id=batch_id, request_hash=request_hash, metadata=metadata
    )
    recorded = [outcome.versioned.state.asked for outcome in outcomes]
    entries = [
        entry
        for key, job in zip(keys, recorded, strict=True)
        if (entry := admission.usage_entry_of(key.job, job)) is not None
    ]
    await submission.ledger.reserve(caller.tenant, batch_id, entries, metadata)
    for key, outcome in zip(keys, outcomes, strict=True):
        await _queue(submission, key, outcome.versioned.state.asked, replayed=outcome.replayed)
    return views.batch_resource(batch_id, [views.job_resource(outcome.versioned) for outcome in outcomes])


def _admit_all(request: BatchCreateRenderJobsRequest, engine_version: str) -> list[RenderJob]:
    count = len(request.jobs)
    if not 1 <= count <= batches.BATCH_JOBS_MAX:
        raise InvalidArgument.of_field(
            "jobs",
            f"a batch has 1 to {batches.BATCH_JOBS_MAX} jobs, this one has {count}",
            reason="INVALID_BATCH_SIZE",
            metadata={"jobs": count, "limit": batches.BATCH_JOBS_MAX},
        )
    wanted = [
        admission.admit(job, engine_version=engine_version, field=f"jobs[{n}]") for n, job in enumerate(request.jobs)
    ]
    project = wanted[0].reference.project
    for n, job in enumerate(wanted):
        if job.reference.project != project:
            raise InvalidArgument.of_field(
                f"jobs[{n}].reference.project",
                f"{job.reference.project} is not {project}: all jobs of a batch belong to one project",
                reason="MIXED_PROJECTS",
                metadata={"project": job.reference.project, "expected": project},
            )
    return wanted


async def _record_all(
    submission: Submission,
    keys: Sequence[JobKey],
    wanted: Sequence[RenderJob],
    *,
    batch_id: str,
    request_hash: str,
    metadata: Metadata,
) -> list[Outcome[Job]]:
    """Record the jobs of a batch, a few at a time."""
    slots = asyncio.Semaphore(BATCH_APPENDS_MAX)

    async def record(n: int) -> Outcome[Job]:
        async with slots:
            request_id = ids.follow_up_request_id(views.batch_name(batch_id), f"jobs/{n}")
            own = dataclasses.replace(
                metadata, song=wanted[n].reference.song, external_ref=wanted[n].external_ref, causation_id=batch_id
            )
            return await _record(
                submission, keys[n], wanted[n], request_id=request_id, request_hash=request_hash, metadata=own
            )

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(record(n)) for n in range(len(keys))]
    except ExceptionGroup as failures:
        # The caller is told the first reason; what is recorded stays, and the same request completes the rest.
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _record(
    submission: Submission,
    key: JobKey,
    wanted: RenderJob,
    *,
    request_id: str,
    request_hash: str,
    metadata: Metadata,
) -> Outcome[Job]:
    named = RenderJob(name=views.job_name(key.job))
    named.MergeFrom(wanted)
    return await submission.repositories.jobs.execute(
        job_aggregate(*key),
        lambda job: jobs.request(job, named),
        request_id=request_id,
        request_hash=request_hash,
        metadata=metadata,
    )


async def _queue(submission: Submission, key: JobKey, job: RenderJob, *, replayed: bool) -> None:
    """Queue a recorded job. It will be rendered in any case, so a queue that does not answer fails no request."""
    if replayed and (await submission.repositories.jobs.load(job_aggregate(*key))).state.has_ended:
        return
    try:
        await submission.queue.publish(key, job.kind, job.priority_class)
    except (QueueFull, QueueUnavailable) as failure:
        _log.warning("job recorded but not queued yet; the reconciler will", job=key.job, cause=str(failure))


def _metadata(caller: Caller, grant: Grant, job: RenderJob) -> Metadata:
    reference = job.reference
    return metadata_of(caller, grant, project=reference.project, song=reference.song, external_ref=job.external_ref)
