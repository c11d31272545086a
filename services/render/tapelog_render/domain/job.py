"""RenderJob: one intent to render, its attempts, its one outcome. Decide and evolve are pure.

```
              RenderStarted              RenderSucceeded
   QUEUED  ------------------> RUNNING -------------------> SUCCEEDED
     ^  |  <------------------   |  |  -------------------> FAILED
     |  |   RenderAttemptFailed  |  |     RenderFailed
     |  +---- RenderCancelled ---+--+---------------------> CANCELLED
     RenderRequested
```

Whoever started the last attempt holds its fence, the sequence of its `RenderStarted`. Every later fact of an attempt
must present the fence, so a worker that was thought dead and comes back can record nothing.
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import (
    RenderAttemptFailed,
    RenderCancelled,
    RenderFailed,
    RenderMismatchFound,
    RenderRequested,
    RenderStarted,
    RenderSucceeded,
)
from tapelog.render.v1.resources_pb2 import JobState, RenderJob, RenderResult

from tapelog_render.domain.errors import AttemptSuperseded, JobEnded, JobExists, JobUnknown
from tapelog_render.domain.recorded import Recorded

ATTEMPTS_MAX: Final = 3
"""Attempts that may fail before the job fails; a worker that stops in good order gives its attempt back."""

WORKER_LOST: Final = "WORKER_LOST"
"""The worker's lease ran out: it died, hung, or lost the broker."""
DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
"""The job still waited for a worker at its deadline."""
WORKER_STOPPED: Final = "WORKER_STOPPED"
"""The worker was asked to stop; the attempt does not count."""

Decide = Callable[["Job"], Sequence[Message]]
"""A command on a job, with its arguments bound: the events it makes of a state."""

ENDED: Final = frozenset({JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED})


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job failed: a stable code, and words that say what to do."""

    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A job as its events made it; without `requested` it does not exist.

    Attributes
    ----------
    requested : RenderJob, optional
        What was asked for; never changed.
    attempts, excused : int
        Attempts begun, and how many of them were given back by workers that stopped.
    fence : int
        Sequence of the running attempt's `RenderStarted`; 0 while none runs.
    worker : str
        Of the running or last attempt.
    correlation_id, request_event_id, asked_by : str
        Of `RenderRequested`: what the outcome refers back to.
    """

    requested: RenderJob | None = None
    state: JobState.ValueType = JobState.JOB_STATE_UNSPECIFIED
    attempts: int = 0
    excused: int = 0
    fence: int = 0
    worker: str = ""
    result: RenderResult | None = None
    failure: Failure | None = None
    create_time: datetime | None = None
    end_time: datetime | None = None
    correlation_id: str = ""
    request_event_id: str = ""
    asked_by: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether the job has its outcome."""
        return self.state in ENDED

    @property
    def may_retry(self) -> bool:
        """Whether another attempt may follow the ones begun."""
        return self.attempts - self.excused < ATTEMPTS_MAX

    @property
    def asked(self) -> RenderJob:
        """What was asked for; `JobUnknown` if nothing was."""
        if self.requested is None:
            raise JobUnknown("there is no such render job")
        return self.requested


def request(job: Job, wanted: RenderJob) -> Sequence[Message]:
    """Ask for a render."""
    if job.requested is not None:
        raise JobExists("this render job was asked for before")
    return (RenderRequested(job=wanted),)


def start(job: Job, *, worker: str, engine_version: str) -> Sequence[Message]:
    """Begin an attempt, or end the job when its attempts are used up.

    A running attempt whose job is handed out again has lost its worker: it fails first.

    Raises
    ------
    JobEnded, JobUnknown
    """
    _require_open(job)
    events: list[Message] = []
    if job.state == JobState.JOB_STATE_RUNNING:
        lost = Failure(WORKER_LOST, f"worker {job.worker} stopped reporting during attempt {job.attempts}")
        events.extend(_attempt_failed(job, lost, will_retry=job.may_retry))
    if job.may_retry:
        events.append(RenderStarted(attempt=job.attempts + 1, worker=worker, engine_version=engine_version))
    return events


def succeed(job: Job, *, fence: int, result: RenderResult) -> Sequence[Message]:
    """Record the result of the running attempt; `AttemptSuperseded` if that is another one."""
    _require_fence(job, fence)
    asked = job.asked
    succeeded = RenderSucceeded(attempt=job.attempts, result=result, reference=asked.reference, kind=asked.kind)
    if not result.HasField("verification") or result.verification.equal:
        return (succeeded,)
    mismatch = RenderMismatchFound(
        verification=result.verification,
        engine_version=result.engine_version,
        worker=job.worker,
        reference=asked.reference,
    )
    return mismatch, succeeded


def fail_attempt(job: Job, *, fence: int, failure: Failure, is_final: bool) -> Sequence[Message]:
    """Record that the running attempt failed, and the job with it when no attempt is left.

    Parameters
    ----------
    is_final : bool
        Another attempt would fail in the same way, so none is made.

    Raises
    ------
    AttemptSuperseded
    """
    _require_fence(job, fence)
    return _attempt_failed(job, failure, will_retry=job.may_retry and not is_final, is_refusal=is_final)


def give_back(job: Job, *, fence: int) -> Sequence[Message]:
    """Return the job to the queue because its worker stops; `AttemptSuperseded` if it is not its job any more."""
    _require_fence(job, fence)
    return _attempt_failed(job, Failure(WORKER_STOPPED, f"worker {job.worker} was stopped"), will_retry=True)


def cancel(job: Job, *, reason: str) -> Sequence[Message]:
    """End the job without a result; `JobEnded` if it has an outcome."""
    _require_open(job)
    asked = job.asked
    return (RenderCancelled(reason=reason, reference=asked.reference, kind=asked.kind),)


def is_overdue(job: Job, now: datetime) -> bool:
    """Return whether the job still waits for a worker although its deadline has passed."""
    if job.state != JobState.JOB_STATE_QUEUED or not job.asked.HasField("deadline_time"):
        return False
    return job.asked.deadline_time.ToDatetime(UTC) <= now


def expire(job: Job, now: datetime) -> Sequence[Message]:
    """End a job that is overdue; nothing if it is not."""
    if not is_overdue(job, now):
        return ()
    deadline = job.asked.deadline_time.ToDatetime(UTC).isoformat(timespec="seconds")
    message = f"no worker could begin it by {deadline}; ask again with a later deadline, or a more urgent class"
    return (_failed(job, Failure(DEADLINE_EXCEEDED, message)),)


def abandon(job: Job, failure: Failure) -> Sequence[Message]:
    """End a job that no worker can be given; nothing if it has ended."""
    if job.has_ended:
        return ()
    return (_failed(job, failure, is_dead_letter=True),)


def evolve(job: Job, event: Message, recorded: Recorded) -> Job:
    """Return the job after an event."""
    match event:
        case RenderRequested():
            return Job(
                requested=event.job,
                state=JobState.JOB_STATE_QUEUED,
                create_time=recorded.time,
                correlation_id=recorded.metadata.correlation_id,
                request_event_id=recorded.event_id,
                asked_by=recorded.metadata.actor,
            )
        case RenderStarted():
            return dataclasses.replace(
                job,
                state=JobState.JOB_STATE_RUNNING,
                attempts=event.attempt,
                worker=event.worker,
                fence=recorded.sequence,
                failure=None,
            )
        case RenderAttemptFailed():
            return dataclasses.replace(
                job,
                state=JobState.JOB_STATE_QUEUED,
                fence=0,
                excused=job.excused + (event.reason == WORKER_STOPPED),
                failure=Failure(event.reason, event.message),
            )
        case RenderMismatchFound():
            return job
        case RenderSucceeded():
            ended = _ended(job, JobState.JOB_STATE_SUCCEEDED, recorded)
            return dataclasses.replace(ended, result=event.result, failure=None)
        case RenderFailed():
            ended = _ended(job, JobState.JOB_STATE_FAILED, recorded)
            return dataclasses.replace(ended, failure=Failure(event.reason, event.message))
        case RenderCancelled():
            ended = _ended(job, JobState.JOB_STATE_CANCELLED, recorded)
            return dataclasses.replace(ended, failure=Failure("CANCELLED", event.reason))
    raise TypeError(f"{type(event).__name__} is no event of a render job")


def _ended(job: Job, state: JobState.ValueType, recorded: Recorded) -> Job:
    return dataclasses.replace(job, state=state, fence=0, end_time=recorded.time)


def _attempt_failed(job: Job, failure: Failure, *, will_retry: bool, is_refusal: bool = False) -> tuple[Message, ...]:
    attempt_failed = RenderAttemptFailed(
        attempt=job.attempts, reason=failure.reason, message=failure.message, will_retry=will_retry
    )
    if will_retry:
        return (attempt_failed,)
    return attempt_failed, _failed(job, failure, is_dead_letter=not is_refusal)


def _failed(job: Job, failure: Failure, *, is_dead_letter: bool = False) -> RenderFailed:
    asked = job.asked
    return RenderFailed(
        attempts=job.attempts,
        reason=failure.reason,
        message=failure.message,
        reference=asked.reference,
        kind=asked.kind,
        is_dead_letter=is_dead_letter,
    )


def _require_open(job: Job) -> None:
    if job.requested is None:
        raise JobUnknown("there is no such render job")
    if job.has_ended:
        raise JobEnded(job.state)


def _require_fence(job: Job, fence: int) -> None:
    if job.state != JobState.JOB_STATE_RUNNING or job.fence != fence:
        raise AttemptSuperseded(fence, job.fence)
