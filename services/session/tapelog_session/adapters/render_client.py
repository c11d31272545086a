"""The render service over gRPC, called as `svc-session` in the tenant of the event at hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from tapelog.render.v1 import render_service_pb2 as pb
from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.render.v1.render_service_pb2_grpc import RenderServiceStub
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.observability import tracing
from tapelog_chassis.rpc.call_layers import AUTHORIZATION, CORRELATION_ID
from tapelog_client.errors import TapelogApiError, from_rpc_error

from tapelog_session.application.following.processes import PARTY
from tapelog_session.application.ports import RenderRefused, RenderUnavailable

TIMEOUT_S: Final = 10.0
TOKEN_LIFETIME_S: Final = 300
TOKEN_REFRESH_S: Final = 240
TENANTS_MAX: Final = 256
"""Tokens kept, one a tenant."""

_TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        # The issuer's key or a clock is being changed: a person's matter, but not the event's.
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
_OF_THE_JOB: Final = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE}
)
"""The job is wrong; every other refusal would meet the next job too."""


class GrpcRenderJobs:
    """`RenderJobs` over a channel.

    Parameters
    ----------
    channel : grpc.aio.Channel
        To the render service.
    issuer : LocalIssuer
        Mints the service's own tokens.
    """

    def __init__(self, channel: grpc.aio.Channel, issuer: LocalIssuer) -> None:
        self._stub = RenderServiceStub(channel)
        self._issuer = issuer
        self._tokens: dict[str, tuple[str, float]] = {}

    def __repr__(self) -> str:
        return "GrpcRenderJobs()"

    async def create(self, tenant: str, job: render_pb.RenderJob, *, request_id: str, correlation_id: str) -> None:
        """See `RenderJobs.create`."""
        request = pb.CreateRenderJobRequest(job=job, request_id=request_id)
        await self._call(self._stub.CreateRenderJob, request, tenant, correlation_id)

    async def create_batch(
        self,
        tenant: str,
        jobs: Sequence[render_pb.RenderJob],
        reference: render_pb.RenderReference,
        *,
        request_id: str,
        correlation_id: str,
    ) -> None:
        """See `RenderJobs.create_batch`."""
        request = pb.BatchCreateRenderJobsRequest(jobs=jobs, reference=reference, request_id=request_id)
        await self._call(self._stub.BatchCreateRenderJobs, request, tenant, correlation_id)

    async def _call(self, method: Any, request: Message, tenant: str, correlation_id: str) -> None:
        metadata = [(AUTHORIZATION, f"Bearer {self._token(tenant)}")]
        if correlation_id:
            metadata.append((CORRELATION_ID, correlation_id))
        if span := tracing.traceparent():
            metadata.append((tracing.TRACEPARENT, span))
        try:
            await method(request, timeout=TIMEOUT_S, metadata=tuple(metadata))
        except grpc.aio.AioRpcError as failure:
            error: TapelogApiError = from_rpc_error(failure)
            if error.code in _TRANSIENT:
                text = f"{error.reason or error.code.name}: {error.message}"
                raise RenderUnavailable(text, retry_after_s=error.retry_after_s or 0.0) from failure
            raise RenderRefused(
                error.reason or error.code.name, error.message, is_of_job=error.code in _OF_THE_JOB
            ) from failure

    def _token(self, tenant: str) -> str:
        token, until_s = self._tokens.get(tenant, ("", 0.0))
        now_s = time.monotonic()
        if now_s >= until_s:
            token = self._issuer.mint(
                audiences=["render"], tenant=tenant, party=PARTY, kind="service", lifetime_s=TOKEN_LIFETIME_S
            )
            if len(self._tokens) >= TENANTS_MAX:
                self._tokens.clear()
            self._tokens[tenant] = (token, now_s + TOKEN_REFRESH_S)
        return token
