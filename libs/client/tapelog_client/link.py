"""One person's link to the three services: their stubs, and how calls are made as that person."""

from collections.abc import AsyncGenerator, AsyncIterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from tapelog.notify.v1.notify_service_pb2_grpc import NotifyServiceStub
from tapelog.render.v1.render_service_pb2_grpc import RenderServiceStub
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.rpc.grpc_options import CertificatePair

from tapelog_client.calls import TIMEOUT_S, Calls
from tapelog_client.channel import open_channel
from tapelog_client.client_errors import AddressMissing

if TYPE_CHECKING:  # these classes exist in the stubs alone: at run time one class serves both kinds of channel
    from tapelog.notify.v1.notify_service_pb2_grpc import NotifyServiceAsyncStub
    from tapelog.render.v1.render_service_pb2_grpc import RenderServiceAsyncStub
    from tapelog.session.v1.session_service_pb2_grpc import SessionServiceAsyncStub

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Channels:
    """The connections to the services, shared by everyone who speaks through one client."""

    def __init__(
        self,
        *,
        session: str,
        render: str,
        notify: str,
        tls_ca: Path | None = None,
        certificate: CertificatePair | None = None,
    ) -> None:
        addresses = {"session": session, "render": render, "notify": notify}
        self._open = {
            service: open_channel(address, tls_ca=tls_ca, certificate=certificate)
            for service, address in addresses.items()
            if address
        }
        self._addresses = addresses

    def of(self, service: str) -> grpc.aio.Channel:
        """Return the channel of a service; `AddressMissing` when the client was not given one."""
        if service not in self._open:
            raise AddressMissing(service)
        return self._open[service]

    async def close(self) -> None:
        """Close all connections."""
        for channel in self._open.values():
            await channel.close(grace=None)

    def __repr__(self) -> str:
        return f"Channels({self._addresses!r})"


class Link:
    """Makes calls as one person."""

    def __init__(self, channels: Channels, calls: Calls) -> None:
        self._channels = channels
        self._calls = calls

    @cached_property
    def session(self) -> "SessionServiceAsyncStub":
        """Stub of the session service."""
        return SessionServiceStub(self._channels.of("session"))

    @cached_property
    def render(self) -> "RenderServiceAsyncStub":
        """Stub of the render service."""
        return RenderServiceStub(self._channels.of("render"))

    @cached_property
    def notify(self) -> "NotifyServiceAsyncStub":
        """Stub of the notify service."""
        return NotifyServiceStub(self._channels.of("notify"))

    async def unary(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float = TIMEOUT_S,
    ) -> Response:
        """Call a method and return its response; retried as `Calls.unary` says."""
        return cast(Response, await self._calls.unary(method, request, timeout_s=timeout_s))

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request
    ) -> AsyncGenerator[Response, None]:
        """Call a streaming method and yield its responses; not retried."""
        responses: Any = self._calls.stream(method, request)
        try:
            async for response in responses:
                yield response
        finally:
            await responses.aclose()

    async def upload(
        self, method: grpc.aio.StreamUnaryMultiCallable[Request, Response], requests: AsyncIterator[Request]
    ) -> Response:
        """Stream requests to a method and return its response; not retried."""
        return cast(Response, await self._calls.upload(method, requests))

    def __repr__(self) -> str:
        return f"Link({self._calls!r})"
