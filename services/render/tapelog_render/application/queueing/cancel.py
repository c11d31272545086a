"""Cancelling: the fact first, then the queue, then whoever is at work."""

from typing import Final

import structlog
from tapelog.render.v1.render_service_pb2 import CancelRenderJobRequest
from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_chassis import ids
from tapelog_chassis.errors import FailedPrecondition, InvalidArgument

from tapelog_render.application import views
from tapelog_render.application.access import Caller, metadata_of
from tapelog_render.application.events import job_aggregate
from tapelog_render.application.ports import JobQueue, QueueUnavailable
from tapelog_render.application.queries import Reader, load_job
from tapelog_render.domain import job as jobs
from tapelog_render.domain.errors import JobEnded, word_of

REASON_CHARS_MAX: Final = 500

_log = structlog.get_logger(__name__)


async def cancel_render_job(
    reader: Reader, queue: JobQueue, caller: Caller, request: CancelRenderJobRequest
) -> RenderJob:
    """End a job without a result.

    Raises
    ------
    FailedPrecondition
        It has an outcome already.
    NotFound, PermissionDenied, Aborted, InvalidArgument
    """
    ids.validate_request_id(request.request_id)
    if len(request.reason) > REASON_CHARS_MAX:
        raise InvalidArgument.of_field(
            "reason", f"has {len(request.reason)} characters, the limit is {REASON_CHARS_MAX}"
        )
    key, versioned, grant = await load_job(reader, caller, request.name, tenant_roles=frozenset())
    reference = versioned.state.asked.reference
    try:
        outcome = await reader.repositories.jobs.execute(
            job_aggregate(*key),
            lambda job: jobs.cancel(job, reason=request.reason or f"cancelled by {caller.party}"),
            request_id=request.request_id,
            request_hash=ids.request_hash(request),
            metadata=metadata_of(
                caller,
                grant,
                project=reference.project,
                song=reference.song,
                external_ref=versioned.state.asked.external_ref,
            ),
            expected_etag=request.etag,
        )
    except JobEnded as ended:
        state = word_of(ended.state)
        raise FailedPrecondition(
            "JOB_ENDED",
            f"{key.job} has {state} already, so there is nothing to cancel",
            violations=[("JOB_ENDED", request.name, f"the job has {state}; only a queued or running job can be ended")],
            metadata={"job": key.job, "state": state},
        ) from ended
    try:
        await queue.remove(key)
        await queue.stop_running(key)
    except QueueUnavailable as failure:
        # The fact is recorded: a worker that is given the job finds it ended, and one at work at its next heartbeat.
        _log.warning("cancelled, but the queue does not answer", job=key.job, cause=str(failure))
    return views.job_resource(outcome.versioned)
