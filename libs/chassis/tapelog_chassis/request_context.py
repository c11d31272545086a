"""The call being served, reachable from anywhere below the handler without being passed along."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator

import structlog

from tapelog_chassis.auth.principal import Principal
from tapelog_chassis.errors import Unauthenticated


@dataclasses.dataclass(frozen=True, slots=True)
class CurrentRequest:
    """One call.

    Attributes
    ----------
    method : str
        Full RPC name, such as `/tapelog.session.v1.SessionService/GetSong`.
    correlation_id : str
        Binds everything that one action of a person causes; the caller's, or made here.
    request_id : str
        The idempotency key of the request message, or empty.
    """

    method: str
    correlation_id: str
    request_id: str = ""

    @property
    def rpc(self) -> str:
        """The RPC's own name, such as `GetSong`."""
        return self.method.rpartition("/")[2]


_request: contextvars.ContextVar[CurrentRequest] = contextvars.ContextVar("tapelog_request")
_principal: contextvars.ContextVar[Principal] = contextvars.ContextVar("tapelog_principal")


def current_request() -> CurrentRequest:
    """Return the call being served; `LookupError` outside of one."""
    return _request.get()


def current_principal() -> Principal:
    """Return who calls.

    Raises
    ------
    Unauthenticated
        Nobody is signed in: a public method, or no call at all.
    """
    principal = _principal.get(None)
    if principal is None:
        raise Unauthenticated("NOT_SIGNED_IN", "this call has no signed-in caller")
    return principal


@contextlib.contextmanager
def serving(request: CurrentRequest) -> Iterator[None]:
    """Make `request` current, here and in every log line."""
    token = _request.set(request)
    try:
        with structlog.contextvars.bound_contextvars(
            rpc=request.method, correlation_id=request.correlation_id, request_id=request.request_id
        ):
            yield
    finally:
        _request.reset(token)


@contextlib.contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Make `principal` current, here and in every log line."""
    token = _principal.set(principal)
    try:
        with structlog.contextvars.bound_contextvars(
            tenant=principal.tenant, party=principal.party, on_behalf_of=principal.on_behalf_of
        ):
            yield
    finally:
        _principal.reset(token)
