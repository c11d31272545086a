"""Makes the queue agree with the log: an open job that is not queued is queued again.

A crash between recording a job and queueing it, or a lost queue, leaves such jobs; nobody else would look for them.
"""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Final

import structlog
from tapelog_chassis.clock import Clock

from tapelog_render import telemetry
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.ports import JobKey, JobQueue, QueueFull, QueueUnavailable

EVERY_S: Final = 10.0
"""A job lost between log and queue waits this long at most, and `GRACE_S`."""
GRACE_S: Final = 5.0
"""Younger changes are left alone: whoever made them is still about to queue or unqueue the job."""

_log = structlog.get_logger(__name__)


async def reconcile_once(index: JobIndex, queue: JobQueue, clock: Clock, *, grace_s: float = GRACE_S) -> int:
    """Queue every open job that is missing from the queue; return how many were.

    Raises
    ------
    QueueUnavailable, QueueFull
    """
    settled_before = clock.now() - timedelta(seconds=grace_s)
    candidates = [job for job in index.open_jobs() if job.changed_at <= settled_before]
    if not candidates:
        return 0
    await queue.keep_lanes({(job.priority_class, job.key.tenant) for job in candidates})
    queued = set(await queue.queued())
    count = 0
    for job in candidates:
        if job.key not in queued and await queue.publish(job.key, job.kind, job.priority_class):
            _log.warning("queued a job that was open but not queued", job=job.key.job, tenant=job.key.tenant)
            count += 1
    return count


async def sweep_once(index: JobIndex, queue: JobQueue, seen: Collection[JobKey]) -> Collection[JobKey]:
    """Take out of the queue what is in it under the name of no open job, and was so at the last look too.

    What lies in a lane that workers ask is refused by them; what lies elsewhere would lie there for ever.

    Parameters
    ----------
    seen
        What the last look has returned.

    Returns
    -------
    Collection of JobKey
        What is queued and is no open job; the index may only not have heard of it yet.

    Raises
    ------
    QueueUnavailable
    """
    if await queue.depth() <= len(index.open_jobs()):
        return ()
    strangers = {key for key in await queue.queued() if not index.is_open(key)}
    for key in strangers.intersection(seen):
        await queue.discard(key)
        telemetry.FOREIGN_PASSED_BY.inc()
        _log.error("no open job, taken out of the queue", job=key.job, tenant=key.tenant, alert=True)
    return strangers


async def requeue_jobs_of(index: JobIndex, queue: JobQueue, worker: str) -> None:
    """Queue the job of a worker that is known to be dead anew, so that it need not wait for its lease to run out.

    A job that this misses, because the index has not heard of its start yet, comes when its lease runs out.
    """
    for job in index.running_on(worker):
        try:
            await queue.remove(job.key)
            await queue.publish(job.key, job.kind, job.priority_class)
        except (QueueUnavailable, QueueFull) as failure:
            _log.warning("job of a dead worker not queued anew", job=job.key.job, cause=str(failure))
        else:
            _log.info("queued the job of a dead worker anew", job=job.key.job, tenant=job.key.tenant)


async def reconcile_forever(
    index: JobIndex, queue: JobQueue, clock: Clock, *, every_s: float = EVERY_S, grace_s: float = GRACE_S
) -> None:
    """Reconcile now and again and again."""
    strangers: Collection[JobKey] = ()
    while True:
        try:
            await reconcile_once(index, queue, clock, grace_s=grace_s)
            strangers = await sweep_once(index, queue, strangers)
        except (QueueUnavailable, QueueFull) as failure:
            _log.warning("reconciliation put off", cause=str(failure))
        await asyncio.sleep(every_s)
