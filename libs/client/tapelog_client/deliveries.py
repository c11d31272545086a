"""Delivery packages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import Group, timestamp

VERIFY_TIMEOUT_S: Final = 600.0
"""Every delivered file is read twice."""


class Deliveries(Group):
    """Delivery packages of a song: `api.deliveries`."""

    async def build(
        self,
        song: str,
        mixer_initials: str,
        *,
        spec: res.DeliverySpec | None = None,
        etag: str = "",
        request_id: str = "",
    ) -> res.DeliveryPackage:
        """Build a package: a draft in MASTERING, the final one in DELIVERED.

        Raises
        ------
        FailedPrecondition
            Something is missing; `violations` lists all of it.
        """
        request = rpc.BuildDeliveryRequest(
            song=song, mixer_initials=mixer_initials, spec=spec, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.BuildDelivery, request)

    async def rebuild(self, name: str) -> rpc.RebuildDeliveryResponse:
        """Make manifest and documents anew from the log, and say whether they are byte for byte the same."""
        return await self._link.unary(self._link.session.RebuildDelivery, rpc.RebuildDeliveryRequest(name=name))

    async def get(
        self, name: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None
    ) -> res.DeliveryPackage:
        """Read a package, now, or as it was after so many of its events or at a time."""
        request = rpc.GetDeliveryRequest(name=name, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time))
        return await self._link.unary(self._link.session.GetDelivery, request)

    async def hand_over(
        self, name: str, recipient: str, comment: str = "", *, etag: str = "", request_id: str = ""
    ) -> res.DeliveryPackage:
        """Record that the final package was handed over to a member who acts for the label."""
        request = rpc.HandOverDeliveryRequest(
            name=name, recipient=recipient, comment=comment, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.HandOverDelivery, request)

    async def accept(self, name: str, *, etag: str = "", request_id: str = "") -> res.DeliveryPackage:
        """Accept the final package, as the label."""
        request = rpc.AcceptDeliveryRequest(name=name, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.AcceptDelivery, request)

    async def return_(
        self,
        name: str,
        to: res.Stage.ValueType,
        reason: res.SendBackReason.ValueType,
        comment: str,
        *,
        notes: Sequence[str] = (),
        etag: str = "",
        request_id: str = "",
    ) -> res.DeliveryPackage:
        """Return the final package, as the label: the song keeps the request to be sent back to a stage.

        Parameters
        ----------
        to : Stage
            MASTERING for a fault of the files, MIXING for a change of what is heard.
        comment : str
            Why, in words.
        notes : sequence of str
            Ids of notes that say what has to be done.
        """
        request = rpc.ReturnDeliveryRequest(
            name=name, to=to, reason=reason, comment=comment, notes=notes, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.ReturnDelivery, request)

    async def verify(self, name: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Copy the final package to the archive, read both copies whole, and record the result on the song."""
        request = rpc.VerifyDeliveryRequest(name=name, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.VerifyDelivery, request, timeout_s=VERIFY_TIMEOUT_S)
