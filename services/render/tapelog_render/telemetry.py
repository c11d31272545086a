"""Every metric of the render service and its workers, declared once; labels never carry an id."""

from typing import Final

from tapelog_chassis.observability.metrics import LONG_SECONDS, counter, gauge, histogram

JOBS_IN_STREAM: Final = gauge(
    "tapelog_render_jobs_in_stream",
    "Jobs in the broker's queue, waiting or worked on.",
    "jobs",
)

JOBS_WAITING: Final = gauge("tapelog_render_jobs_waiting", "Jobs that nobody works on, by class.", "jobs", ["class"])

JOBS_RUNNING: Final = gauge("tapelog_render_jobs_running", "Jobs that a worker has, by class.", "jobs", ["class"])

OLDEST_WAIT: Final = gauge(
    "tapelog_render_oldest_wait_seconds", "How long the longest waiting job has waited, by class.", "seconds", ["class"]
)

WAIT_SECONDS: Final = histogram(
    "tapelog_render_wait_seconds",
    "From when a job could be worked on to its start, by class.",
    ["class"],
    buckets=LONG_SECONDS,
)

RENDER_SECONDS: Final = histogram(
    "tapelog_render_seconds", "From a job's start to its result, by kind.", ["kind"], buckets=LONG_SECONDS
)

JOBS_ENDED: Final = counter(
    "tapelog_render_jobs_ended",
    "Jobs that ended, by kind and outcome: succeeded, failed, cancelled.",
    "jobs",
    ["kind", "outcome"],
)

DEAD_LETTERS: Final = counter(
    "tapelog_render_dead_letters",
    "Jobs that were given up: every attempt failed, or no worker could take them.",
    "jobs",
)

FOREIGN_PASSED_BY: Final = counter(
    "tapelog_render_foreign_passed_by",
    "Messages that are none of ours, in the render log, the queue or its advisories, and that were passed by.",
    "messages",
)

WORKER_RESTARTS: Final = counter("tapelog_render_worker_restarts", "Workers that died and were started again.", "times")
