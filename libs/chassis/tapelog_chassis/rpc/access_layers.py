"""The layers that decide on access: the certificate, the identity, and the audit of both."""

import asyncio
import dataclasses
import re
from typing import Any, Final

import grpc
import structlog

from tapelog_chassis import errors
from tapelog_chassis.audit.log import AuditLog
from tapelog_chassis.audit.record import Decision, resource_of, set_current
from tapelog_chassis.auth.policy import PolicyTable, authorize
from tapelog_chassis.auth.principal import Principal
from tapelog_chassis.auth.verifier import TokenVerifier
from tapelog_chassis.ids import ID_PATTERN
from tapelog_chassis.observability import tracing
from tapelog_chassis.rpc.call_layers import (
    AUTHORIZATION,
    ON_BEHALF_OF,
    Call,
    Inner,
    ServicerContext,
    code_name,
    refuse,
)
from tapelog_chassis.rpc.peers import Peer, PeerCheck
from tapelog_chassis.rpc.request_context import current_request, set_principal

SETTLED_S: Final = 1.0
"""A stream that was not refused by then was let in."""
_TRACE: Final = re.compile(r"[0-9a-f]{32}")

_log = structlog.get_logger(__name__)


class Audit:
    """Writes down who asked for what and whether they got it, once for each call; health and reflection are nobody's.

    A unary call and one whose requests stream are recorded when they end, with their code; a call whose answers stream
    as soon as it is refused or has lasted `SETTLED_S`: it may go on for an hour.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Record one call."""
        if call.method.startswith("/grpc."):
            return await inner(call, context)
        record = Decision(call.method, resource=resource_of(call.request), trace=_trace_of(call))
        set_current(record)
        settled = None
        if call.streams_response:
            settled = asyncio.get_running_loop().call_later(SETTLED_S, self._settle, record, call, "")
        try:
            answer = await inner(call, context)
        except asyncio.CancelledError:
            self._settle(record, call, grpc.StatusCode.CANCELLED.name)
            raise
        except BaseException:
            self._settle(record, call, code_name(context))
            raise
        finally:
            if settled is not None:
                settled.cancel()
        self._settle(record, call, grpc.StatusCode.OK.name)
        return answer

    def _settle(self, record: Decision, call: Call, code: str) -> None:
        if record.decision:
            return
        denied = isinstance(call.refused, errors.Unauthenticated | errors.PermissionDenied)
        record.decision = "deny" if denied else "allow"
        record.reason = call.refused.reason if denied and call.refused is not None else ""
        record.code = code
        record.identity = call.peer.identity if call.peer is not None else ""
        if call.principal is not None:
            who = call.principal
            record.tenant, record.party, record.caller = who.tenant, who.party, who.kind
            record.on_behalf_of = who.on_behalf_of
        self._log.record(record)


class Certificate:
    """Finds out whose certificate the connection has; every method is behind it, health too."""

    def __init__(self, peers: PeerCheck) -> None:
        self._peers = peers

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Check the other end of one call."""
        try:
            call.peer = self._peers.check_call(context.auth_context())
        except errors.Unauthenticated as error:
            _log.info("call refused", reason=error.reason, method=call.method)
            await refuse(call, context, error)
        return await inner(call, context)


class Identity:
    """Finds out who calls and whether they may, and ends open streams of those who may no more.

    A stream that an API key's token opened ends with that token; all streams end when their caller is revoked.
    """

    def __init__(self, verifier: TokenVerifier, policies: PolicyTable, peers: PeerCheck | None = None) -> None:
        self._verifier = verifier
        self._policies = policies
        self._peers = peers
        self._open: dict[asyncio.Timeout, Call] = {}

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Authenticate and authorize one call."""
        principal: Principal | None = None
        try:
            policy = self._policies.get(call.method)
            if policy is None or not policy.is_public:
                principal = self._authenticate(call)
                _check_peer(call.peer, principal)
            call.policy = authorize(self._policies, call.method, principal)
        except (errors.Unauthenticated, errors.PermissionDenied) as error:
            _log.info("call refused", reason=error.reason)
            await refuse(call, context, error)
        if principal is None:
            return await inner(call, context)
        set_principal(principal)
        if not call.streams_response:
            return await inner(call, context)
        return await self._while_trusted(inner, call, context, principal)

    def refresh(self) -> bool:
        """Take over changed keys and revocations, and end the streams that are open against them."""
        changed = [self._verifier.refresh(), self._peers is not None and self._peers.refresh()]
        if any(changed):
            now = asyncio.get_running_loop().time()
            for timer, call in tuple(self._open.items()):
                if self._refusal_of(call) is not None:
                    timer.reschedule(now)
        return any(changed)

    async def _while_trusted(self, inner: Inner, call: Call, context: ServicerContext, principal: Principal) -> Any:
        ends_s = None
        if principal.scopes is not None and not call.policy.outlives_token:
            ends_s = self._verifier.seconds_left(principal)
        try:
            async with asyncio.timeout(ends_s) as timer:
                self._open[timer] = call
                try:
                    return await inner(call, context)
                finally:
                    del self._open[timer]
        except TimeoutError:
            again = errors.Unavailable(
                "TOKEN_ENDED", "the token has ended; connect again with a new one and resume", retry_after_s=0.2
            )
            await refuse(call, context, self._refusal_of(call) or again)

    def _refusal_of(self, call: Call) -> errors.ServiceError | None:
        """Return why an open stream may go on no longer."""
        try:
            if call.principal is not None:
                self._verifier.check_revoked(call.principal)
            if self._peers is not None and call.peer is not None:
                self._peers.check_revoked(call.peer)
        except errors.Unauthenticated as refusal:
            return refusal
        return None

    def _authenticate(self, call: Call) -> Principal | None:
        header = call.metadata.get(AUTHORIZATION, "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise errors.Unauthenticated("TOKEN_MALFORMED", "metadata `authorization` must be `Bearer <token>`")
        call.principal = self._verifier.verify(token.strip())
        call.principal = _act_for(call.principal, call.metadata.get(ON_BEHALF_OF, ""))
        if call.principal.on_behalf_of:
            self._verifier.check_revoked(call.principal)
        return call.principal


def _act_for(principal: Principal, named: str) -> Principal:
    """Return the principal acting for the party that the call names."""
    if not named or named == principal.on_behalf_of:
        return principal
    if principal.kind == "person":
        raise errors.PermissionDenied("ON_BEHALF_OF_DENIED", "a person acts for nobody else; sign in as that person")
    if principal.on_behalf_of:
        raise errors.PermissionDenied(
            "ON_BEHALF_OF_DENIED", f"this token acts for {principal.on_behalf_of} and for nobody else"
        )
    if ID_PATTERN.fullmatch(named) is None:
        raise errors.PermissionDenied("ON_BEHALF_OF_DENIED", f"metadata {ON_BEHALF_OF} must be a party id")
    return dataclasses.replace(principal, on_behalf_of=named)


def _trace_of(call: Call) -> str:
    """Return the id of the caller's trace, or what binds the calls of one action."""
    given = call.metadata.get(tracing.TRACEPARENT, "").split("-")
    return given[1] if len(given) == 4 and _TRACE.fullmatch(given[1]) else current_request().correlation_id


def _check_peer(peer: Peer | None, principal: Principal | None) -> None:
    """Refuse a service's token on a connection that is not that service's: a stolen one is worth nothing elsewhere."""
    if peer is None or principal is None or principal.kind != "service" or peer.may_speak_as(principal.party):
        return
    raise errors.PermissionDenied(
        "CERTIFICATE_NOT_OF_SERVICE",
        f"the token is of the service {principal.party}, the certificate of {peer.identity}: each part shows its own",
        metadata={"party": principal.party, "identity": peer.identity},
    )
