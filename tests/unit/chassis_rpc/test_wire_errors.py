"""Errors on the wire: AIP-193's shape, within the metadata every peer accepts."""

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tapelog_chassis import errors
from tapelog_chassis.aggregates.log_refusals import refusal_of
from tapelog_chassis.event_log import (
    AggregateId,
    AppendUnknown,
    ConcurrencyConflict,
    CorruptStream,
    DuplicateEventId,
    EventLogError,
    EventTooLarge,
    LogFull,
    LogUnavailable,
)
from tapelog_client import errors as client_errors

SONG = AggregateId("session", "acme", "sng-1")


def travel(error: errors.ServiceError) -> client_errors.TapelogApiError:
    """Send an error over the wire's form."""
    status = errors.to_status(error, domain="session.tapelog")
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return client_errors.from_rpc_error(grpc.aio.AioRpcError(error.code, grpc.aio.Metadata(), trailers, status.message))


ALL = [
    errors.InvalidArgument("BAD", "m", fields=[("a.b", "c")], metadata={"k": 1}),
    errors.FailedPrecondition("GATE", "m", violations=[("T", "s", "d"), ("T2", "s2", "d2")]),
    errors.NotFound("NO_SONG", "m"),
    errors.AlreadyExists("TWICE", "m"),
    errors.PermissionDenied("NOT_YOURS", "m"),
    errors.Unauthenticated("WHO", "m"),
    errors.Aborted("LOST", "m"),
    errors.ResourceExhausted("FULL", "m", retry_after_s=1.25),
    errors.Unavailable("AWAY", "m", retry_after_s=0.0),
    errors.OutOfRange("BEYOND", "m"),
    errors.DataLoss("DAMAGED", "m"),
    errors.DeadlineExceeded("LATE", "m"),
    errors.InternalError("abc"),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.reason)
def test_every_error_round_trips(error: errors.ServiceError):
    """A client gets an exception of the same code with everything the service said."""
    got = travel(error)
    assert type(got).code is got.code is error.code
    assert (got.reason, got.message, dict(got.metadata)) == (error.reason, error.message, dict(error.metadata))
    assert got.domain == "session.tapelog"
    assert got.retry_after_s == error.retry_after_s
    assert tuple(got.fields) == tuple(getattr(error, "fields", ()))
    assert tuple(got.violations) == tuple(getattr(error, "violations", ()))


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.reason)
def test_details_are_one_of_each(error: errors.ServiceError):
    """A status has exactly one ErrorInfo and at most one of each other detail."""
    urls = [detail.type_url for detail in errors.to_status(error, domain="d").details]
    assert urls.count(f"type.googleapis.com/{error_details_pb2.ErrorInfo.DESCRIPTOR.full_name}") == 1
    assert len(urls) == len(set(urls))


@pytest.mark.parametrize("reason", ["", "lower", "A", "WITH-HYPHEN", "_LEADING", "TRAILING_", "X" * 64])
def test_a_reason_has_its_form(reason: str):
    """A reason that programs could not rely on is a defect at once."""
    with pytest.raises(ValueError, match="UPPER_SNAKE"):
        errors.NotFound(reason, "m")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.text(max_size=80), st.text(max_size=400), st.text(max_size=500)), max_size=120),
    st.text(max_size=3000),
    st.dictionaries(st.text(max_size=20), st.text(max_size=2000), max_size=10),
)
def test_a_status_always_fits(violations: list[tuple[str, str, str]], message: str, metadata: dict[str, str]):
    """Whatever a service lists, the status stays within its limit and keeps its reason."""
    error = errors.FailedPrecondition("GATE", message, violations=violations, metadata=metadata)
    status = errors.to_status(error, domain="session.tapelog")
    assert status.ByteSize() <= errors.STATUS_BYTES_MAX
    assert travel(error).reason == "GATE"


def test_an_answer_without_details_is_still_typed():
    """An error that comes from the network and not from a service has its class and a hint."""
    failure = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "refused")
    got = client_errors.from_rpc_error(failure)
    assert isinstance(got, client_errors.Unavailable)
    assert (got.message, got.reason) == ("refused", "")
    assert "tapelog up" in got.hint


def test_broken_details_do_not_hide_the_error():
    """Details that cannot be read leave code and message."""
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    failure = grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, grpc.aio.Metadata(), trailers, "lost")
    got = client_errors.from_rpc_error(failure)
    assert isinstance(got, client_errors.Aborted)
    assert got.message == "lost"


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (AppendUnknown(SONG, ["e"], "x"), grpc.StatusCode.UNAVAILABLE, "APPEND_UNKNOWN"),
        (ConcurrencyConflict(SONG, 1, 2), grpc.StatusCode.ABORTED, "CONCURRENT_CHANGE"),
        (LogFull(SONG, "x"), grpc.StatusCode.RESOURCE_EXHAUSTED, "LOG_FULL"),
        (LogUnavailable("x"), grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE"),
        (CorruptStream("es.a.b.c", 3, "x"), grpc.StatusCode.DATA_LOSS, "HISTORY_CORRUPT"),
        (EventTooLarge("e", 300_000, 262_144), grpc.StatusCode.INVALID_ARGUMENT, "EVENT_TOO_LARGE"),
    ],
)
def test_the_logs_failures_have_meanings(failure: EventLogError, code: grpc.StatusCode, reason: str):
    """Each way in which the log can fail is a refusal with its own code and reason."""
    refusal = refusal_of(failure)
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (code, reason)


def test_a_defect_of_ours_is_no_refusal():
    """An event id used twice is not the caller's doing and stays an internal error."""
    assert refusal_of(DuplicateEventId(SONG, ["e"])) is None
