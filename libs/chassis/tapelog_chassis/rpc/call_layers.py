"""What happens around every call, outside-in.

Telemetry, traces, admission, context, audit (where there is one), certificate (where clients are asked
for one), identity, deadline, errors.

Each layer awaits what is inside of it, so that the order is the order of a list and a layer reads from top to bottom.
Every call goes through all of them: a layer is a plain coroutine, because a context manager made of a generator costs
several times as much as what most layers do.
"""

import asyncio
import dataclasses
import functools
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import grpc
import structlog
from prometheus_client import Counter, Gauge, Histogram

from tapelog_chassis import errors, ids, telemetry
from tapelog_chassis.aggregates.log_refusals import refusal_of
from tapelog_chassis.auth.policy import MethodPolicy
from tapelog_chassis.auth.principal import Principal
from tapelog_chassis.event_log import EventLogError
from tapelog_chassis.observability import tracing
from tapelog_chassis.rpc.grpc_options import STREAM_DEADLINE_S, UNARY_DEADLINE_S, UPLOAD_DEADLINE_S
from tapelog_chassis.rpc.peers import Peer
from tapelog_chassis.rpc.request_context import CurrentRequest, set_request
from tapelog_chassis.rpc.slots import WAITING_MAX, Slots

AUTHORIZATION: Final = "authorization"
ON_BEHALF_OF: Final = "tapelog-on-behalf-of"
CORRELATION_ID: Final = "tapelog-correlation-id"
STATUS_DETAILS: Final = "grpc-status-details-bin"
_CORRELATION_PATTERN: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SHED_RETRY_S: Final = 0.5

_log = structlog.get_logger(__name__)

ServicerContext = grpc.aio.ServicerContext[Any, Any]


NO_POLICY: Final = MethodPolicy()
"""Before it is looked up: lets nobody in."""


@dataclasses.dataclass(slots=True)
class Call:
    """One call on its way through the layers."""

    method: str
    metadata: Mapping[str, str]
    request: Any
    streams_request: bool
    streams_response: bool
    serve: Callable[[], Awaitable[Any]]
    policy: MethodPolicy = NO_POLICY
    peer: Peer | None = None
    principal: Principal | None = None
    refused: errors.ServiceError | None = None

    @property
    def shape(self) -> str:
        """`streaming` for every call whose length the peer decides."""
        return "streaming" if self.streams_request or self.streams_response else "unary"


Inner = Callable[[Call, ServicerContext], Awaitable[Any]]
"""What is inside of a layer: the next one, or the handler."""


class Layer(Protocol):
    """Something that happens around a call."""

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Do it, and return what `inner` answers."""
        ...


def layered(layers: Sequence[Layer]) -> Inner:
    """Return the handler with all layers around it, the first one outermost."""
    inner: Inner = _serve
    for layer in reversed(layers):
        inner = functools.partial(layer.around, inner)
    return inner


async def _serve(call: Call, _context: ServicerContext) -> Any:
    return await call.serve()


def error_domain(method: str) -> str:
    """Return the `ErrorInfo` domain of a method's service: `session.tapelog` for `/tapelog.session.v1.…`."""
    package = method.lstrip("/").split(".")
    return f"{package[1]}.tapelog" if package[0] == "tapelog" and len(package) > 2 else "tapelog"


async def refuse(call: Call, context: ServicerContext, error: errors.ServiceError) -> None:
    """End the call with an error's code, message and details; always raises."""
    call.refused = error
    status = errors.to_status(error, domain=error_domain(call.method))
    trailing = (*(context.trailing_metadata() or ()), (STATUS_DETAILS, status.SerializeToString()))
    await context.abort(error.code, status.message, trailing)


class Telemetry:
    """Counts and times every call."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Gauge, Counter, Histogram]] = {}

    def _series(self, call: Call) -> tuple[Gauge, Counter, Histogram]:
        """Return what is counted of a method's calls that end well, looked up once a method."""
        known = self._known.get(call.method)
        if known is None:
            known = self._known[call.method] = (
                telemetry.RPCS_IN_FLIGHT.labels(call.shape),
                telemetry.RPCS_HANDLED.labels(call.method, "OK"),
                telemetry.RPC_SECONDS.labels(call.method),
            )
        return known

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Observe one call."""
        start_s = time.perf_counter()
        in_flight, handled, seconds = self._series(call)
        in_flight.inc()
        code = "OK"
        try:
            return await inner(call, context)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED.name
            raise
        except BaseException:
            code = code_name(context)
            raise
        finally:
            in_flight.dec()
            (handled if code == "OK" else telemetry.RPCS_HANDLED.labels(call.method, code)).inc()
            seconds.observe(time.perf_counter() - start_s)


class Tracing:
    """Makes a span of every call, as a child of the caller's."""

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Trace one call."""
        if not tracing.is_on() or call.method.startswith("/grpc."):
            return await inner(call, context)
        with tracing.span(
            call.method.lstrip("/"),
            kind=tracing.SpanKind.SERVER,
            parent=call.metadata.get(tracing.TRACEPARENT, ""),
            attributes={"rpc.system": "grpc"},
        ):
            return await inner(call, context)


class Admission:
    """Refuses what exceeds the concurrency limits, with a reason: streams at once, unary calls after a short line."""

    def __init__(self, *, unary_calls_max: int, streaming_calls_max: int) -> None:
        self._limits = {"unary": unary_calls_max, "streaming": streaming_calls_max}
        self._slots = {
            "unary": Slots(unary_calls_max, waiting_max=WAITING_MAX),
            "streaming": Slots(streaming_calls_max, waiting_max=0),
        }
        self._refusals: dict[tuple[str, str], tuple[errors.ServiceError, bytes]] = {}

    @property
    def unary(self) -> Slots:
        """Where unary calls stand in line."""
        return self._slots["unary"]

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Let one call in, or shed it."""
        if call.method.startswith("/grpc.health."):
            return await inner(call, context)
        shape = call.shape
        slots = self._slots[shape]
        if not await slots.take():
            telemetry.RPCS_SHED.labels(shape).inc()
            error, details = self.refusal(shape, error_domain(call.method))
            await context.abort(error.code, error.message, ((STATUS_DETAILS, details),))
        try:
            return await inner(call, context)
        finally:
            slots.give()

    def refusal(self, shape: str, domain: str) -> tuple[errors.ServiceError, bytes]:
        """Return a refusal and its details, made once: there are many a second when it matters what they cost."""
        known = self._refusals.get((shape, domain))
        if known is not None:
            return known
        limit = self._limits[shape]
        error = errors.ResourceExhausted(
            "TOO_MANY_CALLS",
            f"this server already serves {limit} {shape} calls; try again a little later",
            metadata={"shape": shape, "limit": limit},
            retry_after_s=_SHED_RETRY_S,
        )
        details = errors.to_status(error, domain=domain).SerializeToString()
        return self._refusals.setdefault((shape, domain), (error, details))


class Context:
    """Makes the call known to everything below it and to every log line."""

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Set the current request."""
        sent = call.metadata.get(CORRELATION_ID, "")
        correlation_id = sent if _CORRELATION_PATTERN.fullmatch(sent) else ids.random_uuid()
        request_id = getattr(call.request, "request_id", "")
        set_request(CurrentRequest(call.method, correlation_id, request_id if isinstance(request_id, str) else ""))
        return await inner(call, context)


class Deadline:
    """Caps every call's time, whatever the client asked for, and ends open streams at a drain."""

    def __init__(self) -> None:
        self._open_streams: set[asyncio.Timeout] = set()
        self._draining = False

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Run one call under its cap."""
        cap_s = call.policy.deadline_s or _default_cap_s(call)
        try:
            async with asyncio.timeout(cap_s) as timer:
                if call.streams_response:
                    self._open_streams.add(timer)
                    if self._draining:
                        timer.reschedule(asyncio.get_running_loop().time())
                try:
                    return await inner(call, context)
                finally:
                    self._open_streams.discard(timer)
        except TimeoutError:
            await refuse(call, context, self._timed_out(call, cap_s))

    def drain(self) -> None:
        """End every open response stream; its client resumes elsewhere from its cursor."""
        self._draining = True
        now = asyncio.get_running_loop().time()
        for timer in tuple(self._open_streams):
            timer.reschedule(now)

    def _timed_out(self, call: Call, cap_s: float) -> errors.ServiceError:
        if call.streams_response:
            reason = "DRAINING" if self._draining else "STREAM_AGE_REACHED"
            text = "the server is stopping" if self._draining else f"the stream has lived its {cap_s:g} s"
            return errors.Unavailable(reason, f"{text}; connect again and resume from your cursor", retry_after_s=0.2)
        return errors.DeadlineExceeded(
            "SERVER_DEADLINE",
            f"the call took longer than the server's cap of {cap_s:g} s; whether it took effect is unknown: send it "
            "again with the same request_id",
            metadata={"cap_s": f"{cap_s:g}"},
        )


class Errors:
    """Turns what a handler raises into the wire's form; an unexpected error keeps its text to the log."""

    async def around(self, inner: Inner, call: Call, context: ServicerContext) -> Any:
        """Map the errors of one call."""
        try:
            return await inner(call, context)
        except errors.ServiceError as error:
            if isinstance(error, errors.DataLoss):
                _log.error("damaged history", reason=error.reason, detail=error.message)
            await refuse(call, context, error)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it becomes INTERNAL and a line in the log
            refusal = refusal_of(failure) if isinstance(failure, EventLogError) else None
            if refusal is not None:
                await refuse(call, context, refusal)
            error_id = uuid.uuid4().hex
            telemetry.INTERNAL_ERRORS.labels(call.method).inc()
            _log.exception("unexpected error", error_id=error_id)
            await refuse(call, context, errors.InternalError(error_id))


def _default_cap_s(call: Call) -> float:
    if call.streams_response:
        return STREAM_DEADLINE_S
    return UPLOAD_DEADLINE_S if call.streams_request else UNARY_DEADLINE_S


def code_name(context: ServicerContext) -> str:
    """Return the name of the code the call was ended with."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    names = {status.value[0]: status.name for status in grpc.StatusCode}
    return names.get(code, grpc.StatusCode.UNKNOWN.name)
