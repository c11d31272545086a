"""Jobs that still wait at their deadline end as FAILED, and what was reserved for them is released."""

import asyncio
from typing import Final

import structlog
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import ServiceError

from tapelog_render.application.events import job_aggregate, own_metadata
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.ports import JobKey, JobQueue, QueueUnavailable
from tapelog_render.domain import job as jobs
from tapelog_render.domain.job import Job

EVERY_S: Final = 1.0
"""So late a deadline may be noticed while nobody takes the job."""

_log = structlog.get_logger(__name__)


async def expire(repository: Repository[Job], key: JobKey, job: Job, clock: Clock) -> bool:
    """End one job if it is overdue; return whether it was. Raises `ServiceError` if the log cannot be written."""
    now = clock.now()
    if not jobs.is_overdue(job, now):
        return False
    outcome = await repository.execute(
        job_aggregate(*key),
        lambda state: jobs.expire(state, now),
        # Each attempt that was given back may be followed by a wait of its own.
        request_id=ids.follow_up_request_id(f"{key.tenant}/{key.job}/{job.attempts}", "expire"),
        request_hash="deadline",
        metadata=own_metadata(job),
    )
    if outcome.events:
        _log.warning("job failed at its deadline", job=key.job, tenant=key.tenant)
    return outcome.versioned.state.has_ended


async def expire_once(index: JobIndex, repository: Repository[Job], queue: JobQueue, clock: Clock) -> int:
    """End every overdue job and take it off the queue; return how many there were.

    Raises
    ------
    ServiceError, QueueUnavailable
    """
    overdue = index.overdue(clock.now())
    for indexed in overdue:
        job = (await repository.load(job_aggregate(*indexed.key))).state
        if await expire(repository, indexed.key, job, clock):
            await queue.remove(indexed.key)
    return len(overdue)


async def expire_forever(index: JobIndex, repository: Repository[Job], queue: JobQueue, clock: Clock) -> None:
    """Look for overdue jobs again and again."""
    while True:
        try:
            await expire_once(index, repository, queue, clock)
        except (ServiceError, QueueUnavailable) as failure:
            _log.warning("deadlines put off", cause=str(failure))
        await asyncio.sleep(EVERY_S)
