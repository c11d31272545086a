"""The net below the queue: a job that was handed out too often, or refused as none, ends with a reason."""

from typing import Final

import structlog
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Repository

from tapelog_render.application.events import job_aggregate, own_metadata
from tapelog_render.application.ports import JobKey
from tapelog_render.domain import job as jobs
from tapelog_render.domain.job import Failure, Job

UNDELIVERABLE: Final = "UNDELIVERABLE"

_log = structlog.get_logger(__name__)


async def bury(repository: Repository[Job], key: JobKey, cause: str) -> None:
    """Fail a job that no worker can be given; nothing if it has ended or was never recorded.

    Raises
    ------
    ServiceError
        The log cannot be written just now.
    """
    aggregate = job_aggregate(*key)
    versioned = await repository.load(aggregate)
    if not versioned.exists:
        _log.error("a queued job is not in the log", job=key.job, tenant=key.tenant, cause=cause)
        return
    message = f"{cause}; look at the workers' logs, then ask for the render again"
    outcome = await repository.execute(
        aggregate,
        lambda job: jobs.abandon(job, Failure(UNDELIVERABLE, message)),
        request_id=ids.follow_up_request_id(f"{key.tenant}/{key.job}", "bury"),
        request_hash="dead-letter",
        metadata=own_metadata(versioned.state),
    )
    if outcome.events:
        _log.error("job failed as undeliverable", job=key.job, tenant=key.tenant, cause=cause)
