"""Why the domain refuses a command."""
# ruff: noqa: N818 - named after the state they report

from typing import Final

from tapelog.render.v1.resources_pb2 import JobState

_WORDS: Final = {
    JobState.JOB_STATE_UNSPECIFIED: "unknown",
    JobState.JOB_STATE_QUEUED: "queued",
    JobState.JOB_STATE_RUNNING: "running",
    JobState.JOB_STATE_SUCCEEDED: "succeeded",
    JobState.JOB_STATE_FAILED: "failed",
    JobState.JOB_STATE_CANCELLED: "cancelled",
}


def word_of(state: JobState.ValueType) -> str:
    """Return a job state as a word for people."""
    return _WORDS[state]


class RenderRuleError(Exception):
    """Base of every refusal of the render domain."""


class JobUnknown(RenderRuleError):
    """No render was asked for under this id."""


class JobExists(RenderRuleError):
    """A render was asked for under this id before, by another request."""


class JobEnded(RenderRuleError):
    """The job has ended, so nothing more can happen to it.

    Attributes
    ----------
    state : JobState
        How it ended.
    """

    def __init__(self, state: JobState.ValueType) -> None:
        super().__init__(f"the job has {word_of(state)} already")
        self.state = state


class AttemptSuperseded(RenderRuleError):
    """The attempt is not the running one: the job was cancelled, or another worker has taken it over.

    Attributes
    ----------
    fence, current : int
        Sequence of the attempt's `RenderStarted`, and of the running attempt's (0: none runs).
    """

    def __init__(self, fence: int, current: int) -> None:
        super().__init__(f"the attempt fenced by {fence} is over; the running one is fenced by {current or 'none'}")
        self.fence = fence
        self.current = current


class AdjustmentRefused(RenderRuleError):
    """A correction of usage that cannot be.

    Attributes
    ----------
    reason : str
        Stable code: NOT_SETTLED, BELOW_ZERO.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BatchExists(RenderRuleError):
    """A batch was asked for under this id before, by another request."""


class BatchSizeRefused(RenderRuleError):
    """A batch has no job, too many jobs, or one job twice."""
