"""The call being served, reachable from anywhere below the handler without being passed along."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator, MutableMapping
from typing import Any

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
    """Make `request` current."""
    token = set_request(request)
    try:
        yield
    finally:
        _request.reset(token)


@contextlib.contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Make `principal` current."""
    token = set_principal(principal)
    try:
        yield
    finally:
        _principal.reset(token)


def set_request(request: CurrentRequest) -> contextvars.Token[CurrentRequest]:
    """Make `request` current in this task, which serves it and nothing after it."""
    return _request.set(request)


def set_principal(principal: Principal) -> contextvars.Token[Principal]:
    """Make `principal` current in this task, which serves one call of it and nothing after it."""
    return _principal.set(principal)


def add_request(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tell in every log line which call it is about (a structlog processor): read when there is a line to write."""
    request, principal = _request.get(None), _principal.get(None)
    if request is not None:
        event.setdefault("rpc", request.method)
        event.setdefault("correlation_id", request.correlation_id)
        event.setdefault("request_id", request.request_id)
    if principal is not None:
        event.setdefault("tenant", principal.tenant)
        event.setdefault("party", principal.party)
        event.setdefault("on_behalf_of", principal.on_behalf_of)
    return event
