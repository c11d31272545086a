"""A result that is there serves every job that differs from it in nothing: same kind, recipe, sources and engine."""

import structlog
from tapelog.render.v1.resources_pb2 import JobState, RenderJob, RenderResult
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.objects import ObjectStore, ObjectStoreUnavailableError

from tapelog_render.application.events import job_aggregate
from tapelog_render.domain.job import Job

_log = structlog.get_logger(__name__)


async def reused(jobs: Repository[Job], objects: ObjectStore, tenant: str, asked: RenderJob) -> RenderResult | None:
    """Return the result of the job that this one names, or None if it has to be rendered after all.

    The log is asked, not the index that named the job: it has to have succeeded with the same digest, and each of its
    files has to be in the store still.
    """
    if not asked.reuses:
        return None
    name = asked.reuses.removeprefix("renderJobs/")
    made = (await jobs.load(job_aggregate(tenant, name))).state
    if made.state != JobState.JOB_STATE_SUCCEEDED or made.result is None:
        return None
    if (made.asked.kind, made.asked.render_digest) != (asked.kind, asked.render_digest):
        return None
    digests = {audio.sha256 for audio in made.result.audio} | {file.sha256 for file in made.result.files}
    try:
        if not all([await objects.exists(digest) for digest in digests if digest]):
            _log.info("a result that could have served is not whole any more", made_by=name)
            return None
    except ObjectStoreUnavailableError:
        return None
    result = RenderResult()
    result.CopyFrom(made.result)
    result.timings_s.clear()
    result.reused_from = asked.reuses
    return result
