"""Traces: one chain of spans from a caller to the engine, over gRPC, the log and the queue. Off unless set up.

The context travels as one W3C `traceparent`: in the metadata of calls, in the headers of events and of queued jobs. A
span holds names, codes and durations; never a payload, a title, a person or the text of an error.

Source: W3C Trace Context, 3.2; CloudEvents extension "Distributed Tracing"; OpenTelemetry API.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tapelog_chassis.errors import ConfigRefusal

TRACEPARENT: Final = "traceparent"
NAME: Final = "tapelog"
CHARS_MAX: Final = 64
"""A traceparent has 55; a longer one is nobody's."""
FLUSH_MS: Final = 2_000
"""How long the end of a process may wait for its last spans to be sent."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_BY_ENVIRONMENT: Final = OTEL_PYTHON_TRACER_PROVIDER in os.environ
_INSTALLED: Final[list[trace.TracerProvider]] = []

__all__ = ["TRACEPARENT", "SpanKind", "exporting", "is_on", "note", "recording", "span", "traceparent"]


def is_on() -> bool:
    """Whether spans go anywhere: this process exports them, or the program that embeds us set up OpenTelemetry."""
    if _INSTALLED:
        return True
    if trace._TRACER_PROVIDER is None and not _BY_ENVIRONMENT:  # noqa: SLF001 - asked in every call, and what is public reads the environment each time
        return False
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def traceparent() -> str:
    """Return the current span as a header value; empty where there is none."""
    if not is_on():
        return ""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT, "")


@contextlib.contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    attributes: Mapping[str, str | int | float] | None = None,
) -> Iterator[Any]:
    """Make a span current; costs nothing where traces are off.

    Parameters
    ----------
    name : str
        Of few values: a method, a step; never an id.
    kind : SpanKind
    parent : str, optional
        The `traceparent` that came with the work; None continues the current span. An empty or malformed one begins a
        new trace.
    attributes : mapping, optional
        Names, codes and figures.

    Yields
    ------
    Span or None
        None where traces are off.
    """
    if not is_on():
        yield None
        return
    provider = _INSTALLED[-1] if _INSTALLED else trace.get_tracer_provider()
    context = None
    if parent is not None:
        given = {TRACEPARENT: parent} if 0 < len(parent) <= CHARS_MAX else {}
        context = _PROPAGATOR.extract(given, contexts.Context())
    tracer = provider.get_tracer(NAME)
    with tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=dict(attributes or {}),
        record_exception=False,  # its text may quote what somebody sent
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as failure:
            current.set_status(trace.StatusCode.ERROR, type(failure).__name__)
            raise


def note(figures: Mapping[str, float]) -> None:
    """Add figures to the current span."""
    if is_on():
        trace.get_current_span().set_attributes(dict(figures))


@contextlib.contextmanager
def recording(provider: trace.TracerProvider) -> Iterator[None]:
    """Send spans to a provider for as long as the context lasts."""
    _INSTALLED.append(provider)
    try:
        yield
    finally:
        _INSTALLED.remove(provider)


@contextlib.contextmanager
def exporting(service: str, endpoint: str, ratio: float) -> Iterator[None]:
    """Export a process's spans by OTLP over HTTP, or nothing where no endpoint is set.

    Parameters
    ----------
    service : str
        Its name in the traces.
    endpoint : str
        Such as `http://127.0.0.1:4318/v1/traces`.
    ratio : float
        Share of the traces begun here that are kept; what came with a decision follows that one.

    Raises
    ------
    ConfigRefusal
        The packages of the extra `tracing` are not installed.
    """
    if not endpoint:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as failure:
        raise ConfigRefusal(
            f"TAPELOG_TRACE_ENDPOINT needs the extra `tracing` ({failure.name} is missing): install tapelog[tracing]"
        ) from failure
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"tapelog-{service}"}), sampler=ParentBasedTraceIdRatio(ratio)
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    try:
        with recording(provider):
            yield
    finally:
        provider.force_flush(FLUSH_MS)
        provider.shutdown()
