"""What asking for renders needs, and whether there is time and room for them."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import InvalidArgument, ResourceExhausted, Unavailable
from tapelog_chassis.timestamps import time_of

from tapelog_render.application.access import Permissions
from tapelog_render.application.asking import specs
from tapelog_render.application.asking.ownership import Registry
from tapelog_render.application.events import Repositories
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.ports import JobQueue, QueueUnavailable
from tapelog_render.application.usage.ledger import UsageLedger

QUEUE_RETRY_S: Final = 5.0
"""When to come back to a full queue: about one render."""
DEADLINE_MAX: Final = timedelta(days=30)
"""Nobody remembers what was to be done later than that."""


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """What asking for renders needs.

    Attributes
    ----------
    engine_version : str
        Engine that will render; part of every render digest.
    queue_depth_max, tenant_queue_depth_max : int
        Jobs that may wait, in all and of one tenant; a request beyond it is refused and costs nothing.
    tenant_bytes_max : int
        Audio that a tenant's renders may have made; beyond it only analyses, previews and verifications are taken.
    reuse_results : bool
        Whether a job that differs in nothing from one that has a result is served by that.
    """

    repositories: Repositories
    ledger: UsageLedger
    queue: JobQueue
    permissions: Permissions
    engine_version: str
    queue_depth_max: int
    tenant_queue_depth_max: int
    tenant_bytes_max: int
    reuse_results: bool
    index: JobIndex
    registry: Registry
    clock: Clock


def require_time(submission: Submission, job: RenderJob, *, field: str) -> None:
    """Refuse a deadline that has passed, or that nobody will remember."""
    if not job.HasField("deadline_time"):
        return
    now, deadline = submission.clock.now(), time_of(job.deadline_time, f"{field}.deadline_time")
    if not now < deadline <= now + DEADLINE_MAX:
        raise InvalidArgument.of_field(
            f"{field}.deadline_time",
            f"{deadline.isoformat(timespec='seconds')} must lie ahead, at most {DEADLINE_MAX.days} days",
        )


def require_quota(submission: Submission, tenant: str, wanted: Sequence[RenderJob]) -> None:
    """Refuse work whose results would be kept, when the tenant's results fill their room already."""
    stored = submission.index.stored_bytes(tenant)
    if stored < submission.tenant_bytes_max or all(job.kind in specs.NOT_KEPT for job in wanted):
        return
    raise ResourceExhausted(
        "STORAGE_QUOTA",
        f"the renders of {tenant} have made or measured {stored} bytes of audio, and the limit is "
        f"{submission.tenant_bytes_max}; "
        "nothing was recorded, ask the operator for more",
        metadata={"stored_bytes": stored, "limit_bytes": submission.tenant_bytes_max},
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
