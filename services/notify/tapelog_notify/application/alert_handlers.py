"""Commands and queries on alert rules and alerts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from google.protobuf.message import Message
from tapelog.notify.v1 import alerts_pb2
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome, Repository
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import ResourceExhausted
from tapelog_chassis.rpc.etag import format_etag

from tapelog_notify.domain import alert as alerts
from tapelog_notify.domain import alert_rule as rules
from tapelog_notify.domain.alert import Alert
from tapelog_notify.domain.alert_rule import Rule

from .alert_engine import AlertBook
from .desk import Caller

RULES_MAX: Final = 200
"""Rules of one tenant."""
ALERTS_SHOWN_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """What the handlers work with."""

    rules: Repository[Rule]
    alerts: Repository[Alert]
    book: AlertBook
    clock: Clock


async def create_rule(desk: AlertDesk, caller: Caller, wanted: alerts_pb2.AlertRule) -> alerts_pb2.AlertRule:
    """Create a rule."""
    ids.validate_request_id(caller.request_id)
    id_ = ids.derive_id("alr", caller.tenant, caller.party, "CreateAlertRule", caller.request_id)
    own = sum(1 for tenant, rule in desk.book.rules if tenant == caller.tenant and rule != id_)
    if own >= RULES_MAX:
        raise ResourceExhausted(
            "TOO_MANY_RULES", f"{caller.tenant} has {own} alert rules, the limit is {RULES_MAX}; delete one first"
        )
    clean = alerts_pb2.AlertRule()
    clean.CopyFrom(wanted)
    for field in ("name", "etag", "create_time"):
        clean.ClearField(field)
    outcome = await _execute(
        desk, desk.rules, caller, id_, partial(rules.create, wanted=clean, created_by=caller.party)
    )
    return rule_message(id_, outcome.versioned.sequence, outcome.versioned.state)


async def delete_rule(desk: AlertDesk, caller: Caller, id_: str) -> None:
    """Remove a rule."""
    await _execute(desk, desk.rules, caller, id_, rules.delete)


def list_rules(desk: AlertDesk, tenant: str) -> list[alerts_pb2.AlertRule]:
    """Return a tenant's rules, oldest first."""
    own = sorted((pair for (of, _), pair in desk.book.rules.items() if of == tenant), key=lambda pair: pair[0].position)
    return [rule_message(known.id, known.sequence, rule) for known, rule in own]


def list_alerts(desk: AlertDesk, tenant: str, *, show_resolved: bool) -> list[alerts_pb2.Alert]:
    """Return a tenant's alerts, newest first."""
    own = sorted(
        (pair for (of, _), pair in desk.book.alerts.items() if of == tenant and (show_resolved or pair[1].is_open)),
        key=lambda pair: -pair[0].position,
    )
    now = desk.clock.now()
    return [alert_message(known.id, known.sequence, alert, now) for known, alert in own[:ALERTS_SHOWN_MAX]]


async def snooze(desk: AlertDesk, caller: Caller, id_: str, *, until: datetime, reason: str) -> alerts_pb2.Alert:
    """Make an alert silent."""
    now = desk.clock.now()
    decide = partial(alerts.snooze, until=until, now=now, reason=reason)
    outcome = await _execute(desk, desk.alerts, caller, id_, decide)
    return alert_message(id_, outcome.versioned.sequence, outcome.versioned.state, now)


async def resolve(desk: AlertDesk, caller: Caller, id_: str, *, reason: str) -> alerts_pb2.Alert:
    """Say that an alert is over."""
    outcome = await _execute(desk, desk.alerts, caller, id_, partial(alerts.resolve, reason=reason))
    return alert_message(id_, outcome.versioned.sequence, outcome.versioned.state, desk.clock.now())


async def _execute(
    desk: AlertDesk,
    repository: Repository[Any],
    caller: Caller,
    id_: str,
    decide: Callable[[Any], Sequence[Message]],
) -> Outcome[Any]:
    outcome = await repository.execute(
        repository.aggregate(caller.tenant, id_),
        decide,
        request_id=caller.request_id,
        request_hash=caller.request_hash,
        metadata=caller.metadata(),
    )
    if outcome.events:
        await desk.book.wait_for(outcome.events[-1].position)
    return outcome


def rule_message(id_: str, sequence: int, rule: Rule) -> alerts_pb2.AlertRule:
    """Make the resource of a rule."""
    message = alerts_pb2.AlertRule()
    message.CopyFrom(rule.proto)
    message.name, message.etag = f"alertRules/{id_}", format_etag(sequence)
    if rule.create_time is not None:
        message.create_time.FromDatetime(rule.create_time)
    return message


def alert_message(id_: str, sequence: int, alert: Alert, now: datetime) -> alerts_pb2.Alert:
    """Make the resource of an alert."""
    message = alerts_pb2.Alert(
        name=f"alerts/{id_}", etag=format_etag(sequence), state=alerts.state_of(alert, now), raised=alert.raised
    )
    if alert.last is not None:
        last = alert.last
        message.rule, message.key, message.severity = last.rule, last.key, last.severity
        message.title, message.text = last.title, last.text
        message.event_ids.extend(last.event_ids)
    if alert.raise_time is not None:
        message.raise_time.FromDatetime(alert.raise_time)
    if alert.snooze_end is not None:
        message.snooze_end_time.FromDatetime(alert.snooze_end)
    return message
