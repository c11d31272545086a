"""Commands and queries on subscriptions that are there: functions of their ports."""

import asyncio
from typing import Final

from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.errors import NotFound
from tapelog_chassis.event_log import Metadata

from tapelog_notify.domain import subscription as domain
from tapelog_notify.domain.errors import UnknownSubscription
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.domain.retry import Verdict
from tapelog_notify.domain.subscription import Subscription

from .attempts import Attempt, DeadLetter
from .desk import Caller, Desk, View, execute, registered, with_progress
from .registry import Registered

SERVICE_PARTY: Final = "svc-notify"
ASKED_AT_ONCE: Final = 16
"""Subscriptions of a page whose progress the broker is asked for at a time: a page has up to 500."""


async def pause_subscription(desk: Desk, caller: Caller, id_: str, *, reason: str, etag: str) -> View:
    """Pause delivery."""
    outcome = await execute(desk, caller, id_, lambda state: domain.pause(state, reason=reason), etag=etag)
    if not outcome.versioned.state.is_pushed:
        await desk.feeds.hold(id_)
    return await _view(desk, caller.tenant, id_, outcome)


async def resume_subscription(desk: Desk, caller: Caller, id_: str, *, etag: str) -> View:
    """Let delivery go on; the event that waits is offered at once, with all its attempts."""
    outcome = await execute(desk, caller, id_, domain.resume, etag=etag)
    if not outcome.versioned.state.is_pushed:
        await desk.feeds.release(id_)
    elif outcome.events and not outcome.replayed:
        await desk.feeds.restart(id_)
    return await _view(desk, caller.tenant, id_, outcome)


async def delete_subscription(desk: Desk, caller: Caller, id_: str, *, etag: str) -> None:
    """Remove a subscription, its feed and its secret."""
    await execute(desk, caller, id_, domain.delete, etag=etag)
    await desk.feeds.remove(id_)
    await desk.secrets.forget(caller.tenant, id_)


async def stop_delivering(desk: Desk, item: Registered, verdict: Verdict, reason: str) -> None:
    """Record that an endpoint is gone, or that every attempt at an event failed."""
    # A subscription may fail again after it was resumed: its version tells the one failure from the other.
    request_id = ids.follow_up_request_id(f"{item.tenant}/{item.id}/{item.sequence}", verdict.value)
    decide = domain.exhaust if verdict is Verdict.EXHAUSTED else domain.disable
    if verdict is Verdict.FAILED_TOO_LONG:
        reason = f"nothing was accepted for too long; {reason}"
    await desk.repository.execute(
        desk.repository.aggregate(item.tenant, item.id),
        lambda state: decide(state, reason=reason),
        request_id=request_id,
        request_hash="",
        metadata=Metadata(actor=SERVICE_PARTY, causation_id=request_id),
    )


async def get_subscription(desk: Desk, tenant: str, id_: str) -> View:
    """Return a subscription as it is now."""
    versioned = await desk.repository.load(desk.repository.aggregate(tenant, id_))
    if not versioned.state.exists:
        raise UnknownSubscription(f"there is no subscription {id_}; it may have been deleted")
    return await with_progress(desk, tenant, View(id_, versioned.sequence, versioned.state))


async def list_subscriptions(desk: Desk, tenant: str, *, after: int, count: int) -> list[tuple[int, View]]:
    """Return up to `count` subscriptions created behind the log position `after`, each with that position."""
    found = [item for item in desk.registry.of_tenant(tenant) if item.created_position > after][:count]
    room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def shown(item: Registered) -> View:
        async with room:
            return await with_progress(desk, tenant, View(item.id, item.sequence, item.subscription))

    views = await asyncio.gather(*map(shown, found))
    return [(item.created_position, view) for item, view in zip(found, views, strict=True)]


async def list_attempts(desk: Desk, tenant: str, id_: str, *, before: int | None, count: int) -> list[Attempt]:
    """Return a webhook's newest attempts, those numbered `before` and later left out."""
    registered(desk, tenant, id_)
    found = await desk.deliveries.newest_first(tenant, id_)
    return [attempt for attempt in found if before is None or attempt.number < before][:count]


async def list_dead_letters(desk: Desk, tenant: str, id_: str, *, after: int, count: int) -> list[DeadLetter]:
    """Return events that a webhook gave up, behind a position."""
    registered(desk, tenant, id_)
    return [letter for letter in await desk.deliveries.dead_letters(tenant, id_) if letter.position > after][:count]


async def get_event(desk: Desk, tenant: str, position: int) -> PublicEvent:
    """Return one public event of a tenant."""
    event = await desk.public.at(position)
    if event is None or event.tenant != tenant:
        raise NotFound(
            "EVENT_NOT_FOUND",
            f"there is no event at position {position}; events are kept for 400 days",
            metadata={"position": position},
        )
    return event


async def _view(desk: Desk, tenant: str, id_: str, outcome: Outcome[Subscription]) -> View:
    return await with_progress(desk, tenant, View(id_, outcome.versioned.sequence, outcome.versioned.state))
