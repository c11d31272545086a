"""What the log's errors mean to a caller."""

from typing import Final

from tapelog_chassis import errors
from tapelog_chassis.event_log import (
    AppendUnknown,
    ConcurrencyConflict,
    CorruptStream,
    EventLogError,
    EventTooLarge,
    LogFull,
    LogTampered,
    LogUnavailable,
)

RETRY_S: Final = 0.5
LOG_FULL_RETRY_S: Final = 30.0


def refusal_of(failure: EventLogError) -> errors.ServiceError | None:
    """Return the refusal that tells a caller what the log could not do; None for a defect of ours."""
    if isinstance(failure, AppendUnknown):
        return errors.Unavailable(
            "APPEND_UNKNOWN",
            "the log did not answer in time, so whether the command took effect is unknown: send it again with the "
            "same request_id",
            metadata={"aggregate": failure.aggregate},
            retry_after_s=RETRY_S,
        )
    if isinstance(failure, ConcurrencyConflict):
        return errors.Aborted(
            "CONCURRENT_CHANGE",
            f"{failure.aggregate} changed at the same time (sequence {failure.actual}, expected {failure.expected}); "
            "read it again, then decide again",
            metadata={"aggregate": failure.aggregate, "sequence": failure.actual, "expected": failure.expected},
        )
    if isinstance(failure, LogFull):
        return errors.ResourceExhausted(
            "LOG_FULL",
            "the log has reached its size limit, nothing was stored or lost; the operator has to raise max_bytes or "
            "free disk space",
            retry_after_s=LOG_FULL_RETRY_S,
        )
    if isinstance(failure, LogUnavailable):
        return errors.Unavailable(
            "LOG_UNAVAILABLE",
            "the log cannot be read or written just now, nothing was stored; try again",
            retry_after_s=RETRY_S,
        )
    if isinstance(failure, CorruptStream):
        return errors.DataLoss(
            "HISTORY_CORRUPT",
            f"the history of {failure.subject} is damaged at sequence {failure.sequence}; nothing was changed, the "
            "operator has to restore it",
            metadata={"subject": failure.subject, "sequence": failure.sequence},
        )
    if isinstance(failure, LogTampered):
        return errors.DataLoss(
            "LOG_TAMPERED",
            f"the {failure.context} log was damaged or changed; nothing is added to it, the operator has to restore it",
            metadata={"context": failure.context},
        )
    if isinstance(failure, EventTooLarge):
        return errors.InvalidArgument(
            "EVENT_TOO_LARGE",
            f"the command makes an event of {failure.size_bytes} bytes, the limit is {failure.limit_bytes}: shorten "
            "its texts or lists",
            metadata={"size_bytes": failure.size_bytes, "limit_bytes": failure.limit_bytes},
        )
    return None
