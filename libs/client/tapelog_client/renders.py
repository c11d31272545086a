"""Render jobs, batches and the usage ledger."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.render.v1 import render_service_pb2 as rpc
from tapelog.render.v1 import resources_pb2 as res

from tapelog_client.client_errors import RenderNotDone, WaitTimeout
from tapelog_client.errors import Unavailable
from tapelog_client.group import PAGE_SIZE, Group, pages

ENDED: Final = (res.JOB_STATE_SUCCEEDED, res.JOB_STATE_FAILED, res.JOB_STATE_CANCELLED)

WATCH_PAUSE_S: Final = 0.25
"""Before a watch that broke off is begun again."""


class Renders(Group):
    """Render jobs and batches: `api.renders`."""

    async def validate_mix(self, recipe: recipe_pb2.MixRecipe) -> rpc.ValidateRecipeResponse:
        """Check and digest a mix recipe; nothing is rendered or billed."""
        return await self._link.unary(self._link.render.ValidateRecipe, rpc.ValidateRecipeRequest(mix=recipe))

    async def validate_master(self, recipe: recipe_pb2.MasterRecipe) -> rpc.ValidateRecipeResponse:
        """Check and digest a master recipe; nothing is rendered or billed."""
        return await self._link.unary(self._link.render.ValidateRecipe, rpc.ValidateRecipeRequest(master=recipe))

    async def create(self, job: res.RenderJob, *, request_id: str = "") -> res.RenderJob:
        """Queue a job and return it at once."""
        request = rpc.CreateRenderJobRequest(job=job, request_id=request_id)
        return await self._link.unary(self._link.render.CreateRenderJob, request)

    async def estimate(self, job: res.RenderJob) -> res.RenderJob:
        """Check and digest a job and say what it would cost; nothing is recorded, queued or reserved."""
        request = rpc.CreateRenderJobRequest(job=job, validate_only=True)
        return await self._link.unary(self._link.render.CreateRenderJob, request)

    async def estimate_batch(self, jobs: Iterable[res.RenderJob]) -> res.Batch:
        """Check and digest the jobs of a batch and say what each would cost; nothing is recorded."""
        request = rpc.BatchCreateRenderJobsRequest(jobs=jobs, validate_only=True)
        return await self._link.unary(self._link.render.BatchCreateRenderJobs, request)

    async def verify(self, name: str, *, request_id: str = "") -> res.RenderJob:
        """Queue a repetition of a job that has a result; `result.verification` says whether it is the same."""
        request = rpc.VerifyRenderRequest(name=name, request_id=request_id)
        return await self._link.unary(self._link.render.VerifyRender, request)

    async def create_batch(
        self,
        jobs: Iterable[res.RenderJob],
        *,
        reference: res.RenderReference | None = None,
        request_id: str = "",
        allow_partial: bool = False,
    ) -> res.Batch:
        """Queue up to 300 jobs: all or nothing, or with `allow_partial` those that can be, the others in `refused`."""
        request = rpc.BatchCreateRenderJobsRequest(
            jobs=jobs, reference=reference, request_id=request_id, allow_partial=allow_partial
        )
        return await self._link.unary(self._link.render.BatchCreateRenderJobs, request)

    async def get(self, name: str) -> res.RenderJob:
        """Read a job."""
        return await self._link.unary(self._link.render.GetRenderJob, rpc.GetRenderJobRequest(name=name))

    async def get_batch(self, name: str) -> res.Batch:
        """Read a batch."""
        return await self._link.unary(self._link.render.GetBatch, rpc.GetBatchRequest(name=name))

    def list(self, *, project: str = "") -> AsyncIterator[res.RenderJob]:
        """Yield jobs, newest first; `project` is an id, and empty is all that the caller may read."""

        async def fetch(token: str) -> rpc.ListRenderJobsResponse:
            request = rpc.ListRenderJobsRequest(project=project, page_size=PAGE_SIZE, page_token=token)
            return await self._link.unary(self._link.render.ListRenderJobs, request)

        return pages(fetch, lambda page: page.jobs, lambda page: page.next_page_token)

    async def cancel(self, name: str, reason: str, *, etag: str = "", request_id: str = "") -> res.RenderJob:
        """Cancel a job that has not ended."""
        request = rpc.CancelRenderJobRequest(name=name, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.render.CancelRenderJob, request)

    async def watch(self, name: str) -> AsyncGenerator[res.RenderJob, None]:
        """Yield the job whenever its state or progress changes, until it has ended; goes on after a broken link."""
        while True:
            try:
                stream = self._link.stream(self._link.render.WatchRenderJob, rpc.WatchRenderJobRequest(name=name))
                async with aclosing(stream) as states:
                    async for job in states:
                        yield job
                        if job.state in ENDED:
                            return
            except Unavailable:
                await asyncio.sleep(WATCH_PAUSE_S)

    async def wait(self, name: str, *, timeout_s: float) -> res.RenderJob:
        """Wait until a job has succeeded.

        Raises
        ------
        RenderNotDone
            It failed or was cancelled.
        WaitTimeout
            It has not ended yet.
        """
        try:
            async with asyncio.timeout(timeout_s), aclosing(self.watch(name)) as states:
                async for job in states:
                    last = job
        except TimeoutError:
            raise WaitTimeout(f"{name} has not ended", timeout_s=timeout_s) from None
        if last.state != res.JOB_STATE_SUCCEEDED:
            raise RenderNotDone(name, last.error.message or res.JobState.Name(last.state))
        return last


class Usage(Group):
    """The usage ledger: `api.usage`."""

    def entries(self, account: str) -> AsyncIterator[res.UsageEntry]:
        """Yield the entries of an account (a project id), oldest first."""

        async def fetch(token: str) -> rpc.ListUsageEntriesResponse:
            request = rpc.ListUsageEntriesRequest(account=account, page_size=PAGE_SIZE, page_token=token)
            return await self._link.unary(self._link.render.ListUsageEntries, request)

        return pages(fetch, lambda page: page.entries, lambda page: page.next_page_token)

    async def statement(self, account: str, start: datetime, end: datetime) -> res.Statement:
        """Return what an account used in a period, with all its lines; `tapelog_client.rates` prices it."""
        request = rpc.GetStatementRequest(account=account)
        request.start_time.FromDatetime(start)
        request.end_time.FromDatetime(end)
        whole: res.Statement = await self._link.unary(self._link.render.GetStatement, request)
        while whole.next_page_token:
            request.page_token = whole.next_page_token
            page = await self._link.unary(self._link.render.GetStatement, request)
            whole.lines.extend(page.lines)
            whole.next_page_token = page.next_page_token
        return whole

    async def adjust(
        self, account: str, job: str, adjustment_ms: int, reason: str, *, request_id: str = ""
    ) -> res.StatementLine:
        """Correct what is billed for a job; return the line that it makes."""
        request = rpc.AdjustUsageRequest(
            account=account, job=job, adjustment_ms=adjustment_ms, reason=reason, request_id=request_id
        )
        return await self._link.unary(self._link.render.AdjustUsage, request)
