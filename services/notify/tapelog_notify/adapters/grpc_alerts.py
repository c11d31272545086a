"""The RPCs of alert rules and alerts."""

from typing import Any

import grpc
from google.protobuf import empty_pb2
from tapelog.notify.v1 import alerts_pb2, notify_service_pb2_grpc
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog_chassis import ids
from tapelog_chassis.errors import InvalidArgument
from tapelog_chassis.rpc.request_context import current_principal
from tapelog_chassis.timestamps import time_of

from tapelog_notify.application import alert_handlers as handlers
from tapelog_notify.application.alert_engine import ALERT_PREFIX, RULE_PREFIX
from tapelog_notify.application.alert_handlers import AlertDesk

from . import translate

Context = grpc.aio.ServicerContext[Any, Any]


class AlertMethods(notify_service_pb2_grpc.NotifyServiceServicer):
    """Part of the servicer; whoever inherits it has the desk."""

    _alerts: AlertDesk

    async def CreateAlertRule(  # noqa: N802 - the RPC's name
        self, request: pb.CreateAlertRuleRequest, context: Context
    ) -> alerts_pb2.AlertRule:
        """See the proto."""
        del context
        with translate.refusals():
            return await handlers.create_rule(self._alerts, translate.caller_of(request), request.rule)

    async def ListAlertRules(  # noqa: N802 - the RPC's name
        self, request: pb.ListAlertRulesRequest, context: Context
    ) -> pb.ListAlertRulesResponse:
        """See the proto."""
        del context, request
        return pb.ListAlertRulesResponse(rules=handlers.list_rules(self._alerts, current_principal().tenant))

    async def DeleteAlertRule(  # noqa: N802 - the RPC's name
        self, request: pb.DeleteAlertRuleRequest, context: Context
    ) -> empty_pb2.Empty:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = _id(request.name, "alertRules", RULE_PREFIX)
            await handlers.delete_rule(self._alerts, translate.caller_of(request), id_)
        return empty_pb2.Empty()

    async def ListAlerts(  # noqa: N802 - the RPC's name
        self, request: pb.ListAlertsRequest, context: Context
    ) -> pb.ListAlertsResponse:
        """See the proto."""
        del context
        found = handlers.list_alerts(self._alerts, current_principal().tenant, show_resolved=request.show_resolved)
        return pb.ListAlertsResponse(alerts=found)

    async def SnoozeAlert(  # noqa: N802 - the RPC's name
        self, request: pb.SnoozeAlertRequest, context: Context
    ) -> alerts_pb2.Alert:
        """See the proto."""
        del context
        with translate.refusals():
            return await handlers.snooze(
                self._alerts,
                translate.caller_of(request),
                _id(request.name, "alerts", ALERT_PREFIX),
                until=time_of(request.end_time, "end_time"),
                reason=request.reason,
            )

    async def ResolveAlert(  # noqa: N802 - the RPC's name
        self, request: pb.ResolveAlertRequest, context: Context
    ) -> alerts_pb2.Alert:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = _id(request.name, "alerts", ALERT_PREFIX)
            return await handlers.resolve(self._alerts, translate.caller_of(request), id_, reason=request.reason)


def _id(name: str, collection: str, prefix: str) -> str:
    found, _, id_ = name.partition("/")
    if found != collection or not id_.startswith(prefix):
        raise InvalidArgument.of_field(
            "name", f"{name[:64]!r} is not of the form {collection}/{prefix}…", reason="INVALID_NAME"
        )
    return ids.validate_id(id_, field="name")
