"""Between the protos and the application: requests become domain values here, and domain refusals wire errors."""

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from google.protobuf.message import Message
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import resources_pb2
from tapelog_chassis import ids
from tapelog_chassis.errors import DataLoss, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from tapelog_chassis.nats import NatsError
from tapelog_chassis.rpc.etag import format_etag
from tapelog_chassis.rpc.request_context import current_principal, current_request
from tapelog_chassis.timestamps import time_of
from tapelog_chassis.topology import PUB, SUBSCRIPTION_PREFIX

from tapelog_notify.application.attempts import Attempt, DeadLetter, Kind
from tapelog_notify.application.creation import NewSubscription, Start
from tapelog_notify.application.desk import Caller, View
from tapelog_notify.domain.errors import InvalidValue, UnknownResource, UnknownSubscription, WrongState
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.links import position_of
from tapelog_notify.domain.subscription import OVERLAP_DEFAULT, Channel, State, Subscription, filter_message
from tapelog_notify.domain.threads import wanted_thread
from tapelog_notify.errors import CursorAhead, NotifyServiceError

COLLECTION = "subscriptions"
RETRY_S = 0.5
ADDRESSES_MAX: Final = 20
_ADDRESS: Final = re.compile(r"[^\s@,<>;]{1,64}@[A-Za-z0-9.-]{1,190}")

_STATES = {
    State.ACTIVE: resources_pb2.SUBSCRIPTION_STATE_ACTIVE,
    State.PAUSED: resources_pb2.SUBSCRIPTION_STATE_PAUSED,
    State.DISABLED: resources_pb2.SUBSCRIPTION_STATE_DISABLED,
}


_KINDS = {
    Kind.SCHEDULED: resources_pb2.DELIVERY_KIND_SCHEDULED,
    Kind.TEST: resources_pb2.DELIVERY_KIND_TEST,
    Kind.REDELIVERY: resources_pb2.DELIVERY_KIND_REDELIVERY,
    Kind.REPLAY: resources_pb2.DELIVERY_KIND_REPLAY,
}


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn what the domain and the broker refuse into errors of the wire."""
    try:
        yield
    except InvalidValue as error:
        raise InvalidArgument.of_field(error.field, error.description, reason=error.reason) from error
    except UnknownSubscription as error:
        raise NotFound("SUBSCRIPTION_NOT_FOUND", str(error)) from error
    except UnknownResource as error:
        raise NotFound("ALERT_NOT_FOUND", str(error)) from error
    except WrongState as error:
        raise FailedPrecondition(
            "SUBSCRIPTION_STATE",
            str(error),
            violations=[("SUBSCRIPTION_STATE", COLLECTION, str(error))],
            metadata={"state": error.state},
        ) from error
    except CursorAhead as error:
        raise DataLoss(
            "CURSOR_AHEAD",
            f"{error}; read the state you need anew, then follow from position {error.last} or from 0",
            metadata={"position": error.position, "last": error.last},
        ) from error
    except (NatsError, NotifyServiceError) as error:
        raise Unavailable(
            "BROKER_UNAVAILABLE",
            "the broker did not answer, so the call may be done in part: send it again with the same request_id",
            retry_after_s=RETRY_S,
        ) from error


def caller_of(request: Message) -> Caller:
    """Return who calls, and the identity of the request."""
    principal, current = current_principal(), current_request()
    return Caller(
        tenant=principal.tenant,
        party=principal.party,
        on_behalf_of=principal.on_behalf_of,
        request_id=current.request_id,
        request_hash=ids.request_hash(request),
        correlation_id=current.correlation_id,
    )


def id_of(name: str, *, field: str = "name") -> str:
    """Return the id in `subscriptions/{subscription}`."""
    collection, _, id_ = name.partition("/")
    if collection != COLLECTION or not id_.startswith(SUBSCRIPTION_PREFIX):
        raise InvalidArgument.of_field(
            field, f"{name[:64]!r} is not of the form subscriptions/sub-…", reason="INVALID_NAME"
        )
    return ids.validate_id(id_, field=field)


def name_of(id_: str) -> str:
    """Return the resource name of a subscription."""
    return f"{COLLECTION}/{id_}"


def filter_of(message: resources_pb2.EventFilter) -> EventFilter:
    """Check a filter; ids may be written as `projects/{p}` and `projects/{p}/songs/{s}` too."""
    return EventFilter.of(
        projects=[project.removeprefix("projects/") for project in message.projects],
        songs=[song.rpartition("/songs/")[2] for song in message.songs],
        types=list(message.types),
        thread=wanted_thread(message.thread),
    )


def event_position_of(name: str) -> int:
    """Return the position in `events/{position}`."""
    position = position_of(name)
    if position is None:
        raise InvalidArgument.of_field(
            "name", f"{name[:64]!r} is not of the form events/{{position}}", reason="INVALID_NAME"
        )
    return position


def start_of(message: resources_pb2.StartPosition) -> Start:
    """Read where delivery begins."""
    match message.WhichOneof("at"):
        case "after_position":
            return Start(after_position=message.after_position)
        case "time":
            return Start(time=time_of(message.time, "start.time"))
    return Start()


def new_subscription_of(message: resources_pb2.Subscription) -> NewSubscription:
    """Read what a caller wants to be created."""
    channel = message.WhichOneof("channel")
    if channel is None:
        raise InvalidArgument.of_field(
            "subscription.channel", "set webhook, slack, email or nats", reason="CHANNEL_MISSING"
        )
    target, shown = _target_of(message, channel)
    return NewSubscription(
        title=message.title,
        filter=filter_of(message.filter),
        url=message.webhook.url if channel == "webhook" else None,
        secret=message.webhook.secret,
        start=start_of(message.start),
        is_unordered=message.webhook.unordered,
        channel=Channel(channel),
        target=target,
        shown=shown,
    )


def _target_of(message: resources_pb2.Subscription, channel: str) -> tuple[str, str]:
    """Return what is kept secret of a channel, and what may be told of it."""
    if channel == "slack":
        return message.slack.url, urlsplit(message.slack.url).hostname or ""
    if channel != "email":
        return "", ""
    addresses = list(dict.fromkeys(message.email.to))
    if not 0 < len(addresses) <= ADDRESSES_MAX or not all(_ADDRESS.fullmatch(item) for item in addresses):
        raise InvalidArgument.of_field(
            "subscription.email.to", f"needs 1 to {ADDRESSES_MAX} addresses of the form name@host", reason="ADDRESSES"
        )
    return " ".join(addresses), str(len(addresses))


def subscription_message(view: View) -> resources_pb2.Subscription:
    """Make the resource of a subscription."""
    state: Subscription = view.subscription
    message = resources_pb2.Subscription(
        name=name_of(view.id),
        etag=format_etag(view.sequence),
        title=state.title,
        filter=filter_message(state.filter),
        state=_STATES.get(state.state, resources_pb2.SUBSCRIPTION_STATE_UNSPECIFIED),
        delivered_position=view.delivered_position,
        last_error=view.last_error,
        start=resources_pb2.StartPosition(after_position=state.after_position),
    )
    if state.channel is Channel.SLACK:
        message.slack.host = state.shown
    elif state.channel is Channel.EMAIL:
        message.email.recipients = int(state.shown or 0)
    elif state.channel is Channel.WEBHOOK:
        message.webhook.url = state.url
        message.webhook.unordered = state.is_unordered
    else:
        message.nats.stream, message.nats.consumer = PUB, view.id
    if state.create_time is not None:
        message.create_time.FromDatetime(state.create_time)
    return message


def delivery_message(attempt: Attempt) -> resources_pb2.Delivery:
    """Make the message of an attempt."""
    message = resources_pb2.Delivery(
        event_id=attempt.event_id,
        event_type=attempt.event_type,
        position=attempt.position,
        attempt=attempt.attempt,
        response_status=attempt.status,
        error=attempt.error,
        latency_ms=attempt.latency_s * 1e3,
        kind=_KINDS[attempt.kind],
    )
    _set_time(message, "time", attempt.time)
    if attempt.next_attempt_time is not None:
        _set_time(message, "next_attempt_time", attempt.next_attempt_time)
    return message


def dead_letter_message(letter: DeadLetter) -> resources_pb2.DeadLetter:
    """Make the message of an event that was given up."""
    message = resources_pb2.DeadLetter(
        event_id=letter.event_id,
        event_type=letter.event_type,
        position=letter.position,
        attempts=letter.attempts,
        error=letter.error,
    )
    message.time.FromDatetime(letter.time)
    return message


def overlap_of(request: pb.RotateSecretRequest) -> timedelta:
    """Read how long a replaced secret signs on."""
    if not request.HasField("overlap"):
        return OVERLAP_DEFAULT
    try:
        request.overlap.ToJsonString()  # which refuses nanoseconds beyond a second, and another sign than the seconds'
        return request.overlap.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field(
            "overlap", "is not a time of at most 10,000 years", reason="INVALID_TIME"
        ) from None


def heartbeat_message(position: int) -> pb.SubscribeResponse:
    """Make a sign of life."""
    return pb.SubscribeResponse(heartbeat=pb.Heartbeat(position=position))


def _set_time(message: resources_pb2.Delivery, field: str, time: datetime) -> None:
    getattr(message, field).FromDatetime(time)
