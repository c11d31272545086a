"""Batch: several jobs asked for as one."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import BatchRequested
from tapelog.render.v1.resources_pb2 import RenderReference

from tapelog_render.domain.errors import BatchExists, BatchSizeRefused
from tapelog_render.domain.recorded import Recorded

BATCH_JOBS_MAX: Final = 300
"""Jobs of one batch: their ids fit one event, and all of them are recorded within a call's deadline."""


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its events made it; without jobs it does not exist."""

    jobs: tuple[str, ...] = ()
    reference: RenderReference = dataclasses.field(default_factory=RenderReference)


def request(batch: Batch, *, jobs: Sequence[str], reference: RenderReference) -> Sequence[Message]:
    """Ask for several jobs, named by their ids, in order."""
    if batch.jobs:
        raise BatchExists("this batch was asked for before")
    if not 1 <= len(jobs) <= BATCH_JOBS_MAX:
        raise BatchSizeRefused(f"a batch has 1 to {BATCH_JOBS_MAX} jobs, this one has {len(jobs)}")
    if len(set(jobs)) != len(jobs):
        raise BatchSizeRefused("a batch names each job once")
    return (BatchRequested(jobs=jobs, reference=reference),)


def evolve(batch: Batch, event: Message, recorded: Recorded) -> Batch:  # noqa: ARG001 - the shape of every fold
    """Return the batch after an event."""
    if isinstance(event, BatchRequested):
        return Batch(tuple(event.jobs), event.reference)
    raise TypeError(f"{type(event).__name__} is no event of a batch")
