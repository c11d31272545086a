"""Alert rules as data, and the alerts they raise."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import yaml
from google.protobuf import json_format
from tapelog.notify.v1 import alerts_pb2 as res
from tapelog.notify.v1 import notify_service_pb2 as rpc
from tapelog.notify.v1 import resources_pb2

from tapelog_client.client_errors import ClientError
from tapelog_client.group import Group

ALERTS_RAISED = "tapelog.alert.alert_raised.v1"


class AlertRulesError(ClientError):
    """A file of alert rules cannot be read."""

    hint = "examples/alerts/rules.yaml has rules to begin with"


def load_rules(path: Path) -> list[res.AlertRule]:
    """Read a YAML list of rules with the field names of the proto; raises `AlertRulesError`."""
    try:
        values = yaml.safe_load(path.read_text())
        return [json_format.ParseDict(value, res.AlertRule()) for value in values]
    except (OSError, yaml.YAMLError, json_format.ParseError, TypeError) as error:
        raise AlertRulesError(f"{path} is no list of alert rules: {error}") from error


class Alerts(Group):
    """Alert rules and alerts of a tenant: `api.alerts`."""

    async def create_rule(self, rule: res.AlertRule, *, request_id: str = "") -> res.AlertRule:
        """Create a rule; events from now on count."""
        request = rpc.CreateAlertRuleRequest(rule=rule, request_id=request_id)
        return await self._link.unary(self._link.notify.CreateAlertRule, request)

    async def rules(self) -> list[res.AlertRule]:
        """Return the rules, oldest first."""
        return list((await self._link.unary(self._link.notify.ListAlertRules, rpc.ListAlertRulesRequest())).rules)

    async def delete_rule(self, name: str, *, request_id: str = "") -> None:
        """Remove a rule."""
        request = rpc.DeleteAlertRuleRequest(name=name, request_id=request_id)
        await self._link.unary(self._link.notify.DeleteAlertRule, request)

    async def open_alerts(self, *, show_resolved: bool = False) -> list[res.Alert]:
        """Return the open alerts, or all of them; newest first."""
        request = rpc.ListAlertsRequest(show_resolved=show_resolved)
        return list((await self._link.unary(self._link.notify.ListAlerts, request)).alerts)

    async def snooze(self, name: str, until: datetime, reason: str, *, request_id: str = "") -> res.Alert:
        """Make an open alert silent until a time."""
        request = rpc.SnoozeAlertRequest(name=name, reason=reason, request_id=request_id)
        request.end_time.FromDatetime(until)
        return await self._link.unary(self._link.notify.SnoozeAlert, request)

    async def resolve(self, name: str, reason: str, *, request_id: str = "") -> res.Alert:
        """Say that an alert is over."""
        request = rpc.ResolveAlertRequest(name=name, reason=reason, request_id=request_id)
        return await self._link.unary(self._link.notify.ResolveAlert, request)

    async def to_slack(self, title: str, url: str, *, request_id: str = "") -> resources_pb2.Subscription:
        """Let alerts be sent to a Slack-compatible incoming webhook."""
        return await self._deliver(
            resources_pb2.Subscription(title=title, slack=resources_pb2.SlackChannel(url=url)), request_id
        )

    async def to_email(self, title: str, to: Iterable[str], *, request_id: str = "") -> resources_pb2.Subscription:
        """Let alerts be sent as e-mail."""
        return await self._deliver(
            resources_pb2.Subscription(title=title, email=resources_pb2.EmailChannel(to=to)), request_id
        )

    async def _deliver(self, subscription: resources_pb2.Subscription, request_id: str) -> resources_pb2.Subscription:
        subscription.filter.types.append(ALERTS_RAISED)
        request = rpc.CreateSubscriptionRequest(subscription=subscription, request_id=request_id)
        created: resources_pb2.Subscription = (
            await self._link.unary(self._link.notify.CreateSubscription, request)
        ).subscription
        return created
