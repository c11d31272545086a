"""The handlers of a server: every method found by one look-up, with the layers around it, whatever its shape."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from tapelog_chassis.errors import InvalidArgument
from tapelog_chassis.rpc import call_layers

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_MAKERS: Final[Mapping[tuple[bool, bool], Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Malformed:
    """Stands for a message whose bytes are not the request's type."""

    cause: str


class Handlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """Puts the layers around every handler, once for all of its calls.

    The generated `add_…Servicer_to_server` is given this in place of the server. It offers each method twice: looked
    up by name, and registered, in which case grpcio accepts calls of each method by itself and, for every single call,
    waits for all methods anew, at a cost that grows with their number. So only what must not be kept waiting is
    registered; nor is there an interceptor, which costs two coroutines a call for what can be done once a method.

    Attributes
    ----------
    apart : dict of str to handler
        Methods with an entrance of their own (`front_door`), by full name: health, reflection, and whatever streams.
    """

    def __init__(self, layers: Sequence[call_layers.Layer]) -> None:
        self._around = call_layers.layered(layers)
        self._services: list[Any] = []
        self._wrapped: dict[str, _Handler] = {}
        self.apart: dict[str, _Handler] = {}

    def __repr__(self) -> str:
        return f"Handlers({len(self._services)} services)"

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Take a service's methods, as a server does."""
        self._services += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Register what must not be kept waiting; the other methods came before, by name, and do without."""
        for name, handler in handlers.items():
            if service.startswith("grpc.") or handler.request_streaming or handler.response_streaming:
                method = f"/{service}/{name}"
                self.apart[method] = self._wrapped.setdefault(method, self._wrap(method, handler))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> _Handler | None:
        """Return the handler of a method; None for an unknown one, which grpc answers with UNIMPLEMENTED."""
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        for service in self._services:
            handler = service.service(handler_call_details)
            if handler is not None:
                return self._wrapped.setdefault(method, self._wrap(method, handler))
        return None

    def _wrap(self, method: str, handler: Any) -> _Handler:
        behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        check = _each_checked if handler.request_streaming else _checked

        def call_of(
            request: Any, context: call_layers.ServicerContext, serve: Callable[[], Awaitable[Any]]
        ) -> call_layers.Call:
            metadata = context.invocation_metadata() or ()
            return call_layers.Call(
                method=method,
                metadata={key: value for key, value in metadata if isinstance(value, str)},
                request=None if handler.request_streaming else request,
                streams_request=handler.request_streaming,
                streams_response=handler.response_streaming,
                serve=serve,
            )

        async def answer(request: Any, context: call_layers.ServicerContext) -> Any:
            async def serve() -> Any:
                return await behaviour(check(request), context)

            return await self._around(call_of(request, context, serve), context)

        async def stream(request: Any, context: call_layers.ServicerContext) -> None:
            # Written here and not yielded, so that the whole stream runs inside the layers: its deadline can end a
            # write that waits for a slow reader, and the handler's clean-up runs before the call ends.
            async def serve() -> None:
                result = behaviour(check(request), context)
                if inspect.isawaitable(result):
                    await result
                    return
                async with contextlib.aclosing(result):
                    async for response in result:
                        await context.write(response)

            await self._around(call_of(request, context, serve), context)

        make = _MAKERS[handler.request_streaming, handler.response_streaming]
        wrapped: _Handler = make(
            stream if handler.response_streaming else answer,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return wrapped


def _tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Let bad bytes through to the layers, which refuse them by name; grpc itself would answer UNKNOWN."""

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError as failure:
            return _Malformed(str(failure))

    return read


def _checked(request: Any) -> Any:
    if isinstance(request, _Malformed):
        raise InvalidArgument("MALFORMED_MESSAGE", f"the request's bytes are not its message: {request.cause}")
    return request


async def _each_checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request)
