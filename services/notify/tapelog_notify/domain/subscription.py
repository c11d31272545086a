"""The Subscription aggregate: pure decisions on frozen state; the protobuf events are the vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from google.protobuf.message import Message
from tapelog.notify.v1 import events_pb2, resources_pb2

from .errors import InvalidValue, UnknownSubscription, WrongState
from .event_filter import EventFilter
from .threads import thread_message, wanted_thread

TITLE_CHARS_MAX: Final = 200
REASON_CHARS_MAX: Final = 500
OVERLAP_DEFAULT: Final = timedelta(hours=24)
OVERLAP_MAX: Final = timedelta(days=7)
"""How long a replaced secret may go on signing."""


class State(Enum):
    """Where a subscription stands."""

    NONE = "none"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    DELETED = "deleted"


class Channel(Enum):
    """How events reach the subscriber."""

    WEBHOOK = "webhook"
    NATS = "nats"
    SLACK = "slack"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Subscription:
    """
    A subscription as its events made it.

    Attributes
    ----------
    url
        Where the webhook is; empty for every other channel.
    shown
        What may be told of a target that is kept as a secret: a host, a number of addresses.
    after_position
        Delivery began after this position of the public stream.
    reason
        Why it is paused or disabled.
    is_unordered
        Each event is delivered by itself, and given up by itself.
    enabled_time
        When it was created, or last resumed after it had been disabled: failures before count no more.
    secret_generation
        How often its secret was replaced.
    """

    state: State = State.NONE
    channel: Channel = Channel.NATS
    shown: str = ""
    title: str = ""
    filter: EventFilter = field(default_factory=EventFilter)
    url: str = ""
    after_position: int = 0
    created_by: str = ""
    create_time: datetime | None = None
    reason: str = ""
    is_unordered: bool = False
    enabled_time: datetime | None = None
    secret_generation: int = 0

    @property
    def exists(self) -> bool:
        """Whether it was created and not deleted."""
        return self.state not in {State.NONE, State.DELETED}

    @property
    def is_pushed(self) -> bool:
        """Whether this service sends the events, and nobody reads them from a NATS consumer."""
        return self.channel is not Channel.NATS


def create(
    state: Subscription,
    *,
    title: str,
    filter_: EventFilter,
    url: str,
    after_position: int,
    created_by: str,
    is_unordered: bool = False,
    channel: Channel | None = None,
    shown: str = "",
) -> Sequence[Message]:
    """Create a subscription; `url` is a webhook's alone. Secrets and other targets are in no event."""
    if state.state is not State.NONE:
        raise WrongState(state.state.value, "the subscription exists already; a new one needs a new request_id")
    if len(title) > TITLE_CHARS_MAX:
        raise InvalidValue("title", "TITLE_TOO_LONG", f"has {len(title)} characters, the limit is {TITLE_CHARS_MAX}")
    created = resources_pb2.Subscription(
        title=title,
        filter=filter_message(filter_),
        start=resources_pb2.StartPosition(after_position=after_position),
    )
    if channel is Channel.SLACK:
        created.slack.host = shown
    elif channel is Channel.EMAIL:
        created.email.recipients = int(shown)
    elif url:
        created.webhook.url = url
        created.webhook.unordered = is_unordered
    else:
        created.nats.SetInParent()
    return (events_pb2.SubscriptionCreated(subscription=created, created_by=created_by),)


def pause(state: Subscription, *, reason: str) -> Sequence[Message]:
    """Pause delivery; a paused subscription stays as it is."""
    _require_existing(state)
    if len(reason) > REASON_CHARS_MAX:
        raise InvalidValue(
            "reason", "REASON_TOO_LONG", f"has {len(reason)} characters, the limit is {REASON_CHARS_MAX}"
        )
    if state.state is State.PAUSED:
        return ()
    if state.state is State.DISABLED:
        raise WrongState("disabled", "the subscription is disabled, so nothing is delivered; resume or delete it")
    return (events_pb2.SubscriptionPaused(reason=reason),)


def resume(state: Subscription) -> Sequence[Message]:
    """Let delivery go on, after a pause and after it was disabled."""
    _require_existing(state)
    return () if state.state is State.ACTIVE else (events_pb2.SubscriptionResumed(),)


def disable(state: Subscription, *, reason: str) -> Sequence[Message]:
    """Switch delivery off because of what the endpoint answered; nothing to do where it is off already."""
    if state.state is not State.ACTIVE:
        return ()
    return (events_pb2.SubscriptionDisabled(reason=reason[:REASON_CHARS_MAX]),)


def exhaust(state: Subscription, *, reason: str) -> Sequence[Message]:
    """Pause because every attempt at one event failed: nothing behind it is skipped."""
    if state.state is not State.ACTIVE:
        return ()
    return (events_pb2.SubscriptionPaused(reason=reason[:REASON_CHARS_MAX]),)


def rotate_secret(state: Subscription, *, overlap: timedelta, now: datetime) -> Sequence[Message]:
    """Replace the signing secret; the old one signs too for as long as the overlap lasts."""
    require_webhook(state)
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise InvalidValue("overlap", "OVERLAP_OUT_OF_RANGE", f"is {overlap}, outside 0 s to {OVERLAP_MAX.days} days")
    event = events_pb2.SubscriptionSecretRotated(generation=state.secret_generation + 1)
    event.previous_expire_time.FromDatetime(now + overlap)
    return (event,)


def require_webhook(state: Subscription) -> None:
    """Refuse (`WrongState`) what only a webhook can do."""
    _require_existing(state)
    if state.channel is not Channel.WEBHOOK:
        raise WrongState(state.state.value, f"the subscription's channel is {state.channel.value}, not a webhook")


def require_pushed(state: Subscription) -> None:
    """Refuse (`WrongState`) what a NATS consumer does by itself."""
    _require_existing(state)
    if not state.is_pushed:
        raise WrongState(state.state.value, "the subscription is a NATS consumer, which reads by itself")


def delete(state: Subscription) -> Sequence[Message]:
    """Remove the subscription for good."""
    _require_existing(state)
    return (events_pb2.SubscriptionDeleted(),)


def evolve(state: Subscription, event: Message, time: datetime) -> Subscription:
    """Return the state after an event that was recorded at `time`."""
    match event:
        case events_pb2.SubscriptionCreated(subscription=created, created_by=created_by):
            return Subscription(
                state=State.ACTIVE,
                title=created.title,
                filter=filter_of(created.filter),
                url=created.webhook.url,
                channel=Channel(created.WhichOneof("channel") or "nats"),
                shown=created.slack.host or (str(created.email.recipients) if created.HasField("email") else ""),
                after_position=created.start.after_position,
                created_by=created_by,
                create_time=time,
                is_unordered=created.webhook.unordered,
                enabled_time=time,
            )
        case events_pb2.SubscriptionPaused(reason=reason):
            return replace(state, state=State.PAUSED, reason=reason)
        case events_pb2.SubscriptionResumed():
            was_disabled = state.state is State.DISABLED
            enabled_time = time if was_disabled else state.enabled_time
            return replace(state, state=State.ACTIVE, reason="", enabled_time=enabled_time)
        case events_pb2.SubscriptionSecretRotated(generation=generation):
            return replace(state, secret_generation=generation)
        case events_pb2.SubscriptionDisabled(reason=reason):
            return replace(state, state=State.DISABLED, reason=reason)
        case events_pb2.SubscriptionDeleted():
            return replace(state, state=State.DELETED)
    raise TypeError(f"{type(event).__name__} is not an event of a subscription")


def filter_of(message: resources_pb2.EventFilter) -> EventFilter:
    """Read a filter that was checked when it was recorded."""
    return EventFilter(
        projects=tuple(message.projects),
        songs=tuple(message.songs),
        types=tuple(message.types),
        thread=wanted_thread(message.thread),
    )


def filter_message(event_filter: EventFilter) -> resources_pb2.EventFilter:
    """Write a filter."""
    return resources_pb2.EventFilter(
        projects=event_filter.projects,
        songs=event_filter.songs,
        types=event_filter.types,
        thread=thread_message(event_filter.thread),
    )


def _require_existing(state: Subscription) -> None:
    if not state.exists:
        raise UnknownSubscription("there is no such subscription; it may have been deleted")
