"""NotifyService over gRPC: reads a request, calls its handler, writes the answer."""

from typing import Any

import grpc
from google.protobuf import empty_pb2
from tapelog.common.v1 import event_pb2
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import notify_service_pb2_grpc, resources_pb2
from tapelog_chassis.errors import InvalidArgument
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token
from tapelog_chassis.rpc.request_context import current_principal

from tapelog_notify.application import creation, handlers
from tapelog_notify.application.alert_handlers import AlertDesk
from tapelog_notify.application.desk import Desk
from tapelog_notify.application.fanout import Fanout
from tapelog_notify.domain.public_event import to_message

from . import translate
from .follow import Follow, follow
from .grpc_alerts import AlertMethods
from .grpc_care import CareMethods
from .policies import check_event, check_follow

Context = grpc.aio.ServicerContext[Any, Any]


class NotifyService(CareMethods, AlertMethods, notify_service_pb2_grpc.NotifyServiceServicer):
    """
    The servicer.

    Parameters
    ----------
    desk
        What the handlers work with.
    alerts
        The same for alerts.
    fanout
        What followers read from.
    limits
        Times of event streams.
    """

    def __init__(self, desk: Desk, alerts: AlertDesk, fanout: Fanout, limits: Follow) -> None:
        self._fanout = fanout
        self._desk = desk
        self._alerts = alerts
        self._limits = limits

    async def CreateSubscription(  # noqa: N802 - the RPC's name
        self, request: pb.CreateSubscriptionRequest, context: Context
    ) -> pb.CreateSubscriptionResponse:
        """See the proto."""
        del context
        with translate.refusals():
            wanted = translate.new_subscription_of(request.subscription)
            created = await creation.create_subscription(self._desk, translate.caller_of(request), wanted)
        response = pb.CreateSubscriptionResponse(
            subscription=translate.subscription_message(created.view), secret=created.secret
        )
        if created.access is not None:
            response.nats_credentials = created.access.credentials
            response.nats_url = created.access.url
            response.nats_inbox_prefix = created.access.inbox_prefix
        return response

    async def GetSubscription(  # noqa: N802 - the RPC's name
        self, request: pb.GetSubscriptionRequest, context: Context
    ) -> resources_pb2.Subscription:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = translate.id_of(request.name)
            view = await handlers.get_subscription(self._desk, current_principal().tenant, id_)
        return translate.subscription_message(view)

    async def ListSubscriptions(  # noqa: N802 - the RPC's name
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """See the proto."""
        del context
        count = coerce_page_size(request.page_size)
        after = _number(decode_page_token(request.page_token, request), default=0)
        with translate.refusals():
            found = await handlers.list_subscriptions(
                self._desk, current_principal().tenant, after=after, count=count + 1
            )
        page = found[:count]
        token = encode_page_token(str(page[-1][0]), request) if len(found) > count else ""
        return pb.ListSubscriptionsResponse(
            subscriptions=[translate.subscription_message(view) for _, view in page], next_page_token=token
        )

    async def PauseSubscription(  # noqa: N802 - the RPC's name
        self, request: pb.PauseSubscriptionRequest, context: Context
    ) -> resources_pb2.Subscription:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = translate.id_of(request.name)
            view = await handlers.pause_subscription(
                self._desk, translate.caller_of(request), id_, reason=request.reason, etag=request.etag
            )
        return translate.subscription_message(view)

    async def ResumeSubscription(  # noqa: N802 - the RPC's name
        self, request: pb.ResumeSubscriptionRequest, context: Context
    ) -> resources_pb2.Subscription:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = translate.id_of(request.name)
            view = await handlers.resume_subscription(self._desk, translate.caller_of(request), id_, etag=request.etag)
        return translate.subscription_message(view)

    async def DeleteSubscription(  # noqa: N802 - the RPC's name
        self, request: pb.DeleteSubscriptionRequest, context: Context
    ) -> empty_pb2.Empty:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = translate.id_of(request.name)
            await handlers.delete_subscription(self._desk, translate.caller_of(request), id_, etag=request.etag)
        return empty_pb2.Empty()

    async def ListDeliveries(  # noqa: N802 - the RPC's name
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        """See the proto."""
        del context
        count = coerce_page_size(request.page_size)
        before = _number(decode_page_token(request.page_token, request), default=None)
        with translate.refusals():
            id_ = translate.id_of(request.parent, field="parent")
            tenant = current_principal().tenant
            found = await handlers.list_attempts(self._desk, tenant, id_, before=before, count=count + 1)
        page = found[:count]
        token = encode_page_token(str(page[-1].number), request) if len(found) > count else ""
        return pb.ListDeliveriesResponse(
            deliveries=[translate.delivery_message(attempt) for attempt in page], next_page_token=token
        )

    async def GetEvent(  # noqa: N802 - the RPC's name
        self, request: pb.GetEventRequest, context: Context
    ) -> event_pb2.Event:
        """See the proto."""
        del context
        with translate.refusals():
            principal = current_principal()
            event = await handlers.get_event(self._desk, principal.tenant, translate.event_position_of(request.name))
            check_event(principal, event.type)
        return to_message(event)

    async def Subscribe(  # type: ignore[override]  # noqa: N802 - the RPC's name; a coroutine that writes by itself
        self, request: pb.SubscribeRequest, context: Context
    ) -> None:
        """See the proto. Writes by itself, so that a reader who is too slow is noticed here."""
        with translate.refusals():
            principal = current_principal()
            event_filter = translate.filter_of(request.filter)
            check_follow(principal, event_filter)
            after_position = await creation.resolve_start(
                self._desk.public, translate.start_of(request.start), now=self._desk.clock.now()
            )
            await follow(
                self._fanout,
                principal.tenant,
                event_filter,
                after_position=after_position,
                write=context.write,
                limits=self._limits,
            )


def _number(cursor: str, *, default: int | None) -> Any:
    if not cursor:
        return default
    if not cursor.isdigit():
        raise InvalidArgument.of_field("page_token", "is not a page token of this list", reason="INVALID_PAGE_TOKEN")
    return int(cursor)
