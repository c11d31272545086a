"""RenderService over gRPC: who calls, and which application function answers."""

from collections.abc import AsyncIterator
from typing import Any

from tapelog.render.v1 import render_service_pb2 as messages
from tapelog.render.v1.render_service_pb2_grpc import RenderServiceServicer
from tapelog.render.v1.resources_pb2 import Batch, RenderJob, Statement, StatementLine
from tapelog_chassis.rpc.call_layers import AUTHORIZATION
from tapelog_chassis.rpc.request_context import current_principal, current_request

from tapelog_render.application import queries
from tapelog_render.application.access import Caller
from tapelog_render.application.asking.room import Submission
from tapelog_render.application.asking.submit import create_render_job
from tapelog_render.application.asking.submit_batch import batch_create_render_jobs
from tapelog_render.application.ports import JobQueue
from tapelog_render.application.queries import Reader
from tapelog_render.application.queueing.cancel import cancel_render_job
from tapelog_render.application.usage.billing import Billing, adjust_usage, get_statement
from tapelog_render.application.watch import watch_render_job
from tapelog_render.application.working.verify import verify_render

Context = Any
"""grpc.aio.ServicerContext; its stubs are generic over types that do not matter here."""


class RenderServicer(RenderServiceServicer):
    """Answers the RPCs; errors are mapped by the server's layers.

    Parameters
    ----------
    submission : Submission
    reader : Reader
    queue : JobQueue
    billing : Billing
    """

    def __init__(self, submission: Submission, reader: Reader, queue: JobQueue, billing: Billing) -> None:
        self._submission = submission
        self._reader = reader
        self._queue = queue
        self._billing = billing

    async def ValidateRecipe(  # noqa: N802 - the RPC's name
        self,
        request: messages.ValidateRecipeRequest,
        context: Context,  # noqa: ARG002
    ) -> messages.ValidateRecipeResponse:
        """Check and digest a recipe."""
        return queries.validate_recipe(request, self._reader.engine_version)

    async def CreateRenderJob(  # noqa: N802 - the RPC's name
        self, request: messages.CreateRenderJobRequest, context: Context
    ) -> RenderJob:
        """Record and queue a job."""
        return await create_render_job(self._submission, _caller(context), request)

    async def BatchCreateRenderJobs(  # noqa: N802 - the RPC's name
        self, request: messages.BatchCreateRenderJobsRequest, context: Context
    ) -> Batch:
        """Record and queue several jobs as one."""
        return await batch_create_render_jobs(self._submission, _caller(context), request)

    async def GetRenderJob(  # noqa: N802 - the RPC's name
        self, request: messages.GetRenderJobRequest, context: Context
    ) -> RenderJob:
        """Read a job."""
        return await queries.get_render_job(self._reader, _caller(context), request.name)

    async def ListRenderJobs(  # noqa: N802 - the RPC's name
        self, request: messages.ListRenderJobsRequest, context: Context
    ) -> messages.ListRenderJobsResponse:
        """List jobs, newest first."""
        return await queries.list_render_jobs(self._reader, _caller(context), request)

    async def WatchRenderJob(  # noqa: N802 - the RPC's name
        self, request: messages.WatchRenderJobRequest, context: Context
    ) -> AsyncIterator[RenderJob]:
        """Stream a job until it has ended."""
        async for job in watch_render_job(self._reader, _caller(context), request.name):
            yield job

    async def CancelRenderJob(  # noqa: N802 - the RPC's name
        self, request: messages.CancelRenderJobRequest, context: Context
    ) -> RenderJob:
        """Cancel a job."""
        return await cancel_render_job(self._reader, self._queue, _caller(context), request)

    async def VerifyRender(  # noqa: N802 - the RPC's name
        self, request: messages.VerifyRenderRequest, context: Context
    ) -> RenderJob:
        """Render a job again and compare."""
        return await verify_render(self._submission, self._reader, _caller(context), request)

    async def GetBatch(  # noqa: N802 - the RPC's name
        self, request: messages.GetBatchRequest, context: Context
    ) -> Batch:
        """Read a batch."""
        return await queries.get_batch(self._reader, _caller(context), request.name)

    async def ListUsageEntries(  # noqa: N802 - the RPC's name
        self, request: messages.ListUsageEntriesRequest, context: Context
    ) -> messages.ListUsageEntriesResponse:
        """List a usage account."""
        return await queries.list_usage_entries(self._reader, _caller(context), request)

    async def GetStatement(  # noqa: N802 - the RPC's name
        self, request: messages.GetStatementRequest, context: Context
    ) -> Statement:
        """Say what an account used in a period."""
        return await get_statement(self._billing, _caller(context), request)

    async def AdjustUsage(  # noqa: N802 - the RPC's name
        self, request: messages.AdjustUsageRequest, context: Context
    ) -> StatementLine:
        """Correct a settled quantity."""
        return await adjust_usage(self._billing, _caller(context), request)

    def __repr__(self) -> str:
        return "RenderServicer()"


def _caller(context: Context) -> Caller:
    principal, request = current_principal(), current_request()
    metadata = dict(context.invocation_metadata() or ())
    return Caller(
        tenant=principal.tenant,
        party=principal.party,
        kind=principal.kind,
        on_behalf_of=principal.on_behalf_of,
        tenant_roles=principal.tenant_roles,
        rpc=request.method,
        correlation_id=request.correlation_id,
        bearer=str(metadata.get(AUTHORIZATION, "")),
    )
