"""Asking for a render."""

import structlog
from tapelog.render.v1.render_service_pb2 import CreateRenderJobRequest
from tapelog.render.v1.resources_pb2 import RenderJob, RenderKind
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.event_log import Metadata

from tapelog_render.application import views
from tapelog_render.application.access import Caller, Grant, granted, metadata_of, require_free_key
from tapelog_render.application.asking import admission
from tapelog_render.application.asking.ownership import require_own
from tapelog_render.application.asking.room import Submission, require_quota, require_room, require_time
from tapelog_render.application.events import job_aggregate
from tapelog_render.application.ports import JobKey, QueueFull, QueueUnavailable
from tapelog_render.domain import job as jobs
from tapelog_render.domain.job import Job

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
    if submission.reuse_results and wanted.kind != RenderKind.RENDER_KIND_VERIFY:
        made = submission.index.result_for(key.tenant, wanted.kind, wanted.render_digest)
        named.reuses = "" if made is None else views.job_name(made.job)
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


def metadata_for(caller: Caller, grant: Grant, job: RenderJob) -> Metadata:
    """Return what the events of a job say of their cause."""
    reference = job.reference
    return metadata_of(caller, grant, project=reference.project, song=reference.song, external_ref=job.external_ref)
