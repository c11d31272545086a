"""Asking for a render."""

import dataclasses
from datetime import UTC, timedelta
from typing import Final

import structlog
from tapelog.render.v1.render_service_pb2 import CreateRenderJobRequest
from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_chassis import ids
from tapelog_chassis.clock import Clock
from tapelog_chassis.commands import Outcome
from tapelog_chassis.errors import InvalidArgument, ResourceExhausted, Unavailable
from tapelog_chassis.event_log import Metadata

from tapelog_render.application import admission, views
from tapelog_render.application.access import Caller, Grant, Permissions, granted, metadata_of, require_free_key
from tapelog_render.application.events import Repositories, job_aggregate
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.ledger import UsageLedger
from tapelog_render.application.ownership import Registry, require_own
from tapelog_render.application.ports import JobKey, JobQueue, QueueFull, QueueUnavailable
from tapelog_render.domain import job as jobs
from tapelog_render.domain.job import Job

QUEUE_RETRY_S: Final = 5.0
"""When to come back to a full queue: about one render."""
DEADLINE_MAX: Final = timedelta(days=30)

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """What asking for renders needs.

    Attributes
    ----------
    engine_version : str
        Engine that will render; part of every render digest.
    queue_depth_max, tenant_queue_depth_max : int
        Jobs that may wait, in all and of one tenant; a request beyond it is refused and costs nothing.
    """

    repositories: Repositories
    ledger: UsageLedger
    queue: JobQueue
    permissions: Permissions
    engine_version: str
    queue_depth_max: int
    tenant_queue_depth_max: int
    index: JobIndex
    registry: Registry
    clock: Clock


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
        await require_room(submission, caller.tenant, 1)
    metadata = metadata_for(caller, grant, wanted)
    outcome = await record(submission, key, wanted, request_id=request_id, request_hash=request_hash, metadata=metadata)
    if entry := admission.usage_entry_of(job_id, outcome.versioned.state.asked):
        await submission.ledger.reserve(caller.tenant, job_id, [entry], metadata)
    await queue(submission, key, outcome.versioned.state.asked, replayed=outcome.replayed)
    return views.job_resource(outcome.versioned)


async def record(
    submission: Submission,
    key: JobKey,
    wanted: RenderJob,
    *,
    request_id: str,
    request_hash: str,
    metadata: Metadata,
) -> Outcome[Job]:
    """Record that a job was asked for."""
    named = RenderJob(name=views.job_name(key.job))
    named.MergeFrom(wanted)
    return await submission.repositories.jobs.execute(
        job_aggregate(*key),
        lambda job: jobs.request(job, named),
        request_id=request_id,
        request_hash=request_hash,
        metadata=metadata,
    )


async def queue(submission: Submission, key: JobKey, job: RenderJob, *, replayed: bool) -> None:
    """Queue a recorded job. It will be rendered in any case, so a queue that does not answer fails no request."""
    if replayed and (await submission.repositories.jobs.load(job_aggregate(*key))).state.has_ended:
        return
    try:
        await submission.queue.publish(key, job.kind, job.priority_class)
    except (QueueFull, QueueUnavailable) as failure:
        _log.warning("job recorded but not queued yet; the reconciler will", job=key.job, cause=str(failure))


def require_time(submission: Submission, job: RenderJob, *, field: str) -> None:
    """Refuse a deadline that has passed, or that nobody will remember."""
    if not job.HasField("deadline_time"):
        return
    now, deadline = submission.clock.now(), job.deadline_time.ToDatetime(UTC)
    if not now < deadline <= now + DEADLINE_MAX:
        raise InvalidArgument.of_field(
            f"{field}.deadline_time",
            f"{deadline.isoformat(timespec='seconds')} must lie ahead, at most {DEADLINE_MAX.days} days",
        )


async def require_room(submission: Submission, tenant: str, count: int) -> None:
    """Refuse what would wait too long: for this tenant's own jobs, or for everybody's."""
    own = submission.index.open_of(tenant)
    if own + count > submission.tenant_queue_depth_max:
        raise ResourceExhausted(
            "TENANT_QUEUE_FULL",
            f"{own} of your render jobs wait or run already and the limit is {submission.tenant_queue_depth_max}, so "
            f"{count} more would wait too long; nothing was recorded, come back later with the same request_id",
            metadata={"depth": own, "limit": submission.tenant_queue_depth_max, "jobs": count},
            retry_after_s=QUEUE_RETRY_S,
        )
    try:
        depth = await submission.queue.depth()
    except QueueUnavailable as failure:
        raise Unavailable(
            "QUEUE_UNAVAILABLE", "the render queue does not answer, nothing was recorded; try again", retry_after_s=0.5
        ) from failure
    if depth + count > submission.queue_depth_max:
        raise ResourceExhausted(
            "QUEUE_FULL",
            f"{depth} render jobs wait already and the limit is {submission.queue_depth_max}, so {count} more would "
            "wait too long; nothing was recorded, come back later with the same request_id",
            metadata={"depth": depth, "limit": submission.queue_depth_max, "jobs": count},
            retry_after_s=QUEUE_RETRY_S,
        )


def metadata_for(caller: Caller, grant: Grant, job: RenderJob) -> Metadata:
    """Return what the events of a job say of their cause."""
    reference = job.reference
    return metadata_of(caller, grant, project=reference.project, song=reference.song, external_ref=job.external_ref)
