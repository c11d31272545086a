"""Resources as callers see them, made from aggregates."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2
from tapelog.render.v1.resources_pb2 import Batch as BatchResource
from tapelog.render.v1.resources_pb2 import BatchRefusal, JobState, RenderJob
from tapelog_chassis.aggregates.versioned import Versioned

from tapelog_render.application.asking.sizing import estimate_of
from tapelog_render.application.ports import Progress
from tapelog_render.domain.job import ENDED, Failure, Job

ERROR_DOMAIN: Final = "render.tapelog"
_FAILED: Final = frozenset({JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED})


def job_name(job_id: str) -> str:
    """Return a job's resource name."""
    return f"renderJobs/{job_id}"


def batch_name(batch_id: str) -> str:
    """Return a batch's resource name."""
    return f"batches/{batch_id}"


def wanted_resource(wanted: RenderJob) -> RenderJob:
    """Return a job that is only checked, with what it would cost."""
    resource = RenderJob()
    resource.CopyFrom(wanted)
    resource.estimate.CopyFrom(estimate_of(wanted))
    return resource


def job_resource(versioned: Versioned[Job], progress: Progress | None = None) -> RenderJob:
    """Return a job as a resource, with the progress of its running attempt where it is known."""
    job = versioned.state
    resource = RenderJob()
    resource.CopyFrom(job.asked)
    resource.etag = versioned.etag
    resource.estimate.CopyFrom(estimate_of(job.asked))
    resource.state = job.state
    resource.attempts = job.attempts
    resource.worker = job.worker
    if job.result is not None:
        resource.result.CopyFrom(job.result)
    if job.failure is not None and job.state in _FAILED:
        resource.error.CopyFrom(_status(job.failure, job.state))
    if job.create_time is not None:
        resource.create_time.CopyFrom(_timestamp(job.create_time))
    if job.end_time is not None:
        resource.end_time.CopyFrom(_timestamp(job.end_time))
    if job.state == JobState.JOB_STATE_SUCCEEDED:
        resource.progress_percent = 100.0
    elif job.state == JobState.JOB_STATE_RUNNING and progress is not None and progress.fence == job.fence:
        resource.progress_percent = progress.percent
        resource.seconds_left = progress.seconds_left
        resource.stage = progress.stage
        resource.stage_seconds.update(progress.stage_seconds)
    return resource


def batch_resource(batch_id: str, jobs: list[RenderJob], refused: Sequence[BatchRefusal] = ()) -> BatchResource:
    """Return a batch as a resource."""
    return BatchResource(
        name=batch_name(batch_id) if batch_id else "",
        jobs=jobs,
        done=sum(job.state in ENDED for job in jobs),
        failed=sum(job.state in _FAILED for job in jobs),
        refused=refused,
    )


def _status(failure: Failure, state: JobState.ValueType) -> status_pb2.Status:
    is_cancelled = state == JobState.JOB_STATE_CANCELLED
    status = status_pb2.Status(code=code_pb2.CANCELLED if is_cancelled else code_pb2.ABORTED, message=failure.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=failure.reason, domain=ERROR_DOMAIN))
    return status


def _timestamp(time: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
