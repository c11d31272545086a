"""The life of a render job."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import (
    RenderAttemptFailed,
    RenderFailed,
    RenderMismatchFound,
    RenderStarted,
    RenderSucceeded,
)
from tapelog.render.v1.resources_pb2 import JobState, RenderJob, RenderKind, RenderReference, RenderResult, Verification
from tapelog_render.domain import job as jobs
from tapelog_render.domain.errors import AttemptSuperseded, JobEnded, JobExists, JobUnknown

START = datetime(2026, 3, 1, tzinfo=UTC)
WANTED = RenderJob(
    kind=RenderKind.RENDER_KIND_MIX,
    reference=RenderReference(project="prj-a", song="sng-a", key="mixVersions/1", cycle=1),
)
RESULT = RenderResult(engine_version="tapelog-dsp/1")
BROKEN = jobs.Failure("ENGINE_KILLED", "the engine died by signal 11")


@dataclasses.dataclass(frozen=True)
class By:
    correlation_id: str = "cor-1"
    actor: str = "pty-mix"


@dataclasses.dataclass(frozen=True)
class At:
    sequence: int
    metadata: By = By()

    @property
    def event_id(self) -> str:
        """Name the event."""
        return f"event-{self.sequence}"

    @property
    def time(self) -> datetime:
        """Return one second per event."""
        return START + timedelta(seconds=self.sequence)


class History:
    """Folds what is decided, as the log would."""

    def __init__(self) -> None:
        self.job = jobs.Job()
        self.events: list[Message] = []

    def add(self, events: Sequence[Message]) -> Sequence[Message]:
        """Take decided events in."""
        for event in events:
            self.events.append(event)
            self.job = jobs.evolve(self.job, event, At(len(self.events)))
        return events


@pytest.fixture
def asked() -> History:
    """Make a job that was just asked for."""
    history = History()
    history.add(jobs.request(history.job, WANTED))
    return history


def start(history: History, worker: str = "wrk-a") -> Sequence[Message]:
    """Begin an attempt."""
    return history.add(jobs.start(history.job, worker=worker, engine_version="tapelog-dsp/1"))


def test_a_requested_job_is_queued_and_knows_who_asked(asked: History):
    """RenderRequested makes a queued job with the time, cause and asker of the request."""
    assert asked.job.state == JobState.JOB_STATE_QUEUED
    assert asked.job.create_time == START + timedelta(seconds=1)
    assert (asked.job.correlation_id, asked.job.request_event_id, asked.job.asked_by) == ("cor-1", "event-1", "pty-mix")


def test_a_job_is_asked_for_once(asked: History):
    """A second request for the same id is refused."""
    with pytest.raises(JobExists):
        jobs.request(asked.job, WANTED)


def test_the_fence_is_the_sequence_of_the_start(asked: History):
    """Each attempt is fenced by the sequence of its own RenderStarted."""
    start(asked)
    assert (asked.job.state, asked.job.attempts, asked.job.fence) == (JobState.JOB_STATE_RUNNING, 1, 2)


def test_the_result_is_recorded_with_what_it_is_for(asked: History):
    """RenderSucceeded carries reference and kind, so that its reader needs no other event."""
    start(asked)
    (event,) = asked.add(jobs.succeed(asked.job, fence=2, result=RESULT))
    assert isinstance(event, RenderSucceeded)
    assert event.reference == WANTED.reference
    assert event.kind == RenderKind.RENDER_KIND_MIX
    assert asked.job.state == JobState.JOB_STATE_SUCCEEDED
    assert asked.job.end_time == START + timedelta(seconds=3)


def test_a_zombie_cannot_record_its_late_result(asked: History):
    """After a take-over the first worker's fence is void, whatever it wants to record."""
    start(asked, "wrk-a")
    zombie = asked.job.fence
    lost, again = start(asked, "wrk-b")
    assert isinstance(lost, RenderAttemptFailed)
    assert lost.reason == jobs.WORKER_LOST
    assert isinstance(again, RenderStarted)
    assert again.attempt == 2
    for late in (
        lambda: jobs.succeed(asked.job, fence=zombie, result=RESULT),
        lambda: jobs.fail_attempt(asked.job, fence=zombie, failure=BROKEN, is_final=True),
        lambda: jobs.give_back(asked.job, fence=zombie),
    ):
        with pytest.raises(AttemptSuperseded):
            late()
    asked.add(jobs.succeed(asked.job, fence=asked.job.fence, result=RESULT))
    assert asked.job.worker == "wrk-b"


def test_a_failed_attempt_goes_back_to_the_queue_until_three_have_failed(asked: History):
    """The third failure ends the job with the reason of the last attempt."""
    for attempt in (1, 2):
        start(asked)
        (event,) = asked.add(jobs.fail_attempt(asked.job, fence=asked.job.fence, failure=BROKEN, is_final=False))
        assert isinstance(event, RenderAttemptFailed)
        assert (event.attempt, event.will_retry) == (attempt, True)
        assert asked.job.state == JobState.JOB_STATE_QUEUED
    start(asked)
    last, failed = asked.add(jobs.fail_attempt(asked.job, fence=asked.job.fence, failure=BROKEN, is_final=False))
    assert isinstance(last, RenderAttemptFailed)
    assert last.will_retry is False
    assert isinstance(failed, RenderFailed)
    assert (failed.attempts, failed.reason) == (3, "ENGINE_KILLED")
    assert asked.job.state == JobState.JOB_STATE_FAILED


def test_a_deterministic_failure_ends_the_job_at_once(asked: History):
    """Wrong input fails again in the same way, so the first attempt is the last."""
    start(asked)
    asked.add(jobs.fail_attempt(asked.job, fence=2, failure=jobs.Failure("SOURCE_NOT_AUDIO", "…"), is_final=True))
    assert asked.job.state == JobState.JOB_STATE_FAILED
    assert asked.job.failure == jobs.Failure("SOURCE_NOT_AUDIO", "…")


def test_a_job_that_kills_three_workers_fails_instead_of_starting_a_fourth_time(asked: History):
    """Attempts are counted from starts, so a job that takes its worker with it ends too."""
    for _ in range(3):
        start(asked)
    events = start(asked)
    assert [type(event) for event in events] == [RenderAttemptFailed, RenderFailed]
    assert asked.job.state == JobState.JOB_STATE_FAILED
    assert asked.job.attempts == 3


def test_a_worker_that_stops_in_good_order_gives_its_attempt_back(asked: History):
    """Any number of drains leaves three real attempts."""
    for _ in range(5):
        start(asked)
        asked.add(jobs.give_back(asked.job, fence=asked.job.fence))
    for _ in range(2):
        start(asked)
        asked.add(jobs.fail_attempt(asked.job, fence=asked.job.fence, failure=BROKEN, is_final=False))
    assert asked.job.state == JobState.JOB_STATE_QUEUED
    start(asked)
    asked.add(jobs.fail_attempt(asked.job, fence=asked.job.fence, failure=BROKEN, is_final=False))
    assert asked.job.state == JobState.JOB_STATE_FAILED


@pytest.mark.parametrize("is_running", [False, True])
def test_a_job_without_outcome_can_be_cancelled(asked: History, *, is_running: bool):
    """Queued or running, it ends as cancelled and its attempt can record nothing more."""
    if is_running:
        start(asked)
    asked.add(jobs.cancel(asked.job, reason="wrong song"))
    assert asked.job.state == JobState.JOB_STATE_CANCELLED
    with pytest.raises(AttemptSuperseded):
        jobs.succeed(asked.job, fence=2, result=RESULT)


def test_nothing_happens_to_a_job_that_has_ended(asked: History):
    """Start and cancel are refused; the dead-letter net finds nothing to do."""
    start(asked)
    asked.add(jobs.succeed(asked.job, fence=2, result=RESULT))
    with pytest.raises(JobEnded, match="succeeded"):
        jobs.start(asked.job, worker="wrk-b", engine_version="x")
    with pytest.raises(JobEnded):
        jobs.cancel(asked.job, reason="")
    assert jobs.abandon(asked.job, BROKEN) == ()


def test_an_undeliverable_job_fails_with_its_reason(asked: History):
    """The dead-letter net ends a job that no worker took."""
    asked.add(jobs.abandon(asked.job, jobs.Failure("UNDELIVERABLE", "handed out 20 times")))
    assert asked.job.failure is not None
    assert asked.job.failure.reason == "UNDELIVERABLE"
    assert asked.job.state == JobState.JOB_STATE_FAILED


def test_a_job_nobody_asked_for_does_nothing():
    """Commands on an id without history say so."""
    for command in (
        lambda: jobs.start(jobs.Job(), worker="wrk-a", engine_version="x"),
        lambda: jobs.cancel(jobs.Job(), reason=""),
    ):
        with pytest.raises(JobUnknown):
            command()


def test_a_job_that_waits_at_its_deadline_fails_and_a_running_one_does_not():
    """Only a queued job expires, only once its time has come, and its outcome names the reason."""
    history = History()
    wanted = RenderJob()
    wanted.CopyFrom(WANTED)
    deadline = START + timedelta(minutes=5)
    wanted.deadline_time.FromDatetime(deadline)
    history.add(jobs.request(history.job, wanted))
    assert jobs.expire(history.job, deadline - timedelta(seconds=1)) == ()
    running = History()
    running.add(jobs.request(running.job, wanted))
    running.add(jobs.start(running.job, worker="wrk-1", engine_version="e"))
    assert jobs.expire(running.job, deadline) == ()
    (failed,) = history.add(jobs.expire(history.job, deadline))
    assert isinstance(failed, RenderFailed)
    assert (failed.reason, failed.attempts) == (jobs.DEADLINE_EXCEEDED, 0)
    assert jobs.expire(history.job, deadline) == ()


def test_a_verification_that_differs_says_so_before_it_succeeds():
    """RenderMismatchFound and RenderSucceeded are recorded together; an equal repetition records no mismatch."""
    history = History()
    history.add(jobs.request(history.job, WANTED))
    history.add(jobs.start(history.job, worker="wrk-1", engine_version="e"))
    equal = RenderResult(verification=Verification(equal=True))
    other = RenderResult(verification=Verification(job="renderJobs/job-1"))
    assert len(jobs.succeed(history.job, fence=history.job.fence, result=equal)) == 1
    mismatch, succeeded = history.add(jobs.succeed(history.job, fence=history.job.fence, result=other))
    assert isinstance(mismatch, RenderMismatchFound)
    assert (mismatch.worker, mismatch.verification.job) == ("wrk-1", "renderJobs/job-1")
    assert isinstance(succeeded, RenderSucceeded)
    assert history.job.state == JobState.JOB_STATE_SUCCEEDED
