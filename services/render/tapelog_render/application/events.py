"""The render service's event vocabulary and its repositories."""

import dataclasses
from typing import Final

from tapelog.render.v1 import events_pb2 as events
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.clock import Clock
from tapelog_chassis.event_log import AggregateId, EventLog, Metadata

from tapelog_render.domain import batch, job, usage
from tapelog_render.domain.batch import Batch
from tapelog_render.domain.job import Job
from tapelog_render.domain.usage import Account

RENDER: Final = "render"
USAGE: Final = "usage"
ACTOR: Final = "svc-render"
"""The party that acts where no person does."""

REGISTRY: Final = EventRegistry(
    {
        "render_job": (
            events.RenderRequested,
            events.RenderStarted,
            events.RenderAttemptFailed,
            events.RenderSucceeded,
            events.RenderFailed,
            events.RenderCancelled,
            events.RenderMismatchFound,
        ),
        "batch": (events.BatchRequested,),
        "usage_account": (events.UsageReserved, events.UsageSettled, events.UsageAdjusted, events.UsageReleased),
    }
)
"""Every event that this service writes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Repositories:
    """The service's aggregates."""

    jobs: Repository[Job]
    batches: Repository[Batch]
    accounts: Repository[Account]

    @classmethod
    def on(cls, log: EventLog, *, clock: Clock | None = None) -> "Repositories":
        """Return repositories on an event log."""
        return cls(
            jobs=job_repository(log, clock=clock),
            batches=Repository(log, RENDER, initial=Batch, evolve=batch.evolve, events=REGISTRY, clock=clock),
            accounts=Repository(log, USAGE, initial=Account, evolve=usage.evolve, events=REGISTRY, clock=clock),
        )


def job_repository(log: EventLog, *, clock: Clock | None = None) -> Repository[Job]:
    """Return the repository of jobs, which is all that a worker needs."""
    return Repository(log, RENDER, initial=Job, evolve=job.evolve, events=REGISTRY, clock=clock)


def job_aggregate(tenant: str, job_id: str) -> AggregateId:
    """Return the name of a job's (or batch's) aggregate."""
    return AggregateId(RENDER, tenant, job_id)


def own_metadata(job: Job) -> Metadata:
    """Return what goes with an event that the service itself adds to a job: it follows from the request."""
    return Metadata(
        actor=ACTOR,
        correlation_id=job.correlation_id,
        causation_id=job.request_event_id,
        project=job.asked.reference.project,
        song=job.asked.reference.song,
        external_ref=job.asked.external_ref,
    )
