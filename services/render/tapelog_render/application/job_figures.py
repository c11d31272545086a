"""Figures of the jobs for the operator, from what the index learns; the past is not counted again at a start."""

import collections
from datetime import datetime
from typing import Final

from tapelog.render.v1.resources_pb2 import JobState, PriorityClass, RenderKind
from tapelog_chassis.clock import Clock

from tapelog_render import telemetry
from tapelog_render.application.job_index import IndexedJob, JobIndex
from tapelog_render.application.ports import JobQueue

CLASSES: Final = {
    PriorityClass.PRIORITY_CLASS_INTERACTIVE: "interactive",
    PriorityClass.PRIORITY_CLASS_STANDARD: "standard",
    PriorityClass.PRIORITY_CLASS_BULK: "bulk",
}
_OUTCOMES: Final = {
    JobState.JOB_STATE_SUCCEEDED: "succeeded",
    JobState.JOB_STATE_FAILED: "failed",
    JobState.JOB_STATE_CANCELLED: "cancelled",
}


def count_change(job: IndexedJob, was: JobState.ValueType, since: datetime) -> None:
    """Count that a job's state has changed; it was in the state before since a time."""
    lasted_s = max(0.0, (job.changed_at - since).total_seconds())
    kind = RenderKind.Name(job.kind).removeprefix("RENDER_KIND_").lower()
    if job.state == JobState.JOB_STATE_RUNNING:
        telemetry.WAIT_SECONDS.labels(_class_of(job)).observe(lasted_s)
    elif job.state == JobState.JOB_STATE_SUCCEEDED and was == JobState.JOB_STATE_RUNNING:
        telemetry.RENDER_SECONDS.labels(kind).observe(lasted_s)
    if job.state in _OUTCOMES:
        telemetry.JOBS_ENDED.labels(kind, _OUTCOMES[job.state]).inc()
    if job.is_dead_letter:
        telemetry.DEAD_LETTERS.inc()


async def sample_jobs(index: JobIndex, queue: JobQueue, clock: Clock) -> None:
    """Set the figures of the jobs that have not ended.

    Raises
    ------
    QueueUnavailable
        The others are set by then.
    """
    waiting: collections.Counter[str] = collections.Counter()
    running: collections.Counter[str] = collections.Counter()
    oldest: dict[str, datetime] = {}
    for job in index.open_jobs():
        class_ = _class_of(job)
        if job.state == JobState.JOB_STATE_RUNNING:
            running[class_] += 1
        else:
            waiting[class_] += 1
            oldest[class_] = min(job.changed_at, oldest.get(class_, job.changed_at))
    now = clock.now()
    for class_ in CLASSES.values():
        telemetry.JOBS_WAITING.labels(class_).set(waiting[class_])
        telemetry.JOBS_RUNNING.labels(class_).set(running[class_])
        telemetry.OLDEST_WAIT.labels(class_).set(max(0.0, (now - oldest.get(class_, now)).total_seconds()))
    telemetry.JOBS_IN_STREAM.set(await queue.depth())


def _class_of(job: IndexedJob) -> str:
    return CLASSES.get(job.priority_class, CLASSES[PriorityClass.PRIORITY_CLASS_STANDARD])
