"""The read model of jobs, folded from the log's tail: which jobs there are, which are open, who watches."""

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from tapelog.render.v1.events_pb2 import (
    BatchRequested,
    RenderAttemptFailed,
    RenderCancelled,
    RenderFailed,
    RenderMismatchFound,
    RenderRequested,
    RenderStarted,
    RenderSucceeded,
)
from tapelog.render.v1.resources_pb2 import JobState, PriorityClass, RenderKind
from tapelog_chassis.aggregates.gaps import Gaps
from tapelog_chassis.event_log import AggregateId, EventLog, LogItem, StoredEvent

from tapelog_render.application.events import REGISTRY, RENDER
from tapelog_render.application.ports import JobKey
from tapelog_render.domain.job import ENDED

JOBS_MAX: Final = 500_000
"""Jobs kept, at about 500 bytes each; beyond it the oldest that have ended leave the lists, never the log."""

RESULTS_MAX: Final = 1_000_000
"""Files of which is known in which projects they were made, at about 300 bytes each; older ones have to be uploaded to
be used as a source again."""

_STATE_AFTER: Final = {
    RenderStarted: JobState.JOB_STATE_RUNNING,
    RenderAttemptFailed: JobState.JOB_STATE_QUEUED,
    RenderSucceeded: JobState.JOB_STATE_SUCCEEDED,
    RenderFailed: JobState.JOB_STATE_FAILED,
    RenderCancelled: JobState.JOB_STATE_CANCELLED,
}


@dataclasses.dataclass(slots=True)
class IndexedJob:
    """What lists and the reconciler need to know of a job.

    Attributes
    ----------
    position : int
        Of its `RenderRequested` in the context's order: newer jobs have greater ones.
    changed_at : datetime
        Time of its last event.
    deadline : datetime or None
        When it fails if it still waits.
    worker : str
        Of the running or last attempt.
    is_dead_letter : bool
        Whether it was given up.
    """

    key: JobKey
    position: int
    project: str
    kind: RenderKind.ValueType
    render_digest: str
    priority_class: PriorityClass.ValueType
    state: JobState.ValueType
    changed_at: datetime
    deadline: datetime | None = None
    worker: str = ""
    is_dead_letter: bool = False


class JobIndex:
    """Follows the render context and remembers its jobs.

    Parameters
    ----------
    log : EventLog
    jobs_max : int
        Jobs kept.
    on_ended : Callable[[JobKey], None], optional
        Told when a job ends.
    on_changed : Callable[[IndexedJob, JobState, datetime], None], optional
        Told of a job whose state has changed, with the state before and since when it was in it; of the past, which is
        read at the start, it is told nothing.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        jobs_max: int = JOBS_MAX,
        on_ended: Callable[[JobKey], None] | None = None,
        on_changed: Callable[[IndexedJob, JobState.ValueType, datetime], None] | None = None,
    ) -> None:
        self._log = log
        self._jobs_max = jobs_max
        self._on_ended = on_ended
        self._on_changed = on_changed
        self._past_end = 0
        self._jobs: dict[JobKey, IndexedJob] = {}  # in order of position
        self._of_tenant: dict[str, dict[int, JobKey]] = {}
        self._open: dict[JobKey, IndexedJob] = {}
        self._open_of: collections.Counter[str] = collections.Counter()
        self._made: dict[tuple[str, str], set[str]] = {}
        self._results: dict[tuple[str, RenderKind.ValueType, str], JobKey] = {}
        self._bytes_of: dict[str, int] = {}
        self._watchers: dict[JobKey, set[asyncio.Event]] = {}
        self._gaps = Gaps("jobs")
        self.position = 0

    async def follow(self, caught_up: asyncio.Event) -> None:
        """Follow the log for ever; sets `caught_up` when all that was stored at the start is known.

        Raises
        ------
        EventLogError
            The log cannot be followed or not be trusted.
        """
        self._past_end = head = await self._log.head(RENDER)
        if head == 0:
            caught_up.set()
        async for item in self._log.tail(RENDER, after_position=self.position):
            self.apply(item)
            if item.position >= head:
                caught_up.set()

    def apply(self, item: LogItem) -> None:
        """Take in what lies at the next position.

        A job of which something cannot be read counts as open no more: nobody can work on it or end it.
        """
        self.position = item.position
        stored = self._gaps.event_of(item)
        event = None if stored is None else self._gaps.message_of(stored, REGISTRY)
        if stored is None or event is None:
            self._close(item.aggregate)
            return
        key = JobKey(stored.aggregate.tenant, stored.aggregate.id)
        if isinstance(event, RenderRequested):
            self._add(key, event, stored)
        elif not isinstance(event, BatchRequested | RenderMismatchFound) and (job := self._jobs.get(key)) is not None:
            was, since = job.state, job.changed_at
            job.state = _STATE_AFTER[type(event)]
            job.changed_at = stored.time
            job.is_dead_letter = isinstance(event, RenderFailed) and event.is_dead_letter
            if self._on_changed is not None and stored.position > self._past_end:
                self._on_changed(job, was, since)
            if isinstance(event, RenderStarted):
                job.worker = event.worker
            elif isinstance(event, RenderSucceeded):
                if not event.result.reused_from:
                    self._results[key.tenant, job.kind, job.render_digest] = key
                self._remember_results(key.tenant, job.project, event)
            if job.state in ENDED:
                if self._open.pop(key, None) is not None:
                    self._open_of[key.tenant] -= 1
                if self._on_ended is not None:
                    self._on_ended(key)
        for changed in self._watchers.get(key, ()):
            changed.set()

    def _close(self, aggregate: AggregateId | None) -> None:
        if aggregate is None:
            return
        key = JobKey(aggregate.tenant, aggregate.id)
        if self._open.pop(key, None) is not None:
            self._open_of[key.tenant] -= 1
        for changed in self._watchers.get(key, ()):
            changed.set()

    def newest_first(self, tenant: str, *, before_position: int | None = None) -> Iterator[IndexedJob]:
        """Yield a tenant's jobs, newest first, those older than a position only."""
        positions = self._of_tenant.get(tenant, {})
        for position in reversed(positions):
            if before_position is None or position < before_position:
                yield self._jobs[positions[position]]

    def position_of(self, key: JobKey) -> int | None:
        """Return where a job was asked for; None if it is not remembered."""
        job = self._jobs.get(key)
        return None if job is None else job.position

    def is_open(self, key: JobKey) -> bool:
        """Say whether a job of this name was asked for and has not ended."""
        return key in self._open

    def open_jobs(self) -> list[IndexedJob]:
        """Return every job that has not ended, oldest first."""
        return list(self._open.values())

    def overdue(self, now: datetime) -> list[IndexedJob]:
        """Return the jobs that wait although their deadline has passed."""
        return [
            job
            for job in self._open.values()
            if job.deadline is not None and job.deadline <= now and job.state == JobState.JOB_STATE_QUEUED
        ]

    def was_made_in(self, tenant: str, project: str, sha256: str) -> bool:
        """Return whether a render of a project made, or measured, this file."""
        return project in self._made.get((tenant, sha256), ())

    def stored_bytes(self, tenant: str) -> int:
        """Return the bytes of what a tenant's renders have made or measured, takes too; previews go by themselves."""
        return self._bytes_of.get(tenant, 0)

    def _remember_results(self, tenant: str, project: str, event: RenderSucceeded) -> None:
        is_kept = event.kind != RenderKind.RENDER_KIND_PREVIEW
        for audio in event.result.audio:
            known = self._made.get((tenant, audio.sha256))
            if known is None and is_kept:
                self._bytes_of[tenant] = self._bytes_of.get(tenant, 0) + audio.size_bytes
            self._made.setdefault((tenant, audio.sha256), set()).add(project)
        while len(self._made) > RESULTS_MAX:
            del self._made[next(iter(self._made))]

    def result_for(self, tenant: str, kind: RenderKind.ValueType, render_digest: str) -> JobKey | None:
        """Return a job of a tenant that has made what this digest stands for."""
        return self._results.get((tenant, kind, render_digest))

    def open_of(self, tenant: str) -> int:
        """Return how many jobs of a tenant wait or run."""
        return self._open_of[tenant]

    def running_on(self, worker: str) -> list[IndexedJob]:
        """Return the jobs whose running attempt is a worker's; one at most, unless the worker is gone."""
        return [job for job in self._open.values() if job.worker == worker and job.state == JobState.JOB_STATE_RUNNING]

    @contextlib.contextmanager
    def watching(self, key: JobKey) -> Iterator[asyncio.Event]:
        """Return an event that is set whenever something happened to a job."""
        changed = asyncio.Event()
        self._watchers.setdefault(key, set()).add(changed)
        try:
            yield changed
        finally:
            watchers = self._watchers[key]
            watchers.discard(changed)
            if not watchers:
                del self._watchers[key]

    def _add(self, key: JobKey, event: RenderRequested, stored: StoredEvent) -> None:
        job = IndexedJob(
            key=key,
            position=stored.position,
            project=event.job.reference.project,
            kind=event.job.kind,
            render_digest=event.job.render_digest,
            priority_class=event.job.priority_class,
            state=JobState.JOB_STATE_QUEUED,
            changed_at=stored.time,
            deadline=event.job.deadline_time.ToDatetime(UTC) if event.job.HasField("deadline_time") else None,
        )
        self._open_of[key.tenant] += key not in self._open
        self._jobs[key] = self._open[key] = job
        self._of_tenant.setdefault(key.tenant, {})[job.position] = key
        if len(self._jobs) > self._jobs_max:
            self._forget_oldest_ended()

    def _forget_oldest_ended(self) -> None:
        oldest = next((job for job in self._jobs.values() if job.state in ENDED), None)
        if oldest is not None:
            del self._jobs[oldest.key]
            del self._of_tenant[oldest.key.tenant][oldest.position]
            self._results.pop((oldest.key.tenant, oldest.kind, oldest.render_digest), None)

    def __repr__(self) -> str:
        return f"JobIndex({len(self._jobs)} jobs, {len(self._open)} open, position={self.position})"
