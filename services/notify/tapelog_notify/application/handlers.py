"""Commands and queries on subscriptions: functions of their ports."""

import secrets as randomness
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.message import Message
from tapelog_chassis import ids
from tapelog_chassis.clock import Clock
from tapelog_chassis.commands import Outcome, Repository
from tapelog_chassis.errors import FailedPrecondition, OutOfRange, ResourceExhausted
from tapelog_chassis.event_log import Metadata

from tapelog_notify.domain import subscription as domain
from tapelog_notify.domain.errors import InvalidValue, UnknownSubscription
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.retry import Verdict
from tapelog_notify.domain.signature import NEW_SECRET_BYTES, format_secret, parse_secret
from tapelog_notify.domain.subscription import Channel, Subscription

from .attempts import Attempt, DeadLetter
from .ports import DeliveryLog, Feeds, Mail, NatsAccess, NatsAccessMint, PublicEvents, Secrets, Webhooks
from .registry import Registered, Registry

SUBSCRIPTIONS_MAX: Final = 1000
"""Subscriptions of one tenant."""
SHOWN_AGAIN: Final = timedelta(minutes=10)
"""A repeated creation shows the secret again for this long: its first answer may have been lost on the way."""
SERVICE_PARTY: Final = "svc-notify"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the request that makes a repeat recognisable."""

    tenant: str
    party: str
    on_behalf_of: str
    request_id: str = ""
    request_hash: str = ""
    correlation_id: str = ""

    def metadata(self) -> Metadata:
        """Return what travels with the events."""
        return Metadata(actor=self.party, on_behalf_of=self.on_behalf_of, correlation_id=self.correlation_id)


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

    view: "View"
    secret: str = ""
    access: NatsAccess | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A subscription as it is shown."""

    id: str
    sequence: int
    subscription: Subscription
    delivered_position: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """The ports that the handlers work with."""

    repository: Repository[Subscription]
    registry: Registry
    feeds: Feeds
    secrets: Secrets
    webhooks: Webhooks
    mail: Mail
    public: PublicEvents
    deliveries: DeliveryLog
    access: NatsAccessMint
    clock: Clock


async def resolve_start(public: PublicEvents, start: Start, *, now: datetime) -> int:
    """
    Return the position after which delivery begins.

    Raises
    ------
    OutOfRange
        The position is no longer, or not yet, in the stream.
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
    if position < 0 or position > bounds.last or (position and position < bounds.first - 1):
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
    return await _with_progress(desk, tenant, View(id_, versioned.sequence, versioned.state))


async def list_subscriptions(desk: Desk, tenant: str, *, after: int, count: int) -> list[tuple[int, View]]:
    """Return up to `count` subscriptions created behind the log position `after`, each with that position."""
    found = [item for item in desk.registry.of_tenant(tenant) if item.created_position > after][:count]
    return [
        (item.created_position, await _with_progress(desk, tenant, View(item.id, item.sequence, item.subscription)))
        for item in found
    ]


async def list_attempts(desk: Desk, tenant: str, id_: str, *, before: int | None, count: int) -> list[Attempt]:
    """Return a webhook's newest attempts, those numbered `before` and later left out."""
    registered(desk, tenant, id_)
    found = await desk.deliveries.newest_first(tenant, id_)
    return [attempt for attempt in found if before is None or attempt.number < before][:count]


async def list_dead_letters(desk: Desk, tenant: str, id_: str, *, after: int, count: int) -> list[DeadLetter]:
    """Return events that a webhook gave up, behind a position."""
    registered(desk, tenant, id_)
    return [letter for letter in await desk.deliveries.dead_letters(tenant, id_) if letter.position > after][:count]


def registered(desk: Desk, tenant: str, id_: str) -> Registered:
    """Return a subscription, or refuse (`UnknownSubscription`)."""
    found = desk.registry.get(tenant, id_)
    if found is None:
        raise UnknownSubscription(f"there is no subscription {id_}; it may have been deleted")
    return found


async def execute(
    desk: Desk, caller: Caller, id_: str, decide: Callable[[Subscription], Sequence[Message]], *, etag: str = ""
) -> Outcome[Subscription]:
    """Run a command on a subscription, and wait until everything here knows its outcome."""
    outcome = await desk.repository.execute(
        desk.repository.aggregate(caller.tenant, id_),
        decide,
        request_id=caller.request_id,
        request_hash=caller.request_hash,
        metadata=caller.metadata(),
        expected_etag=etag,
    )
    if outcome.events:
        # Read your own writes: lists, and the dispatchers, know it before the caller does.
        await desk.registry.wait_for(outcome.events[-1].position)
    return outcome


async def _view(desk: Desk, tenant: str, id_: str, outcome: Outcome[Subscription]) -> View:
    return await _with_progress(desk, tenant, View(id_, outcome.versioned.sequence, outcome.versioned.state))


async def _with_progress(desk: Desk, tenant: str, view: View) -> View:
    last = await desk.deliveries.last(tenant, view.id) if view.subscription.is_pushed else None
    return replace(
        view,
        delivered_position=await desk.feeds.accepted_position(view.id),
        last_error=last.error if last is not None else "",
    )
