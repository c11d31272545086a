"""Reading jobs, batches and usage, and checking recipes."""

import asyncio
import dataclasses
import itertools
from typing import Final

import tapelog_recipe
from tapelog.render.v1.render_service_pb2 import (
    ListRenderJobsRequest,
    ListRenderJobsResponse,
    ListUsageEntriesRequest,
    ListUsageEntriesResponse,
    ValidateRecipeRequest,
    ValidateRecipeResponse,
)
from tapelog.render.v1.resources_pb2 import Batch as BatchResource
from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_chassis import ids
from tapelog_chassis.aggregates.gaps import CLOSED
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.errors import InvalidArgument, NotFound, PermissionDenied
from tapelog_chassis.event_log import AggregateId
from tapelog_chassis.rpc import pages

from tapelog_render.application import views
from tapelog_render.application.access import Caller, Grant, Permissions, granted
from tapelog_render.application.asking import spec_checks
from tapelog_render.application.events import USAGE, Repositories, job_aggregate
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.ports import JobKey, ProgressBoard
from tapelog_render.domain.job import Job

AUDITORS: Final = frozenset({"AUDITOR"})
"""Tenant roles that read everything of the tenant."""
USAGE_READERS: Final = frozenset({"AUDITOR", "BILLING_READER"})
"""Tenant roles that read every usage account of the tenant."""
JOBS_PAGE_DEFAULT: Final = 50
JOBS_PAGE_MAX: Final = 500
USAGE_PAGE_DEFAULT: Final = 100
USAGE_PAGE_MAX: Final = 1000
PROJECTS_CHECKED_MAX: Final = 50
"""Projects that one list over all projects asks the session service about."""
LOADS_AT_ONCE: Final = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs."""

    repositories: Repositories
    index: JobIndex
    progress: ProgressBoard
    permissions: Permissions
    engine_version: str


def id_of(name: str, collection: str, *, field: str = "name") -> str:
    """Return the id in a resource name such as `renderJobs/{id}`; raises `InvalidArgument`."""
    found, _, id_ = name.partition("/")
    if found != collection or ids.ID_PATTERN.fullmatch(id_) is None:
        shown = name[:80]
        raise InvalidArgument.of_field(
            field, f"{shown!r} is not {collection}/{{id}}", reason="INVALID_NAME", metadata={"value": shown}
        )
    return id_


async def load_job(
    reader: Reader, caller: Caller, name: str, *, tenant_roles: frozenset[str] = AUDITORS
) -> tuple[JobKey, Versioned[Job], Grant]:
    """Return a job for which the caller may make this call, and why.

    Raises
    ------
    NotFound, PermissionDenied, InvalidArgument
    """
    key = JobKey(caller.tenant, id_of(name, "renderJobs"))
    versioned = await reader.repositories.jobs.load(job_aggregate(*key)) if key.job.startswith("job-") else None
    if versioned is None or not versioned.exists:
        raise NotFound("JOB_NOT_FOUND", f"there is no render job {key.job} in this tenant", metadata={"job": key.job})
    project = versioned.state.asked.reference.project
    return key, versioned, await granted(reader.permissions, caller, project, tenant_roles=tenant_roles)


async def get_render_job(reader: Reader, caller: Caller, name: str) -> RenderJob:
    """Return a job."""
    key, versioned, _ = await load_job(reader, caller, name)
    return views.job_resource(versioned, reader.progress.progress_of(key))


async def list_render_jobs(reader: Reader, caller: Caller, request: ListRenderJobsRequest) -> ListRenderJobsResponse:
    """Return a page of the jobs that the caller may read, newest first."""
    size = pages.coerce_page_size(request.page_size, default=JOBS_PAGE_DEFAULT, largest=JOBS_PAGE_MAX)
    cursor = pages.decode_page_token(request.page_token, request)
    projects = await _readable_projects(reader, caller, request.project)
    before = _position_of(reader, caller.tenant, cursor)
    found = list(
        itertools.islice(
            (
                job
                for job in reader.index.newest_first(caller.tenant, before_position=before)
                if projects is None or job.project in projects
            ),
            size + 1,
        )
    )
    slots = asyncio.Semaphore(LOADS_AT_ONCE)

    async def load(key: JobKey) -> RenderJob | None:
        async with slots:
            try:
                versioned = await reader.repositories.jobs.load(job_aggregate(*key))
            except CLOSED:
                return None
        return views.job_resource(versioned, reader.progress.progress_of(key))

    loaded = await asyncio.gather(*(load(job.key) for job in found[:size]))
    has_more = len(found) > size
    # The job's id and not its place in the log, which would tell how much all tenants do together.
    token = pages.encode_page_token(found[size - 1].key.job, request) if has_more else ""
    unreachable = [views.job_name(job.key.job) for job, read in zip(found, loaded, strict=False) if read is None]
    jobs = [job for job in loaded if job is not None]
    return ListRenderJobsResponse(jobs=jobs, next_page_token=token, unreachable=unreachable)


def _position_of(reader: Reader, tenant: str, cursor: str) -> int | None:
    """Return where the job of a page token lies; None for the first page."""
    if not cursor:
        return None
    if cursor.isdigit():
        return int(cursor)  # as an earlier version wrote it
    position = reader.index.position_of(JobKey(tenant, cursor))
    if position is None:
        text = f"continues behind {cursor[:40]!r}, which is not remembered any more; begin again without a token"
        raise InvalidArgument.of_field("page_token", text, reason="INVALID_PAGE_TOKEN")
    return position


async def get_batch(reader: Reader, caller: Caller, name: str) -> BatchResource:
    """Return a batch with its jobs."""
    batch_id = id_of(name, "batches")
    aggregate = job_aggregate(caller.tenant, batch_id)
    versioned = await reader.repositories.batches.load(aggregate) if batch_id.startswith("bat-") else None
    if versioned is None or not versioned.exists:
        raise NotFound("BATCH_NOT_FOUND", f"there is no batch {batch_id} in this tenant", metadata={"batch": batch_id})
    batch = versioned.state
    loaded = [
        (key, await reader.repositories.jobs.load(job_aggregate(*key)))
        for key in (JobKey(caller.tenant, job_id) for job_id in batch.jobs)
    ]
    projects = {job.state.asked.reference.project for _, job in loaded if job.exists} or {batch.reference.project}
    for project in projects:
        await granted(reader.permissions, caller, project, tenant_roles=AUDITORS)
    resources = [
        views.job_resource(job, reader.progress.progress_of(key))
        if job.exists
        else RenderJob(name=views.job_name(key.job))
        for key, job in loaded
    ]
    return views.batch_resource(batch_id, resources)


async def list_usage_entries(
    reader: Reader, caller: Caller, request: ListUsageEntriesRequest
) -> ListUsageEntriesResponse:
    """Return a page of an account's entries, oldest first."""
    ids.validate_id(request.account, field="account")
    size = pages.coerce_page_size(request.page_size, default=USAGE_PAGE_DEFAULT, largest=USAGE_PAGE_MAX)
    cursor = pages.decode_page_token(request.page_token, request)
    await granted(reader.permissions, caller, request.account, tenant_roles=USAGE_READERS)
    account = (await reader.repositories.accounts.load(AggregateId(USAGE, caller.tenant, request.account))).state
    first = int(cursor) if cursor else 0
    last = min(first + size, len(account.entries))
    token = pages.encode_page_token(str(last), request) if last < len(account.entries) else ""
    return ListUsageEntriesResponse(
        entries=[account.entries[number] for number in range(first, last)], next_page_token=token
    )


def validate_recipe(request: ValidateRecipeRequest, engine_version: str) -> ValidateRecipeResponse:
    """Check and digest a recipe.

    Raises
    ------
    InvalidArgument
        With a violation for every wrong field.
    """
    match request.WhichOneof("recipe"):
        case "mix":
            violations = spec_checks.check_mix(request.mix, "mix")
        case "master":
            violations = spec_checks.check_master(request.master, "master")
        case _:
            raise InvalidArgument.of_field("recipe", "neither mix nor master is set; send one of them")
    if violations:
        raise InvalidArgument(
            "INVALID_RECIPE",
            f"the recipe has {len(violations)} mistake(s), first {violations[0].field}: {violations[0].description}",
            fields=violations,
        )
    recipe = request.mix if request.HasField("mix") else request.master
    return ValidateRecipeResponse(recipe_digest=tapelog_recipe.recipe_digest(recipe), engine_version=engine_version)


async def _readable_projects(reader: Reader, caller: Caller, project: str) -> frozenset[str] | None:
    """Return the projects whose jobs may be listed; None is all of the tenant."""
    if project:
        ids.validate_id(project, field="project")
        await granted(reader.permissions, caller, project, tenant_roles=AUDITORS)
        return frozenset({project})
    if caller.kind == "service" or caller.tenant_roles & AUDITORS:
        return None
    projects = {job.project for job in reader.index.newest_first(caller.tenant)}
    if len(projects) > PROJECTS_CHECKED_MAX:
        raise InvalidArgument.of_field(
            "project",
            f"this tenant has {len(projects)} projects with jobs, and a list over all of them asks for at most "
            f"{PROJECTS_CHECKED_MAX}; name one project",
            metadata={"projects": len(projects), "limit": PROJECTS_CHECKED_MAX},
        )
    readable = set()
    for name in sorted(projects):
        try:
            await granted(reader.permissions, caller, name)
        except PermissionDenied:
            continue
        readable.add(name)
    return frozenset(readable)
