"""What a service refused, as exceptions with everything a program or a person needs to go on."""
# ruff: noqa: N818 - the classes bear the names of the gRPC status codes

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

STATUS_DETAILS: Final = "grpc-status-details-bin"


class FieldViolation(NamedTuple):
    """One wrong field and what to do about it."""

    field: str
    description: str


class Violation(NamedTuple):
    """One unmet precondition."""

    type: str
    subject: str
    description: str


class TapelogApiError(Exception):
    """Base of every error that a call can end with.

    Attributes
    ----------
    code : grpc.StatusCode
    reason : str
        UPPER_SNAKE and stable; empty when the answer came from the network and not from a service.
    domain : str
        The service that refused, such as `session.tapelog`.
    message : str
        For a person.
    metadata : Mapping[str, str]
        The values in the message.
    fields : tuple[FieldViolation, ...]
    violations : tuple[Violation, ...]
    retry_after_s : float or None
        When a retry may succeed.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str = "",
        domain: str = "",
        metadata: Mapping[str, str] | None = None,
        fields: tuple[FieldViolation, ...] = (),
        violations: tuple[Violation, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.reason = reason
        self.domain = domain
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.fields = fields
        self.violations = violations
        self.retry_after_s = retry_after_s

    @property
    def hint(self) -> str:
        """What to do next, in one line; empty when the message says it all."""
        return _HINTS.get(self.reason, self.default_hint)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason or self.code.name!r}, {self.message!r})"


class InvalidArgument(TapelogApiError):
    """The request is wrong; `fields` says where."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class FailedPrecondition(TapelogApiError):
    """Something has to happen first; `violations` lists everything that is missing."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class OutOfRange(TapelogApiError):
    """A cursor or position that does not exist."""

    code = grpc.StatusCode.OUT_OF_RANGE


class NotFound(TapelogApiError):
    """No such resource, or none you may know of."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(TapelogApiError):
    """Another resource has this name."""

    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(TapelogApiError):
    """You may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(TapelogApiError):
    """The token was missing or refused."""

    code = grpc.StatusCode.UNAUTHENTICATED
    default_hint = "check that the client uses the data folder of the running `tapelog up`"


class Aborted(TapelogApiError):
    """Somebody else was faster: read again, decide again."""

    code = grpc.StatusCode.ABORTED
    default_hint = "read the resource again and repeat the call with its new etag"


class ResourceExhausted(TapelogApiError):
    """A limit is reached."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    default_hint = "wait a little and try again"


class Unavailable(TapelogApiError):
    """The service cannot be reached or cannot answer now."""

    code = grpc.StatusCode.UNAVAILABLE
    default_hint = "check that `tapelog up` is running and that the address is right"


class DeadlineExceeded(TapelogApiError):
    """No answer in time; whether the call took effect is unknown, the same request_id resolves it."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class DataLoss(TapelogApiError):
    """Stored history is damaged."""

    code = grpc.StatusCode.DATA_LOSS


class Internal(TapelogApiError):
    """A defect of the service; `metadata["error_id"]` finds it in the log."""

    code = grpc.StatusCode.INTERNAL


class Unimplemented(TapelogApiError):
    """The service does not know this method."""

    code = grpc.StatusCode.UNIMPLEMENTED
    default_hint = "client and service may be of different versions"


_HINTS: Final[Mapping[str, str]] = {
    "APPEND_UNKNOWN": "repeat the call with the same request_id; it takes effect once",
    "REQUEST_ID_REUSED": "leave request_id empty, the client then makes a new one per call",
    "TOKEN_REVOKED": "ask whoever runs the installation; `tapelog access restore PARTY` lets a party in again",
    "TOKEN_EXPIRED": "compare the clocks of this machine and the server's",
    "ON_BEHALF_OF_MISSING": "give the client the party for whom it acts (on_behalf_of)",
}

_BY_CODE: Final[Mapping[grpc.StatusCode, type[TapelogApiError]]] = {
    **{kind.code: kind for kind in TapelogApiError.__subclasses__()},
    grpc.StatusCode.CANCELLED: Unavailable,
}
"""With CANCELLED a server's transport ends calls that it cannot pass on, and a server at its end those that it does not
wait for. What this side cancels does not come back as a status."""


def from_rpc_error(failure: grpc.aio.AioRpcError) -> TapelogApiError:
    """Return the exception of a failed call, with every detail the service sent."""
    code = failure.code()
    kind = _BY_CODE.get(code, TapelogApiError)
    status = _status_of(failure)
    if status is None:
        return kind(failure.details() or code.name, code=code)
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    precondition = error_details_pb2.PreconditionFailure()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        for known in (info, bad_request, precondition):
            detail.Unpack(known)
        has_retry = detail.Unpack(retry) or has_retry
    return kind(
        status.message or code.name,
        code=code,
        reason=info.reason,
        domain=info.domain,
        metadata=info.metadata,
        fields=tuple(FieldViolation(item.field, item.description) for item in bad_request.field_violations),
        violations=tuple(Violation(item.type, item.subject, item.description) for item in precondition.violations),
        retry_after_s=retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if has_retry else None,
    )


def _status_of(failure: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    """Return the rich status in the trailers, when there is one and it is whole."""
    trailers: Any = failure.trailing_metadata() or ()  # pairs; the stubs call them something else
    for key, value in trailers:
        if key == STATUS_DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None
