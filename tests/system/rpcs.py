"""Every RPC there is, taken from the descriptors, and how to call one with bytes of one's own making."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tapelog.notify.v1 import notify_service_pb2
from tapelog.render.v1 import render_service_pb2
from tapelog.session.v1 import session_service_pb2
from tapelog_chassis.auth import LocalIssuer
from tapelog_client import StackState
from tapelog_client.errors import TapelogApiError, from_rpc_error

SERVICES: Final = {
    "session": session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
    "render": render_service_pb2.DESCRIPTOR.services_by_name["RenderService"],
    "notify": notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"],
}
TIMEOUT_S: Final = 60.0
TOKEN_KEPT_S: Final = 60.0
LISTENED_S: Final = 0.3
"""How long a stream is listened to: a refusal comes at once, a follower waits for events."""


@dataclasses.dataclass(frozen=True)
class Rpc:
    """One RPC."""

    service: str
    method: MethodDescriptor

    @property
    def name(self) -> str:
        """Its own name."""
        return str(self.method.name)

    @property
    def path(self) -> str:
        """What calls bear."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    def request(self) -> Message:
        """Make an empty request."""
        return GetMessageClass(self.method.input_type)()


RPCS: Final = [Rpc(service, method) for service, described in SERVICES.items() for method in described.methods]


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a call ended; `error` is None for OK, `body` what came."""

    error: TapelogApiError | None
    body: bytes = b""

    @property
    def code(self) -> str:
        """The status code's name."""
        return "OK" if self.error is None else self.error.code.name

    @property
    def fields(self) -> list[str]:
        """Field paths of an INVALID_ARGUMENT."""
        return [wrong.field for wrong in getattr(self.error, "fields", ())]

    @property
    def shown(self) -> tuple[str, str, str]:
        """Code, reason and text."""
        return (self.code, self.error.reason, self.error.message) if self.error else ("OK", "", "")


class Caller:
    """Calls any RPC as somebody, over channels of its own.

    Parameters
    ----------
    state : StackState
    party, tenant : str
    tenant_roles : Iterable[str]
    """

    def __init__(
        self, state: StackState, party: str, *, tenant: str = "local", tenant_roles: Iterable[str] = ()
    ) -> None:
        self._issuer = LocalIssuer.open(Path(state.identity_dir))
        self._claims: dict[str, Any] = {"tenant": tenant, "party": party, "tenant_roles": tuple(tenant_roles)}
        self._token: tuple[tuple[str, str], ...] = ()
        self._token_until_s = 0.0
        self._callables: dict[str, Any] = {}
        options = [("grpc.use_local_subchannel_pool", 1)]
        addresses = {"session": state.session, "render": state.render, "notify": state.notify}
        self._channels = {
            name: grpc.aio.insecure_channel(address, options=options) for name, address in addresses.items()
        }

    async def __aenter__(self) -> "Caller":
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def call(self, rpc: Rpc, *requests: bytes) -> Answer:
        """Send these bytes, whatever they are, and return how the call ended."""
        method = rpc.method
        call = self._callable(rpc)(
            _each(requests) if method.client_streaming else requests[0], metadata=self._metadata(), timeout=TIMEOUT_S
        )
        body = b""
        try:
            if method.server_streaming:
                async with asyncio.timeout(LISTENED_S):
                    async for part in call:
                        body += part
            else:
                body = await call
        except TimeoutError:
            call.cancel()
        except grpc.aio.AioRpcError as failure:
            return Answer(from_rpc_error(failure))
        return Answer(None, body)

    def _callable(self, rpc: Rpc) -> Any:
        known = self._callables.get(rpc.path)
        if known is None:
            ways = {(False, False): "unary_unary", (False, True): "unary_stream", (True, False): "stream_unary"}
            way = ways[rpc.method.client_streaming, rpc.method.server_streaming]
            known = self._callables[rpc.path] = getattr(self._channels[rpc.service], way)(rpc.path)
        return known

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        if time.monotonic() > self._token_until_s:
            token = self._issuer.mint(audiences=list(SERVICES), **self._claims)
            self._token = (("authorization", f"Bearer {token}"),)
            self._token_until_s = time.monotonic() + TOKEN_KEPT_S
        return self._token


async def _each(requests: Sequence[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


def fill_names(message: Any, names: dict[str, str]) -> None:
    """Put a name into every text field that a request has for one, by the field's name; messages in it too."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            continue
        if field.message_type is not None:
            if field.message_type.full_name.startswith("tapelog.") and field.name in ("party", "header"):
                fill_names(getattr(message, field.name), names)
        elif field.name in names and field.type == field.TYPE_STRING:
            setattr(message, field.name, names[field.name])
