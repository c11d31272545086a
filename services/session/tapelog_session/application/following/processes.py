"""The process managers: what follows from a fact without anybody asking.

(a) A take, a version or alternates were recorded: ask the render service. (b) A render ended: record it on the song.
Both read a durable consumer in order, and repeat harmlessly: every step's request_id follows from its cause.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol, TypeVar

import structlog
from tapelog_chassis.errors import Aborted, DataLoss, ServiceError, Unavailable, WrittenByNewer
from tapelog_chassis.event_log import LogUnavailable

from tapelog_session import telemetry
from tapelog_session.application.ports import RenderUnavailable

PARTY: Final = "svc-session"
"""Who acts when nobody does."""
BACKOFF_S: Final = 0.2
BACKOFF_S_MAX: Final = 10.0
"""Well under the consumer's lease of 30 s, which every attempt renews."""
DOUBLINGS_MAX: Final = 6
ALERT_AFTER: Final = 10
"""Attempts after which waiting for another service is logged as an alert, and every tenth after it."""
PUT_OFF_S: Final = 30.0
"""Until an event of a newer version is offered again: to whichever version takes it then."""
UNEXPECTED_MAX: Final = 5
"""Attempts at an event that fails for a reason we do not know; then the process stops and asks for a person."""

_log = structlog.get_logger(__name__)


class Step(Protocol):
    """One event that a process has to deal with."""

    @property
    def label(self) -> str:
        """What it is, for the log."""
        ...

    async def in_progress(self) -> None:
        """Renew the lease."""
        ...

    async def done(self) -> None:
        """Settle it for good."""
        ...

    async def put_off(self, delay_s: float) -> None:
        """Have it come again later, behind others."""
        ...


StepT = TypeVar("StepT", bound=Step)


@dataclasses.dataclass(slots=True)
class ProcessState:
    """How a process stands, for health and tests."""

    handled: int = 0
    put_off: int = 0
    attempts: int = 0
    stopped_at: str = ""


async def drive(
    name: str, steps: AsyncIterator[StepT], handle: Callable[[StepT], Awaitable[None]], state: ProcessState
) -> None:
    """Deal with steps in order, for ever; stop at the first that cannot be dealt with, and never skip one.

    Waiting for a service that does not answer has no limit but that of each wait; an event that fails for another
    reason stops the process after `UNEXPECTED_MAX` attempts with an alert in the log. What is behind it stays in the
    stream and is dealt with after the next start. What was never an event (`ForeignMessageError`), or concerns an
    aggregate whose history is damaged, is passed by with one alert; it stays in the stream, where its position says.
    What a newer version wrote is put off, until that version takes it.
    """
    stopped = telemetry.PROCESS_STOPPED.labels(name)
    stopped.set(0)
    async for step in steps:
        end = await _persist(name, step, handle, state)
        if end is _End.STOPPED:
            state.stopped_at = step.label
            stopped.set(1)
            return
        if end is _End.PUT_OFF:
            state.put_off += 1
            await step.put_off(PUT_OFF_S)
            continue
        await step.done()
        state.handled += 1
        telemetry.PROCESS_HANDLED.labels(name).inc()


class _End(enum.Enum):
    """What became of a step."""

    SETTLED = "settled"
    PUT_OFF = "put off"
    STOPPED = "stopped"


async def _persist(name: str, step: StepT, handle: Callable[[StepT], Awaitable[None]], state: ProcessState) -> _End:
    unexpected = 0
    attempt = 0
    while True:
        attempt += 1
        state.attempts = attempt
        advised_s = 0.0
        try:
            await handle(step)
        except (ForeignMessageError, DataLoss) as failure:
            telemetry.PROCESS_QUARANTINED.labels(name).inc()
            _log.error("foreign message passed by", process=name, at=step.label, cause=str(failure), alert=True)
            return _End.SETTLED
        except WrittenByNewer as failure:
            _log.warning("event of a newer version put off", process=name, at=step.label, cause=failure.message)
            return _End.PUT_OFF
        except (RenderUnavailable, Unavailable, Aborted, LogUnavailable) as failure:
            advised_s = getattr(failure, "retry_after_s", None) or 0.0
            if attempt % ALERT_AFTER == 0:
                _log.error("process waits", process=name, at=step.label, attempts=attempt, cause=str(failure))
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is logged and stops the process
            unexpected += 1
            _log.warning("process failed at an event", process=name, at=step.label, cause=repr(failure))
            if unexpected >= UNEXPECTED_MAX or not _may_pass(failure):
                _log.exception("process stopped, a person is needed", process=name, at=step.label, alert=True)
                return _End.STOPPED
        else:
            return _End.SETTLED
        doubled_s = BACKOFF_S * 2 ** min(attempt - 1, DOUBLINGS_MAX)
        await asyncio.sleep(min(max(doubled_s, advised_s), BACKOFF_S_MAX))
        await step.in_progress()


def _may_pass(failure: Exception) -> bool:
    """Say whether the same event may be dealt with later; a refusal on its merits will come again."""
    return not isinstance(failure, (UnprocessableError, ServiceError))


class ForeignMessageError(Exception):
    """What is no message of ours in a stream that only copies facts: it is passed by, and stays where it is."""


class UnprocessableError(Exception):
    """An event that can never be dealt with: unreadable, or about something that is not there."""
