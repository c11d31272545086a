"""Asking for several renders as one: all of them, or those that can be."""

import asyncio
import dataclasses
from typing import Final

from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import Batch as BatchResource
from tapelog.render.v1.resources_pb2 import BatchRefusal, RenderJob
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.errors import InvalidArgument, ServiceError, to_status
from tapelog_chassis.event_log import Metadata

from tapelog_render.application import views
from tapelog_render.application.access import Caller, granted, require_free_key
from tapelog_render.application.asking import admission
from tapelog_render.application.asking.ownership import require_own
from tapelog_render.application.asking.room import Submission, require_quota, require_room, require_time
from tapelog_render.application.asking.submit import metadata_for, queue, record
from tapelog_render.application.events import job_aggregate
from tapelog_render.application.ports import JobKey
from tapelog_render.domain import batch as batches
from tapelog_render.domain.job import Job

APPENDS_MAX: Final = 16
"""Jobs of a batch that are recorded at a time; more only wait at the log."""


@dataclasses.dataclass(slots=True)
class _Sorted:
    """The jobs of a request by their place in it: those that can be rendered, and why the others cannot."""

    wanted: dict[int, RenderJob] = dataclasses.field(default_factory=dict)
    refused: dict[int, ServiceError] = dataclasses.field(default_factory=dict)

    def refusals(self) -> list[BatchRefusal]:
        """Return the refusals as resources."""
        return [
            BatchRefusal(index=place, error=to_status(error, domain=views.ERROR_DOMAIN))
            for place, error in sorted(self.refused.items())
        ]


async def batch_create_render_jobs(
    submission: Submission, caller: Caller, request: BatchCreateRenderJobsRequest
) -> BatchResource:
    """Record and queue several jobs as one batch.

    Everything is checked before anything is recorded. The batch comes first and names its jobs, whose ids follow from
    the request: after a crash in between, the same request completes what is missing.

    Raises
    ------
    InvalidArgument
        A job is wrong and the request does not allow a part, or no job is right.
    PermissionDenied, ResourceExhausted
        As for one job; then nothing is recorded.
    """
    if not request.validate_only:
        ids.validate_request_id(request.request_id)
    require_free_key(caller, request.reference.key, field="reference.key")
    project = _project_of(request)
    grant = await granted(submission.permissions, caller, project)
    batch_id = ids.derive_id("bat", caller.tenant, caller.party, caller.rpc, request.request_id)
    batch = job_aggregate(caller.tenant, batch_id)
    known = await submission.repositories.batches.load(batch)
    sorted_jobs = await _sort(submission, caller, request, is_new=not known.exists)
    if request.validate_only:
        shown = [views.wanted_resource(job) for job in sorted_jobs.wanted.values()]
        return views.batch_resource("", shown, sorted_jobs.refusals())
    keys = {
        place: JobKey(
            caller.tenant,
            ids.derive_id("job", caller.tenant, caller.party, caller.rpc, f"{request.request_id}/{place}"),
        )
        for place in sorted_jobs.wanted
    }
    request_hash = ids.request_hash(request)
    metadata = metadata_for(caller, grant, next(iter(sorted_jobs.wanted.values())))
    if known.exists:
        # A repetition completes the batch as it was recorded, whatever would be refused by now.
        keys = {place: key for place, key in keys.items() if key.job in known.state.jobs}
    else:
        require_quota(submission, caller.tenant, list(sorted_jobs.wanted.values()))
        await require_room(submission, caller.tenant, len(keys))
    await submission.repositories.batches.execute(
        batch,
        lambda state: batches.request(state, jobs=[key.job for key in keys.values()], reference=request.reference),
        request_id=request.request_id,
        request_hash=request_hash,
        metadata=metadata,
    )
    outcomes = await _record_all(
        submission, keys, sorted_jobs.wanted, batch_id=batch_id, request_hash=request_hash, metadata=metadata
    )
    entries = [
        entry
        for key, outcome in zip(keys.values(), outcomes, strict=True)
        if (entry := admission.usage_entry_of(key.job, outcome.versioned.state.asked)) is not None
    ]
    await submission.ledger.reserve(caller.tenant, batch_id, entries, metadata)
    for key, outcome in zip(keys.values(), outcomes, strict=True):
        await queue(submission, key, outcome.versioned.state.asked, replayed=outcome.replayed)
    shown = [views.job_resource(outcome.versioned) for outcome in outcomes]
    return views.batch_resource(batch_id, shown, sorted_jobs.refusals())


def _project_of(request: BatchCreateRenderJobsRequest) -> str:
    """Return the one project of a batch's jobs."""
    count = len(request.jobs)
    if not 1 <= count <= batches.BATCH_JOBS_MAX:
        raise InvalidArgument.of_field(
            "jobs",
            f"a batch has 1 to {batches.BATCH_JOBS_MAX} jobs, this one has {count}",
            reason="INVALID_BATCH_SIZE",
            metadata={"jobs": count, "limit": batches.BATCH_JOBS_MAX},
        )
    project = request.jobs[0].reference.project
    for place, job in enumerate(request.jobs):
        if job.reference.project != project:
            raise InvalidArgument.of_field(
                f"jobs[{place}].reference.project",
                f"{job.reference.project} is not {project}: all jobs of a batch belong to one project",
                reason="MIXED_PROJECTS",
                metadata={"project": job.reference.project, "expected": project},
            )
    return project


async def _sort(
    submission: Submission, caller: Caller, request: BatchCreateRenderJobsRequest, *, is_new: bool
) -> _Sorted:
    """Check every job; raises at the first wrong one unless the request allows a part."""
    found = _Sorted()
    for place, job in enumerate(request.jobs):
        try:
            found.wanted[place] = wanted = await _admitted(submission, caller, job, field=f"jobs[{place}]")
            if is_new:
                require_time(submission, wanted, field=f"jobs[{place}]")
        except InvalidArgument as error:
            if not request.allow_partial:
                raise
            found.wanted.pop(place, None)
            found.refused[place] = error
    if not found.wanted:
        raise InvalidArgument(
            "EVERY_JOB_REFUSED",
            f"none of the {len(request.jobs)} jobs can be rendered; the first: {found.refused[0].message}",
            fields=[field for error in found.refused.values() for field in getattr(error, "fields", ())],
            metadata={"jobs": len(request.jobs)},
        )
    return found


async def _admitted(submission: Submission, caller: Caller, job: RenderJob, *, field: str) -> RenderJob:
    wanted = admission.admit(job, engine_version=submission.engine_version, field=field)
    require_free_key(caller, wanted.reference.key, field=f"{field}.reference.key")
    await require_own(submission.registry, submission.index, caller, wanted, field=field)
    return wanted


async def _record_all(
    submission: Submission,
    keys: dict[int, JobKey],
    wanted: dict[int, RenderJob],
    *,
    batch_id: str,
    request_hash: str,
    metadata: Metadata,
) -> list[Outcome[Job]]:
    """Record the jobs of a batch, a few at a time."""
    slots = asyncio.Semaphore(APPENDS_MAX)

    async def one(place: int) -> Outcome[Job]:
        async with slots:
            job = wanted[place]
            own = dataclasses.replace(
                metadata, song=job.reference.song, external_ref=job.external_ref, causation_id=batch_id
            )
            request_id = ids.follow_up_request_id(views.batch_name(batch_id), f"jobs/{place}")
            return await record(
                submission, keys[place], job, request_id=request_id, request_hash=request_hash, metadata=own
            )

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(place)) for place in keys]
    except ExceptionGroup as failures:
        # The caller is told the first reason; what is recorded stays, and the same request completes the rest.
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
