"""Delivery to one webhook: one event at a time, the next when the one before was accepted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from tapelog_chassis.clock import Clock
from tapelog_chassis.topology import ORDERED_HEARTBEAT_S

from tapelog_notify import telemetry
from tapelog_notify.domain.public_event import CONTENT_TYPE, to_json
from tapelog_notify.domain.retry import SCHEDULE_S, Decision, Verdict, decide
from tapelog_notify.domain.signature import signed_headers

from .attempts import Attempt, AttemptLog
from .ports import Answer, Due, Secrets, Webhooks
from .registry import Registered

IN_FLIGHT_MAX: Final = 256
"""Attempts open at once over all endpoints; one per endpoint, so that many dead ones leave room for the others."""

FINISH_S: Final = 10.0

_log = structlog.get_logger(__name__)

Stop = Callable[[Registered, Verdict, str], Awaitable[None]]
"""Records that an endpoint is gone or exhausted, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """
    What every dispatcher shares.

    Attributes
    ----------
    schedule_s
        Wait before attempt 1, 2, 3 ...
    in_flight
        Bounds the attempts that are open at once.
    finish_s
        How long an attempt may go on when its dispatcher is stopped.
    """

    webhooks: Webhooks
    secrets: Secrets
    attempts: AttemptLog
    clock: Clock
    in_flight: asyncio.Semaphore
    stop: Stop
    schedule_s: tuple[float, ...] = SCHEDULE_S
    finish_s: float = FINISH_S


async def deliver(item: Registered, feed: AsyncIterator[Due], shared: Delivering) -> None:
    """
    Deliver a subscription's events until its endpoint is gone or exhausted.

    Parameters
    ----------
    item
        An active webhook subscription.
    feed
        Its events, in order.
    shared
        What it needs.
    """
    secret = await shared.secrets.get(item.tenant, item.id)
    async for due in feed:
        event = due.event
        # The server's filter was made from the event types known at the time; this one is exact.
        if not item.subscription.filter.matches(type_=event.type, project=event.project, song=event.song):
            await due.accept()
            continue
        decision = await _brought_to_its_end(_attempt(item, due, secret, shared), finish_s=shared.finish_s)
        if decision.verdict in {Verdict.GONE, Verdict.EXHAUSTED}:
            return


async def _brought_to_its_end(attempt: Coroutine[None, None, Decision], *, finish_s: float) -> Decision:
    """Run an attempt; when cancelled meanwhile, first let the endpoint answer and the answer count."""
    task = asyncio.ensure_future(attempt)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=finish_s)
        raise
    finally:
        if not task.done():
            task.cancel()


async def _attempt(item: Registered, due: Due, secret: bytes, shared: Delivering) -> Decision:
    async with asyncio.TaskGroup() as group:
        lease = group.create_task(_extend(due))
        answer, decision = await _post(item, due, secret, shared)
        lease.cancel()
    telemetry.ATTEMPTS.labels(decision.verdict.value).inc()
    match decision.verdict:
        case Verdict.ACCEPTED:
            await due.accept()
        case Verdict.RETRY:
            await due.retry(decision.delay_s)
        case Verdict.GONE | Verdict.EXHAUSTED:
            reason = f"event {due.event.id}, attempt {due.attempt}: {answer.error}"
            await shared.stop(item, decision.verdict, reason)
    return decision


async def _extend(due: Due) -> None:
    while True:
        await asyncio.sleep(ORDERED_HEARTBEAT_S)
        await due.extend()


async def _post(item: Registered, due: Due, secret: bytes, shared: Delivering) -> tuple[Answer, Decision]:
    body = to_json(due.event)
    async with shared.in_flight:
        began = shared.clock.now()
        headers = signed_headers(secret, due.event.id, int(began.timestamp()), body)
        answer = await shared.webhooks.post(item.subscription.url, body, {**headers, "content-type": CONTENT_TYPE})
    telemetry.ATTEMPT_SECONDS.observe(answer.latency_s)
    decision = decide(
        answer.status,
        due.attempt,
        f"{item.id}/{due.event.id}",
        retry_after_s=answer.retry_after_s,
        schedule_s=shared.schedule_s,
    )
    next_time = None
    if decision.verdict is Verdict.RETRY:
        next_time = shared.clock.now() + timedelta(seconds=decision.delay_s)
    attempt = Attempt(
        number=shared.attempts.next_number(item.id),
        event_id=due.event.id,
        event_type=due.event.type,
        position=due.event.position,
        attempt=due.attempt,
        status=answer.status,
        error=answer.error,
        latency_s=answer.latency_s,
        time=began,
        next_attempt_time=next_time,
    )
    shared.attempts.add(item.id, attempt)
    _report(item, due, answer, decision)
    return answer, decision


def _report(item: Registered, due: Due, answer: Answer, decision: Decision) -> None:
    if decision.verdict is Verdict.ACCEPTED:
        return
    _log.info(
        "webhook attempt failed",
        subscription=item.id,
        tenant=item.tenant,
        event_id=due.event.id,
        attempt=due.attempt,
        status=answer.status,
        error=answer.error,
        verdict=decision.verdict.value,
        next_in_s=round(decision.delay_s, 3),
    )
