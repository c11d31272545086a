"""Making calls: identity in the metadata, a request_id that outlives retries, a deadline always."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final, TypeVar, cast

import grpc
from google.protobuf.message import Message
from tapelog_chassis.observability import tracing

from tapelog_client.errors import TapelogApiError, Unavailable, from_rpc_error
from tapelog_client.tokens import ApiKeyTokenSource, TokenSource

TIMEOUT_S: Final = 30.0
"""All attempts of a unary call together."""
UPLOAD_TIMEOUT_S: Final = 600.0
STREAM_TIMEOUT_S: Final = 3600.0
ATTEMPTS_MAX: Final = 8
BACKOFF_S: Final = 0.1
BACKOFF_S_MAX: Final = 3.0
"""Eight attempts with these waits last about 10 s: longer than a service takes to be back after kill -9."""
ON_BEHALF_OF: Final = "tapelog-on-behalf-of"
CORRELATION_ID: Final = "tapelog-correlation-id"

Request = TypeVar("Request", bound=Message)


class Calls:
    """Makes the calls of one client.

    Parameters
    ----------
    tokens : TokenSource
    on_behalf_of : str
        The party for whom an integration acts.
    seed : int, optional
        Fixes the jitter, for tests.
    """

    def __init__(self, tokens: TokenSource, *, on_behalf_of: str = "", seed: int | None = None) -> None:
        self._tokens = tokens
        self._on_behalf_of = on_behalf_of
        self._key = tokens if isinstance(tokens, ApiKeyTokenSource) else None
        self._random = random.Random(seed)  # noqa: S311 - jitter

    async def unary(
        self, method: Any, request: Message, *, timeout_s: float = TIMEOUT_S, correlation_id: str = ""
    ) -> Any:
        """Call a unary method and return its response.

        Repeated on UNAVAILABLE and CANCELLED, and where the service says when to come back, at most `ATTEMPTS_MAX`
        times within `timeout_s`; safe because every mutation carries a request_id, the same in each attempt.

        Parameters
        ----------
        method : grpc.aio.UnaryUnaryMultiCallable
            Of a generated stub.
        request : Message
            Left as it is; an empty request_id is filled in on a copy.
        timeout_s : float
            All attempts together.

        Raises
        ------
        TapelogApiError
            The service refused, or could not be reached in time.
        """
        sent = with_request_id(request)
        end_s = time.monotonic() + timeout_s
        attempt = 0
        while True:
            attempt += 1
            remaining_s = max(end_s - time.monotonic(), 0.001)
            try:
                with tracing.span(type(request).__name__.removesuffix("Request"), kind=tracing.SpanKind.CLIENT):
                    return await method(sent, timeout=remaining_s, metadata=await self._metadata(correlation_id))
            except grpc.aio.AioRpcError as failure:
                error = from_rpc_error(failure)
            wait_s = self._wait_s(error, attempt)
            if wait_s is None or attempt >= ATTEMPTS_MAX or time.monotonic() + wait_s >= end_s:
                raise error
            await asyncio.sleep(wait_s)

    async def stream(
        self, method: Any, request: Message, *, timeout_s: float = STREAM_TIMEOUT_S, correlation_id: str = ""
    ) -> AsyncIterator[Any]:
        """Call a server-streaming method and yield its responses.

        Not repeated: only the caller knows the cursor to resume from.

        Raises
        ------
        TapelogApiError
            The service refused or ended the stream; `Unavailable` means: resume.
        """
        metadata = await self._metadata(correlation_id)
        call = method(with_request_id(request), timeout=timeout_s, metadata=metadata)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as failure:
            raise from_rpc_error(failure) from None
        finally:
            call.cancel()

    async def upload(
        self,
        method: Any,
        requests: AsyncIterable[Message],
        *,
        timeout_s: float = UPLOAD_TIMEOUT_S,
        correlation_id: str = "",
    ) -> Any:
        """Call a client-streaming method and return its response.

        Not repeated: only the caller can produce the chunks again.

        Raises
        ------
        TapelogApiError
            The service refused, or could not be reached in time.
        """
        call = method(requests, timeout=timeout_s, metadata=await self._metadata(correlation_id))
        try:
            return await call
        except grpc.aio.AioRpcError as failure:
            raise from_rpc_error(failure) from None
        finally:
            call.cancel()

    async def _metadata(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        if self._key is not None:
            await self._key.refresh()
        pairs = [("authorization", f"Bearer {self._tokens.token()}")]
        if self._on_behalf_of:
            pairs.append((ON_BEHALF_OF, self._on_behalf_of))
        if correlation_id:
            pairs.append((CORRELATION_ID, correlation_id))
        if span := tracing.traceparent():
            pairs.append((tracing.TRACEPARENT, span))
        return tuple(pairs)

    def _wait_s(self, error: TapelogApiError, attempt: int) -> float | None:
        """Return how long to wait before the next attempt, or None when none is due."""
        if not isinstance(error, Unavailable) and error.retry_after_s is None:
            return None
        backoff_s: float = min(BACKOFF_S * 2 ** (attempt - 1), BACKOFF_S_MAX)
        jitter: float = self._random.uniform(1.0, 1.5)
        return max(error.retry_after_s or 0.0, backoff_s) * jitter

    def __repr__(self) -> str:
        return f"Calls({self._tokens!r}, on_behalf_of={self._on_behalf_of!r})"


def with_request_id(request: Request) -> Request:
    """Return the request with a request_id: its own, or a new UUID4 on a copy."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request
    copy: Any = type(request)()
    copy.CopyFrom(request)
    copy.request_id = copy.request_id or str(uuid.uuid4())
    return cast(Request, copy)
