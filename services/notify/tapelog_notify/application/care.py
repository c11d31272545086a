"""
Care of a webhook: its secret replaced, a test, one event again, a range again.

None of it makes a domain event but the replacement of the secret; none of it moves the subscription's own place.
"""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tapelog.notify.v1 import events_pb2, resources_pb2
from tapelog_chassis import ids
from tapelog_chassis.errors import NotFound

from tapelog_notify.domain import subscription as domain
from tapelog_notify.domain.errors import WrongState
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.domain.signature import format_secret, parse_secret
from tapelog_notify.domain.subscription import State

from .attempts import Attempt, Kind
from .creation import SHOWN_AGAIN, Start, resolve_start
from .desk import Caller, Desk, View, execute, registered
from .registry import Registered
from .sending import Signer, send

TEST_TYPE: Final = "tapelog.subscription.test_delivery.v1"
TEST_TEXT: Final = "This is a test delivery: nothing has happened."
REPLAY_ATTEMPTS: Final = 3
"""Attempts at one event of a replay, right after another: whoever replays is there to see it fail."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A subscription with a new secret, and the secret where it may be shown."""

    view: View
    secret: str
    previous_until: datetime


async def rotate_secret(desk: Desk, caller: Caller, id_: str, *, secret: str, overlap: timedelta, etag: str) -> Rotated:
    """Replace a webhook's secret."""
    ids.validate_request_id(caller.request_id)
    new = parse_secret(secret) if secret else desk.secrets.derive(caller.tenant, id_, caller.request_id)
    now = desk.clock.now()
    outcome = await execute(
        desk, caller, id_, lambda state: domain.rotate_secret(state, overlap=overlap, now=now), etag=etag
    )
    event = events_pb2.SubscriptionSecretRotated.FromString(outcome.events[-1].data)
    until = event.previous_expire_time.ToDatetime(tzinfo=now.tzinfo)
    current = registered(desk, caller.tenant, id_)
    view = View(id_, outcome.versioned.sequence, outcome.versioned.state)
    # The event comes first, the secret after it: a retry completes what a crash left between the two, unless another
    # replacement came meanwhile.
    if current.subscription.secret_generation != event.generation:
        return Rotated(view, "", until)
    await desk.secrets.rotate(caller.tenant, id_, new, previous_until=until)
    is_shown = now - outcome.events[-1].time <= SHOWN_AGAIN
    return Rotated(view, format_secret(new) if is_shown else "", until)


async def send_test(desk: Desk, tenant: str, id_: str) -> Attempt:
    """Post a test delivery once."""
    item = _webhook(desk, tenant, id_)
    text = resources_pb2.TestDelivery(subscription=f"subscriptions/{id_}", text=TEST_TEXT)
    event = PublicEvent(
        id=str(uuid.uuid4()),
        type=TEST_TYPE,
        source="/tapelog/notify",
        time=desk.clock.now(),
        tenant=tenant,
        project="",
        song="",
        aggregate=id_,
        sequence=0,
        position=0,
        actor="",
        on_behalf_of="",
        role_used="",
        correlation_id="",
        causation_id="",
        schema=text.DESCRIPTOR.full_name,
        data=text.SerializeToString(),
    )
    return await _send(desk, item, event, Kind.TEST, Signer(tenant, id_, desk.secrets))


async def redeliver(desk: Desk, tenant: str, id_: str, *, position: int) -> Attempt:
    """Post one event again, once; a success takes it off the dead-letter list."""
    item = _webhook(desk, tenant, id_)
    event = await desk.public.at(position)
    if event is None or event.tenant != tenant or not event.passes(item.subscription.filter):
        raise NotFound(
            "EVENT_NOT_FOUND",
            f"no event that this subscription is for is at position {position}; ListDeliveries shows positions",
            metadata={"position": position},
        )
    attempt = await _send(desk, item, event, Kind.REDELIVERY, Signer(tenant, id_, desk.secrets))
    if not attempt.error and item.subscription.is_unordered:
        await desk.deliveries.unbury(tenant, id_, position)
    return attempt


async def replay(
    desk: Desk,
    tenant: str,
    id_: str,
    *,
    start: Start,
    end_position: int | None,
    end_time: datetime | None,
    event_filter: EventFilter,
) -> AsyncGenerator[tuple[Attempt | None, int], None]:
    """
    Post a range of events again, in order; yield what became of each attempt, with the place to resume after.

    Ends with the range (a last item without an attempt), or with the first event that failed `REPLAY_ATTEMPTS` times.
    """
    item = _webhook(desk, tenant, id_)
    if item.subscription.state is State.DISABLED:
        raise WrongState("disabled", "the endpoint is switched off; resume the subscription first")
    now = desk.clock.now()
    position = await resolve_start(desk.public, start, now=now)
    last = (await desk.public.bounds()).last
    if end_position is not None:
        last = min(last, end_position)
    elif end_time is not None:
        last = min(last, await desk.public.position_before(end_time))
    signer = Signer(tenant, id_, desk.secrets)
    async with aclosing(desk.public.range(tenant, after_position=position, last=last)) as events:
        async for event in events:
            if not event.passes(item.subscription.filter) or not event.passes(event_filter):
                continue
            for number in range(1, REPLAY_ATTEMPTS + 1):
                attempt = await _send(desk, item, event, Kind.REPLAY, signer, number=number)
                position = position if attempt.error else event.position
                yield attempt, position
                if not attempt.error:
                    break
            else:
                return
    yield None, max(position, last)


async def _send(
    desk: Desk, item: Registered, event: PublicEvent, kind: Kind, signer: Signer, *, number: int = 1
) -> Attempt:
    began = desk.clock.now()
    answer = await send(item, event, signer, webhooks=desk.webhooks, mail=desk.mail, clock=desk.clock)
    attempt = Attempt(
        event_id=event.id,
        event_type=event.type,
        position=event.position,
        attempt=number,
        status=answer.status,
        error=answer.error,
        latency_s=answer.latency_s,
        time=began,
        kind=kind,
    )
    await desk.deliveries.add(item.tenant, item.id, attempt)
    return attempt


def _webhook(desk: Desk, tenant: str, id_: str) -> Registered:
    item = registered(desk, tenant, id_)
    domain.require_pushed(item.subscription)
    return item
