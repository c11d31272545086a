"""What the domain refuses, as errors of the wire: the one place where a refusal gets its status code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tapelog_chassis.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ServiceError,
)

from tapelog_session.domain import errors as domain


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn the domain's refusals into errors of the wire."""
    try:
        yield
    except domain.DomainError as refusal:
        raise wire_error(refusal) from refusal


def wire_error(refusal: domain.DomainError) -> ServiceError:
    """Return the wire's form of a refusal."""
    values = dict(refusal.metadata)
    match refusal:
        case domain.InvalidCommand():
            return InvalidArgument(refusal.reason, refusal.message, fields=refusal.fields, metadata=values)
        case domain.Unknown():
            return NotFound(refusal.reason, refusal.message, metadata=values)
        case domain.Denied():
            return PermissionDenied(refusal.reason, refusal.message, metadata=values)
        case domain.NotNow():
            violations = [(c.code, c.subject, c.description) for c in refusal.conditions]
            return FailedPrecondition(refusal.reason, refusal.message, violations=violations, metadata=values)
        case domain.Moved():
            return Aborted(refusal.reason, refusal.message, metadata=values)
    raise TypeError(f"{type(refusal).__name__} has no status code")
