"""Creation of a subscription: where it begins, what it may be, what is shown of it once."""

import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.message import Message
from tapelog_chassis import ids
from tapelog_chassis.errors import FailedPrecondition, OutOfRange, ResourceExhausted

from tapelog_notify.domain import subscription as domain
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.signature import NEW_SECRET_BYTES, format_secret, parse_secret
from tapelog_notify.domain.subscription import Channel, Subscription
from tapelog_notify.errors import CursorAhead

from .desk import Caller, Desk, View, execute
from .ports import NatsAccess, PublicEvents

SUBSCRIPTIONS_MAX: Final = 1000
"""Subscriptions of one tenant."""
SHOWN_AGAIN: Final = timedelta(minutes=10)
"""A repeated creation shows the secret again for this long: its first answer may have been lost on the way."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where delivery begins: after a position, at a time, or (neither) with the next event."""

    after_position: int | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What a caller wants; `url` is None for a NATS consumer; `target` is what Slack and e-mail keep secret."""

    title: str
    filter: EventFilter
    url: str | None
    secret: str
    start: Start
    is_unordered: bool = False
    channel: Channel = Channel.NATS
    target: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """A new subscription, and what is shown once."""

    view: View
    secret: str = ""
    access: NatsAccess | None = None


async def resolve_start(public: PublicEvents, start: Start, *, now: datetime) -> int:
    """
    Return the position after which delivery begins.

    Raises
    ------
    OutOfRange
        The position is no longer in the stream.
    CursorAhead
        The stream ends before the position.
    InvalidValue
        The time has not come.
    """
    bounds = await public.bounds()
    if start.time is not None:
        if start.time > now:
            raise InvalidValue(
                "start.time", "TIME_IN_FUTURE", "has not come yet; leave start empty to begin with the next event"
            )
        return await public.position_before(start.time)
    position = start.after_position
    if position is None:
        return bounds.last
    if position > bounds.last:
        raise CursorAhead(position, bounds.last)
    if position < 0 or (position and position < bounds.first - 1):
        raise OutOfRange(
            "POSITION_OUT_OF_RANGE",
            f"position {position} is not in the stream, which has {bounds.first} to {bounds.last}; "
            "0 begins with the first event there is",
            metadata={"position": position, "first": bounds.first, "last": bounds.last},
        )
    return position


async def create_subscription(desk: Desk, caller: Caller, wanted: NewSubscription) -> Created:
    """Create a subscription, its feed and its secret or credentials."""
    ids.validate_request_id(caller.request_id)
    id_ = ids.derive_id("sub", caller.tenant, caller.party, "CreateSubscription", caller.request_id)
    aggregate = desk.repository.aggregate(caller.tenant, id_)
    own_secret = parse_secret(wanted.secret) if wanted.secret else wanted.target.encode()
    after_position = 0
    if not (await desk.repository.load(aggregate)).exists:
        await _check_new(desk, caller, wanted)
        after_position = await resolve_start(desk.public, wanted.start, now=desk.clock.now())
        if wanted.channel is Channel.WEBHOOK and not own_secret:
            await desk.secrets.keep(caller.tenant, id_, randomness.token_bytes(NEW_SECRET_BYTES))

    def decide(state: Subscription) -> Sequence[Message]:
        return domain.create(
            state,
            title=wanted.title,
            filter_=wanted.filter,
            url=wanted.url or "",
            channel=wanted.channel,
            shown=wanted.shown,
            after_position=after_position,
            created_by=caller.party,
            is_unordered=wanted.is_unordered,
        )

    outcome = await execute(desk, caller, id_, decide)
    state = outcome.versioned.state
    if own_secret and not outcome.replayed:
        await desk.secrets.put(caller.tenant, id_, own_secret)
    elif own_secret:
        await desk.secrets.keep(caller.tenant, id_, own_secret)
    await desk.feeds.ensure(
        caller.tenant,
        id_,
        state.filter,
        after_position=state.after_position,
        ordered=state.is_pushed and not state.is_unordered,
        exact=not state.is_pushed,
    )
    view = View(id_, outcome.versioned.sequence, state, delivered_position=state.after_position)
    if state.create_time is not None and desk.clock.now() - state.create_time > SHOWN_AGAIN:
        return Created(view)
    if state.channel in {Channel.SLACK, Channel.EMAIL}:
        return Created(view)
    if state.channel is Channel.WEBHOOK:
        return Created(view, secret=format_secret((await desk.secrets.get(caller.tenant, id_)).current))
    return Created(view, access=desk.access.mint(id_))


async def _check_new(desk: Desk, caller: Caller, wanted: NewSubscription) -> None:
    """Refuse what needs no state of the subscription to be refused."""
    count = len(desk.registry.of_tenant(caller.tenant))
    if count >= SUBSCRIPTIONS_MAX:
        raise ResourceExhausted(
            "TOO_MANY_SUBSCRIPTIONS",
            f"{caller.tenant} has {count} subscriptions, the limit is {SUBSCRIPTIONS_MAX}; delete one first",
            metadata={"count": count, "limit": SUBSCRIPTIONS_MAX},
        )
    if wanted.channel is Channel.WEBHOOK:
        await desk.webhooks.check(wanted.url or "")
    elif wanted.channel is Channel.SLACK:
        await desk.webhooks.check(wanted.target)
    elif wanted.channel is Channel.EMAIL and not desk.mail.is_possible:
        raise FailedPrecondition(
            "NO_MAIL_SERVER",
            "this installation sends no mail",
            violations=[("NO_MAIL_SERVER", "subscription.email", "set TAPELOG_SMTP_HOST and TAPELOG_SMTP_FROM")],
        )
    elif wanted.channel is Channel.NATS and not desk.access.is_possible:
        raise FailedPrecondition(
            "NATS_ACCESS_UNAVAILABLE",
            "this installation cannot make NATS credentials: notify has no identity key; use a webhook or Subscribe",
        )
