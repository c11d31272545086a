"""The chassis' error tree, and its form on the wire.

Every refusal a caller can meet is a :class:`ServiceError`. On the wire it is a `google.rpc.Status` with exactly one
`ErrorInfo` and at most one each of `BadRequest`, `PreconditionFailure` and `RetryInfo` (AIP-193).
"""
# ruff: noqa: N818 - the classes bear the names of the gRPC status codes

import math
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

REASON_PATTERN: Final = re.compile(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]")

STATUS_BYTES_MAX: Final = 4096
"""Largest serialised status: with base64 it stays under the 8 KiB of metadata every gRPC peer accepts."""

MESSAGE_CHARS_MAX: Final = 1024
"""Longest error message on the wire: it travels twice, as the gRPC message and inside the status."""

DESCRIPTION_CHARS_MAX: Final = 300
"""Longest description of one violation, so that a list of gates still fits a status."""


METADATA_CHARS_MAX: Final = 300
"""Longest value beside a reason: what somebody sent must not crowd out where it was wrong."""


class FieldViolation(NamedTuple):
    """One wrong field: its path in the request, such as `recipe.tracks[3].gain_db`, and what to do about it."""

    field: str
    description: str


class Violation(NamedTuple):
    """One unmet precondition: its type (UPPER_SNAKE), the resource name it concerns, and how to meet it."""

    type: str
    subject: str
    description: str


class ServiceError(Exception):
    """Base of every refusal that a caller gets with its reason.

    Parameters
    ----------
    reason : str
        UPPER_SNAKE, at most 63 characters; stable, for programs.
    message : str
        For the person: which value, which limit, what to do.
    metadata : Mapping[str, object], optional
        Every value that the message contains, under a lower-camel or snake-case key; sent as strings.
    retry_after_s : float, optional
        When a retry may succeed, in seconds; sent as `RetryInfo`.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        if REASON_PATTERN.fullmatch(reason) is None:
            raise ValueError(f"reason {reason!r} is not UPPER_SNAKE of 2 to 63 characters")
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = {
            key: _cut(str(value), METADATA_CHARS_MAX) for key, value in (metadata or {}).items()
        }
        self.retry_after_s = retry_after_s

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason!r}, {self.message!r}, metadata={dict(self.metadata)!r})"

    def details(self) -> Sequence[message.Message]:
        """Messages beside the `ErrorInfo` and the `RetryInfo`; at most one of each type."""
        return ()


class InvalidArgument(ServiceError):
    """The request is wrong whatever the state of the system; `fields` says where."""

    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        fields: Sequence[FieldViolation | tuple[str, str]] = (),
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(reason, message, metadata=metadata)
        self.fields = tuple(FieldViolation(*field) for field in fields)

    @classmethod
    def of_field(
        cls,
        field: str,
        description: str,
        *,
        reason: str = "INVALID_FIELD",
        metadata: Mapping[str, object] | None = None,
    ) -> "InvalidArgument":
        """Refuse one field."""
        values = {"field": field, **(metadata or {})}
        return cls(reason, f"{field}: {description}", fields=[(field, description)], metadata=values)

    def details(self) -> Sequence[message.Message]:
        """Return the `BadRequest`, when fields are known."""
        if not self.fields:
            return ()
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=_cut(field, DESCRIPTION_CHARS_MAX), description=_cut(text, DESCRIPTION_CHARS_MAX)
            )
            for field, text in self.fields
        ]
        return (error_details_pb2.BadRequest(field_violations=violations),)


class FailedPrecondition(ServiceError):
    """The request is right but the system's state does not allow it yet; `violations` lists every unmet condition."""

    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: Sequence[Violation | tuple[str, str, str]] = (),
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(reason, message, metadata=metadata)
        self.violations = tuple(Violation(*violation) for violation in violations)

    def details(self) -> Sequence[message.Message]:
        """Return the `PreconditionFailure`, when violations are known."""
        if not self.violations:
            return ()
        violations = [
            error_details_pb2.PreconditionFailure.Violation(
                type=_cut(kind, 63),
                subject=_cut(subject, DESCRIPTION_CHARS_MAX),
                description=_cut(text, DESCRIPTION_CHARS_MAX),
            )
            for kind, subject, text in self.violations
        ]
        return (error_details_pb2.PreconditionFailure(violations=violations),)


class WrittenByNewer(FailedPrecondition):
    """An aggregate holds an event that only a later version knows: this one neither reads nor extends it."""


class OutOfRange(ServiceError):
    """A cursor or position lies outside of what exists or can still be honoured."""

    code = grpc.StatusCode.OUT_OF_RANGE


class NotFound(ServiceError):
    """No such resource, or none that the caller may know of."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(ServiceError):
    """Another resource already has this name."""

    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(ServiceError):
    """The caller is known but may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(ServiceError):
    """The caller did not prove who they are."""

    code = grpc.StatusCode.UNAUTHENTICATED


class Aborted(ServiceError):
    """The request lost against a concurrent change: a stale etag, or conflicts that did not end."""

    code = grpc.StatusCode.ABORTED


class ResourceExhausted(ServiceError):
    """A written limit is reached; `retry_after_s` says when to come back."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(ServiceError):
    """The service cannot answer now; the same request, with its request_id, may be sent again."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(ServiceError):
    """The server's own cap on a call's time is over; the outcome is unknown and the request_id resolves it."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class DataLoss(ServiceError):
    """Stored history is damaged; the service refuses to read past the damage or to extend it."""

    code = grpc.StatusCode.DATA_LOSS


class InternalError(ServiceError):
    """A defect of ours. Carries an error id that the log knows, and nothing else."""

    code = grpc.StatusCode.INTERNAL

    def __init__(self, error_id: str) -> None:
        super().__init__(
            "INTERNAL",
            f"an internal error occurred; quote error id {error_id} to the operator",
            metadata={"error_id": error_id},
        )
        self.error_id = error_id


class ConfigRefusal(Exception):
    """The configuration cannot be run safely; the process exits with code 78 (EX_CONFIG) and this message."""


class InsecureBind(ConfigRefusal):
    """A server was asked to listen beyond loopback without TLS."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"refusing to listen on {host!r} without TLS: anyone on the network could read tokens and audio. "
            "Listen on 127.0.0.1, ::1 or a unix: socket, or set TAPELOG_TLS_CERTIFICATE and TAPELOG_TLS_KEY."
        )
        self.host = host


class PortInUse(ConfigRefusal):
    """The port a server was asked to listen on belongs to another process."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is in use by another process (perhaps another `tapelog up`). "
            "Stop that process, or choose another port; 0 takes a free one."
        )
        self.host = host
        self.port = port


def to_status(error: ServiceError, *, domain: str) -> status_pb2.Status:
    """Return the wire form of an error.

    Parameters
    ----------
    error : ServiceError
    domain : str
        The service that refuses, such as `session.tapelog`.

    Returns
    -------
    google.rpc.Status
        At most `STATUS_BYTES_MAX` bytes: violations that do not fit are left out from the end, and
        `violations_left_out` in the metadata counts them.
    """
    extra = list(error.details())
    left_out = 0
    while True:
        metadata = dict(error.metadata)
        if left_out:
            metadata["violations_left_out"] = str(left_out)
        status = _status(error, domain, metadata, extra)
        if status.ByteSize() <= STATUS_BYTES_MAX:
            return status
        dropped = _drop_last_violations(extra)
        if not dropped:
            return _status(error, domain, {}, [])
        left_out += dropped


def _status(
    error: ServiceError, domain: str, metadata: Mapping[str, str], extra: Sequence[message.Message]
) -> status_pb2.Status:
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=metadata),
        *extra,
    ]
    if error.retry_after_s is not None:
        fraction, seconds = math.modf(max(error.retry_after_s, 0.0))
        delay = duration_pb2.Duration(seconds=int(seconds), nanos=int(fraction * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=error.code.value[0], message=_cut(error.message, MESSAGE_CHARS_MAX))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _drop_last_violations(extra: Sequence[message.Message]) -> int:
    """Drop the last quarter (at least one) of the violations; return how many went."""
    for detail in extra:
        if isinstance(detail, error_details_pb2.BadRequest):
            violations: list[message.Message] = list(detail.field_violations)
            count = -(-len(violations) // 4)
            del detail.field_violations[len(violations) - count :]
            return count
        if isinstance(detail, error_details_pb2.PreconditionFailure):
            violations = list(detail.violations)
            count = -(-len(violations) // 4)
            del detail.violations[len(violations) - count :]
            return count
    return 0


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"
