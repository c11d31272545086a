"""RPCs on delivery packages."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc
from tapelog_session.application.access import Call
from tapelog_session.application.following.follow_ups import follow_up
from tapelog_session.application.handover import archive, deliveries, packages
from tapelog_session.application.reading import queries
from tapelog_session.application.reading.resources import delivery_resource, song_resource
from tapelog_session.domain.names import parse_delivery, parse_song


class DeliveryPart(Part):
    """Delivery packages."""

    @rpc
    async def BuildDelivery(self, request: wire.BuildDeliveryRequest, call: Call) -> pb.DeliveryPackage:
        """See the proto."""
        versioned = await deliveries.build_delivery(
            self._aggregates,
            self._desk.objects,
            self._desk.parties,
            call,
            request_of(request),
            name=parse_song(request.song, "song"),
            mixer_initials=request.mixer_initials,
            spec=request.spec,
        )
        return delivery_resource(versioned)

    @rpc
    async def RebuildDelivery(self, request: wire.RebuildDeliveryRequest, call: Call) -> wire.RebuildDeliveryResponse:
        """See the proto."""
        name, delivery = parse_delivery(request.name, "name")
        return await packages.rebuild(self._aggregates, self._desk.parties, call, name, delivery)

    @rpc
    async def GetDelivery(self, request: wire.GetDeliveryRequest, call: Call) -> pb.DeliveryPackage:
        """See the proto."""
        name, delivery = parse_delivery(request.name, "name")
        return await queries.get_delivery(self._aggregates, call, name, delivery, past_of(request))

    @rpc
    async def HandOverDelivery(self, request: wire.HandOverDeliveryRequest, call: Call) -> pb.DeliveryPackage:
        """See the proto."""
        name, delivery = parse_delivery(request.name, "name")
        outcome = await deliveries.hand_over_delivery(
            self._aggregates,
            call,
            request_of(request),
            name,
            delivery,
            recipient=request.recipient,
            comment=request.comment,
        )
        return delivery_resource(outcome.versioned)

    @rpc
    async def AcceptDelivery(self, request: wire.AcceptDeliveryRequest, call: Call) -> pb.DeliveryPackage:
        """See the proto."""
        name, delivery = parse_delivery(request.name, "name")
        outcome = await deliveries.accept_delivery(self._aggregates, call, request_of(request), name, delivery)
        await follow_up(self._aggregates, outcome.events)
        return delivery_resource(outcome.versioned)

    @rpc
    async def ReturnDelivery(self, request: wire.ReturnDeliveryRequest, call: Call) -> pb.DeliveryPackage:
        """See the proto."""
        name, delivery = parse_delivery(request.name, "name")
        wanted = pb.SendBackAdvice(to=request.to, reason=request.reason, comment=request.comment, notes=request.notes)
        outcome = await deliveries.return_delivery(
            self._aggregates, call, request_of(request), name, delivery=delivery, wanted=wanted
        )
        await follow_up(self._aggregates, outcome.events)
        return delivery_resource(outcome.versioned)

    @rpc
    async def VerifyDelivery(self, request: wire.VerifyDeliveryRequest, call: Call) -> pb.Song:
        """See the proto."""
        name, delivery = parse_delivery(request.name, "name")
        stores = (self._desk.objects, self._desk.archive)
        outcome = await archive.verify_delivery(
            self._aggregates, stores, call, request_of(request), name=name, delivery=delivery
        )
        return song_resource(outcome.versioned)
