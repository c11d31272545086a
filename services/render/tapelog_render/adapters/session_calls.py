"""Calling the session service with the token of whoever calls us."""

from typing import Final

import grpc
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.rpc.call_layers import AUTHORIZATION, CORRELATION_ID, ON_BEHALF_OF

from tapelog_render.application.access import Caller

TIMEOUT_S: Final = 3.0
RETRY_AFTER_S: Final = 0.5
_NO_ANSWER: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
"""CANCELLED is how a server's transport ends calls that it cannot pass on."""


def metadata_for(caller: Caller) -> tuple[tuple[str, str], ...]:
    """Return call metadata that speaks for the caller."""
    metadata = [(AUTHORIZATION, caller.bearer), (CORRELATION_ID, caller.correlation_id)]
    if caller.on_behalf_of:
        metadata.append((ON_BEHALF_OF, caller.on_behalf_of))
    return tuple(metadata)


def raise_if_away(failure: grpc.aio.AioRpcError, what: str) -> None:
    """Raise `Unavailable` if the session service, which knows `what`, did not answer."""
    if failure.code() in _NO_ANSWER:
        raise Unavailable(
            "SESSION_UNAVAILABLE",
            f"the session service, which knows {what}, does not answer; try again",
            retry_after_s=RETRY_AFTER_S,
        ) from failure
