"""The RPCs that take care of a webhook: secret, test, redelivery, replay, dead letters."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1 import notify_service_pb2_grpc, resources_pb2
from tapelog_chassis.errors import InvalidArgument
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token
from tapelog_chassis.rpc.request_context import current_principal
from tapelog_chassis.timestamps import time_of

from tapelog_notify.application import care, handlers
from tapelog_notify.application.desk import Desk

from . import translate

Context = grpc.aio.ServicerContext[Any, Any]


class CareMethods(notify_service_pb2_grpc.NotifyServiceServicer):
    """Part of the servicer; whoever inherits it has the desk."""

    _desk: Desk

    async def RotateSecret(  # noqa: N802 - the RPC's name
        self, request: pb.RotateSecretRequest, context: Context
    ) -> pb.RotateSecretResponse:
        """See the proto."""
        del context
        with translate.refusals():
            rotated = await care.rotate_secret(
                self._desk,
                translate.caller_of(request),
                translate.id_of(request.name),
                secret=request.secret,
                overlap=translate.overlap_of(request),
                etag=request.etag,
            )
        response = pb.RotateSecretResponse(
            subscription=translate.subscription_message(rotated.view), secret=rotated.secret
        )
        response.previous_expire_time.FromDatetime(rotated.previous_until)
        return response

    async def TestSubscription(  # noqa: N802 - the RPC's name
        self, request: pb.TestSubscriptionRequest, context: Context
    ) -> resources_pb2.Delivery:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = translate.id_of(request.name)
            attempt = await care.send_test(self._desk, current_principal().tenant, id_)
        return translate.delivery_message(attempt)

    async def RedeliverEvent(  # noqa: N802 - the RPC's name
        self, request: pb.RedeliverEventRequest, context: Context
    ) -> resources_pb2.Delivery:
        """See the proto."""
        del context
        with translate.refusals():
            id_ = translate.id_of(request.name)
            attempt = await care.redeliver(self._desk, current_principal().tenant, id_, position=request.position)
        return translate.delivery_message(attempt)

    async def ReplayEvents(  # noqa: N802 - the RPC's name
        self, request: pb.ReplayEventsRequest, context: Context
    ) -> AsyncIterator[pb.ReplayEventsResponse]:
        """See the proto."""
        del context
        if request.start.WhichOneof("at") is None:
            raise InvalidArgument.of_field(
                "start", "is not set; after_position 0 begins with the first event", reason="START_MISSING"
            )
        with translate.refusals():
            end = request.WhichOneof("end")
            items = care.replay(
                self._desk,
                current_principal().tenant,
                translate.id_of(request.name),
                start=translate.start_of(request.start),
                end_position=request.end_position if end == "end_position" else None,
                end_time=time_of(request.end_time, "end_time") if end == "end_time" else None,
                event_filter=translate.filter_of(request.filter),
            )
            async with aclosing(items):
                async for attempt, position in items:
                    response = pb.ReplayEventsResponse(position=position)
                    if attempt is not None:
                        response.delivery.CopyFrom(translate.delivery_message(attempt))
                    yield response

    async def ListDeadLetters(  # noqa: N802 - the RPC's name
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """See the proto."""
        del context
        count = coerce_page_size(request.page_size)
        cursor = decode_page_token(request.page_token, request)
        with translate.refusals():
            id_ = translate.id_of(request.parent, field="parent")
            tenant = current_principal().tenant
            after = int(cursor) if cursor else 0
            found = await handlers.list_dead_letters(self._desk, tenant, id_, after=after, count=count + 1)
        page = found[:count]
        token = encode_page_token(str(page[-1].position), request) if len(found) > count else ""
        return pb.ListDeadLettersResponse(
            dead_letters=[translate.dead_letter_message(letter) for letter in page], next_page_token=token
        )
