"""The Alert aggregate: one rule and one value of its group; raised, made silent, over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.message import Message
from tapelog.notify.v1 import alerts_pb2, events_pb2

from .errors import InvalidValue, UnknownResource, WrongState

SNOOZE_MAX: Final = timedelta(days=30)
REASON_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Alert:
    """
    An alert as its events made it.

    Attributes
    ----------
    last
        What was raised last.
    raised
        How often, since it was last resolved.
    resolved_time
        What happened up to then raises nothing any more.
    """

    is_open: bool = False
    last: events_pb2.AlertRaised | None = None
    raised: int = 0
    raise_time: datetime | None = None
    resolved_time: datetime | None = None
    snooze_end: datetime | None = None


def raise_(
    state: Alert, wanted: events_pb2.AlertRaised, *, happened: datetime, now: datetime, dedup: timedelta
) -> Sequence[Message]:
    """Raise an alert, unless it is silent, was raised a moment ago, or is about what was resolved since."""
    if state.resolved_time is not None and happened <= state.resolved_time:
        return ()
    if state.snooze_end is not None and now < state.snooze_end:
        return ()
    if state.is_open and state.raise_time is not None and now - state.raise_time < dedup:
        return ()
    return (wanted,)


def snooze(state: Alert, *, until: datetime, now: datetime, reason: str) -> Sequence[Message]:
    """Make an open alert silent until a time."""
    _require(state)
    if not state.is_open:
        raise WrongState("resolved", "the alert is over, so there is nothing to make silent")
    if not now < until <= now + SNOOZE_MAX:
        raise InvalidValue("end_time", "TIME_OUT_OF_RANGE", "must be later than now, and within 30 days")
    event = events_pb2.AlertSnoozed(reason=reason[:REASON_CHARS_MAX])
    event.end_time.FromDatetime(until)
    return (event,)


def resolve(state: Alert, *, reason: str) -> Sequence[Message]:
    """Say that an alert is over; nothing where it is over already."""
    _require(state)
    return (events_pb2.AlertResolved(reason=reason[:REASON_CHARS_MAX]),) if state.is_open else ()


def close(state: Alert, *, happened: datetime, reason: str) -> Sequence[Message]:
    """Say that an alert is over because of what happened; what happened before it was raised closes nothing."""
    if state.last is None or (state.raise_time is not None and happened < state.raise_time):
        return ()
    return resolve(state, reason=reason)


def evolve(state: Alert, event: Message, time: datetime) -> Alert:
    """Return the state after an event."""
    match event:
        case events_pb2.AlertRaised():
            return replace(state, is_open=True, last=event, raised=state.raised + 1, raise_time=time, snooze_end=None)
        case events_pb2.AlertSnoozed(end_time=end_time):
            return replace(state, snooze_end=end_time.ToDatetime(tzinfo=time.tzinfo))
        case events_pb2.AlertResolved():
            return replace(state, is_open=False, raised=0, resolved_time=time, snooze_end=None)
    raise TypeError(f"{type(event).__name__} is not an event of an alert")


def state_of(alert: Alert, now: datetime) -> alerts_pb2.AlertState.ValueType:
    """Return where an alert stands."""
    if not alert.is_open:
        return alerts_pb2.ALERT_STATE_RESOLVED
    is_silent = alert.snooze_end is not None and now < alert.snooze_end
    return alerts_pb2.ALERT_STATE_SNOOZED if is_silent else alerts_pb2.ALERT_STATE_OPEN


def _require(state: Alert) -> None:
    if state.last is None:
        raise UnknownResource("there is no such alert")
