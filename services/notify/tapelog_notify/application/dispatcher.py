"""Delivery to one webhook: in order, one event at a time; or unordered, each event by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from tapelog_chassis.clock import Clock
from tapelog_chassis.failpoints import failpoint
from tapelog_chassis.topology import ORDERED_HEARTBEAT_S

from tapelog_notify import telemetry
from tapelog_notify.domain.retry import DISABLE_AFTER_S, SCHEDULE_S, Decision, Verdict, decide

from .attempts import Attempt, DeadLetter, Kind
from .ports import Answer, DeliveryLog, Due, Mail, Secrets, Webhooks
from .registry import Registered
from .sending import Signer, send

IN_FLIGHT_MAX: Final = 256
"""Attempts open at once over all endpoints; few per endpoint, so that many dead ones leave room for the others."""
IN_FLIGHT_PER_ENDPOINT: Final = 2
"""Attempts open at once to one unordered endpoint; an ordered one has one."""

FINISH_S: Final = 10.0

_log = structlog.get_logger(__name__)

Stop = Callable[[Registered, Verdict, str], Awaitable[None]]
"""Records that an endpoint is gone, exhausted or failing for too long, with the reason in words."""


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
    disable_after_s
        How long an endpoint may fail before it is switched off.
    """

    webhooks: Webhooks
    mail: Mail
    secrets: Secrets
    deliveries: DeliveryLog
    clock: Clock
    in_flight: asyncio.Semaphore
    stop: Stop
    schedule_s: tuple[float, ...] = SCHEDULE_S
    finish_s: float = FINISH_S
    disable_after_s: float = DISABLE_AFTER_S


async def deliver(item: Registered, feed: AsyncIterator[Due], shared: Delivering) -> None:
    """
    Deliver a subscription's events until its endpoint is gone, exhausted, or has failed for too long.

    Parameters
    ----------
    item
        An active webhook subscription.
    feed
        Its events, in order.
    shared
        What it needs.
    """
    dispatcher = _Dispatcher(item, shared, await _failing_since(item, shared))
    if item.subscription.is_unordered:
        await dispatcher.deliver_each(feed)
    else:
        await dispatcher.deliver_in_order(feed)


async def _failing_since(item: Registered, shared: Delivering) -> datetime | None:
    """Return since when the endpoint fails, by the log; what was before it was switched on again does not count."""
    last = await shared.deliveries.last(item.tenant, item.id)
    since, enabled = last.failing_since if last is not None else None, item.subscription.enabled_time
    return since if since is not None and (enabled is None or since >= enabled) else None


class _Dispatcher:
    """Delivery to one endpoint for as long as its subscription stays as it is."""

    def __init__(self, item: Registered, shared: Delivering, failing_since: datetime | None) -> None:
        self._item = item
        self._shared = shared
        self._signer = Signer(item.tenant, item.id, shared.secrets)
        self._failing_since = failing_since

    async def deliver_in_order(self, feed: AsyncIterator[Due]) -> None:
        async for due in feed:
            if await self._is_over(due):
                return

    async def deliver_each(self, feed: AsyncIterator[Due]) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:

            async def one() -> None:
                async for due in _shared_feed(feed, lock):
                    if await self._is_over(due):
                        over.set()
                        return

            lock = asyncio.Lock()
            senders = [group.create_task(one()) for _ in range(IN_FLIGHT_PER_ENDPOINT)]
            await over.wait()
            for sender in senders:
                sender.cancel()

    async def _is_over(self, due: Due) -> bool:
        event, wanted = due.event, self._item.subscription.filter
        # The server's filter was made from the event types known at the time; this one is exact.
        if not event.passes(wanted):
            await due.accept()
            return False
        decision = await _brought_to_its_end(self._attempt(due), finish_s=self._shared.finish_s)
        return decision.verdict in {Verdict.GONE, Verdict.EXHAUSTED, Verdict.FAILED_TOO_LONG}

    async def _attempt(self, due: Due) -> Decision:
        async with asyncio.TaskGroup() as group:
            lease = group.create_task(_extend(due))
            answer, decision = await self._post(due)
            lease.cancel()
        if decision.verdict is Verdict.EXHAUSTED and self._item.subscription.is_unordered:
            await self._bury(due, answer)
            decision = Decision(Verdict.ACCEPTED)
        match decision.verdict:
            case Verdict.ACCEPTED:
                failpoint("notify.before_ack")
                await due.accept()
                failpoint("notify.after_ack")
            case Verdict.RETRY:
                await due.retry(decision.delay_s)
            case _:
                reason = f"event {due.event.id}, attempt {due.attempt}: {answer.error}"
                await self._shared.stop(self._item, decision.verdict, reason)
        return decision

    async def _post(self, due: Due) -> tuple[Answer, Decision]:
        shared, item = self._shared, self._item
        async with shared.in_flight:
            began = shared.clock.now()
            failpoint("notify.before_post")
            answer = await send(
                item, due.event, self._signer, webhooks=shared.webhooks, mail=shared.mail, clock=shared.clock
            )
            failpoint("notify.after_post")
        telemetry.ATTEMPT_SECONDS.observe(answer.latency_s)
        decision = self._judge(due, answer)
        telemetry.ATTEMPTS.labels(decision.verdict.value).inc()
        next_time = None
        if decision.verdict is Verdict.RETRY:
            next_time = shared.clock.now() + timedelta(seconds=decision.delay_s)
        attempt = Attempt(
            event_id=due.event.id,
            event_type=due.event.type,
            position=due.event.position,
            attempt=due.attempt,
            status=answer.status,
            error=answer.error,
            latency_s=answer.latency_s,
            time=began,
            next_attempt_time=next_time,
            kind=Kind.SCHEDULED,
            failing_since=self._failing_since,
        )
        await shared.deliveries.add(item.tenant, item.id, attempt)
        _report(item, due, answer, decision)
        return answer, decision

    def _judge(self, due: Due, answer: Answer) -> Decision:
        """Judge an answer, and by it how long the endpoint has failed."""
        shared = self._shared
        decision = decide(
            answer.status,
            due.attempt,
            f"{self._item.id}/{due.event.id}",
            retry_after_s=answer.retry_after_s,
            schedule_s=shared.schedule_s,
        )
        if decision.verdict is Verdict.ACCEPTED:
            self._failing_since = None
            return decision
        now = shared.clock.now()
        self._failing_since = self._failing_since or now
        failed_s = (now - self._failing_since).total_seconds()
        if decision.verdict is not Verdict.GONE and failed_s >= shared.disable_after_s:
            return Decision(Verdict.FAILED_TOO_LONG)
        return decision

    async def _bury(self, due: Due, answer: Answer) -> None:
        event = due.event
        letter = DeadLetter(event.id, event.type, event.position, due.attempt, answer.error, self._shared.clock.now())
        await self._shared.deliveries.bury(self._item.tenant, self._item.id, letter)
        telemetry.DEAD_LETTERS.inc()


async def _shared_feed(feed: AsyncIterator[Due], lock: asyncio.Lock) -> AsyncIterator[Due]:
    """Take events of a feed that others read too."""
    while True:
        async with lock:
            try:
                due = await anext(feed)
            except StopAsyncIteration:
                return
        yield due


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


async def _extend(due: Due) -> None:
    while True:
        await asyncio.sleep(ORDERED_HEARTBEAT_S)
        await due.extend()


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
