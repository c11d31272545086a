"""Structured logs: JSON lines for machines, colours on a terminal, secrets never."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from google.protobuf.message import Message
from pydantic import SecretBytes, SecretStr

from tapelog_chassis.rpc.request_context import add_request

HIDDEN: Final = "<hidden>"

SECRET_KEYS: Final = frozenset({"authorization", "token", "secret", "password", "api_key", "private_key", "nats_creds"})
"""Keys whose value is hidden whatever it is."""

_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Where a crash happened, never the values that were at hand: frames hold tokens, keys and the environment."""


def configure_logs(level: str = "info", *, stream: TextIO | None = None, json: bool | None = None) -> None:
    """Set up logging for the process.

    Parameters
    ----------
    level : str
        `debug`, `info`, `warning` or `error`.
    stream : TextIO, optional
        Where lines go; standard error when not given, so that output stays clean for pipes.
    json : bool, optional
        JSON lines, or readable text; by default text when the stream is a terminal.
    """
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json is None else json
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r} is not one of debug, info, warning, error")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    rendering: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer(sort_keys=True, default=str)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(target, number, shared, rendering)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide secrets and payloads (a structlog processor)."""
    for key, value in event.items():
        if key.lower() in SECRET_KEYS:
            event[key] = HIDDEN
        else:
            event[key] = _safe(value)
    return event


def _safe(value: Any) -> Any:
    if isinstance(value, (SecretStr, SecretBytes)):
        return HIDDEN
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, Message):
        return f"<{value.DESCRIPTOR.full_name}, {value.ByteSize()} bytes>"
    if isinstance(value, Mapping):
        return {key: HIDDEN if str(key).lower() in SECRET_KEYS else _safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(item) for item in value]
    return value


def _route_standard_logging(
    target: TextIO,
    level: int,
    shared: list[structlog.typing.Processor],
    rendering: list[structlog.typing.Processor],
) -> None:
    """Give the lines of libraries the same form."""
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
