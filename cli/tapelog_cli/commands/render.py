"""`tapelog render …` and `tapelog batch …`: render jobs."""

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import word_of
from tapelog_cli.typed.naming import project_id, resource

if TYPE_CHECKING:
    from tapelog.render.v1 import resources_pb2 as render
    from tapelog_client import Tapelog

Name = Annotated[str, Parameter(help="renderJobs/{job}, or its id.")]
COLUMNS = ("name", "kind", "state", "done", "for", "error")
_NOBODY = Connection()


async def list_(
    *,
    project: Annotated[str, Parameter(help="Only jobs of this project.")] = "",
    count: Annotated[int, Parameter(help="At most this many.")] = 20,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """List render jobs, newest first."""
    found: list[render.RenderJob] = []
    async with connection.open() as api:
        async for job in api.renders.list(project=project_id(project) if project else ""):
            found.append(job)
            if len(found) >= count:
                break
    return tell_all(found, COLUMNS, _row, json=json)


async def create(
    file: Annotated[Path, Parameter(help="RenderJob with the fields of the protos, YAML or JSON.")],
    *,
    estimate: Annotated[bool, Parameter(negative="", help="Only say what it would cost; nothing is queued.")] = False,
    request_id: Annotated[str, Parameter(help="UUID that makes a repeat the same request.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Queue a render job that belongs to no version, or estimate it."""
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.typed.written import read_message

    wanted = read_message(file, render.RenderJob())
    async with connection.open() as api:
        if not estimate:
            return tell_job(await api.renders.create(wanted, request_id=request_id), json=json)
        found = await api.renders.estimate(wanted)
    return tell(found, cost_words(found), json=json)


async def create_batch(
    file: Annotated[Path, Parameter(help="A map with `jobs`, a list of up to 300 render jobs, YAML or JSON.")],
    *,
    estimate: Annotated[bool, Parameter(negative="", help="Only say what it would cost; nothing is queued.")] = False,
    allow_partial: Annotated[bool, Parameter(negative="", help="Queue those that can be, list the others.")] = False,
    request_id: Annotated[str, Parameter(help="UUID that makes a repeat the same request.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Queue a batch of render jobs, all or nothing, or estimate it."""
    from tapelog.render.v1 import render_service_pb2 as rpc

    from tapelog_cli.typed.written import read_message

    wanted = read_message(file, rpc.BatchCreateRenderJobsRequest())
    async with connection.open() as api:
        if estimate:
            found = await api.renders.estimate_batch(wanted.jobs)
            return tell(found, *(cost_words(job) for job in found.jobs), json=json)
        reference = wanted.reference if wanted.HasField("reference") else None
        made = await api.renders.create_batch(
            wanted.jobs, reference=reference, request_id=request_id, allow_partial=allow_partial
        )
    lines = (f"refused {refusal.index}: {refusal.error.message}" for refusal in made.refused)
    tell(made, f"{made.name}: {len(made.jobs)} jobs", *lines, json=json)
    return ExitCode.FAILURE if made.refused else ExitCode.OK


async def show(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show a render job: its state, results and figures."""
    async with connection.open() as api:
        found = await api.renders.get(resource("renderJobs", name))
    return tell_job(found, json=json)


async def watch(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Follow a render job until it ends; with --json one line per change. Ends with 1 where it fails."""
    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.printed.output import print_json_line
    from tapelog_cli.printed.shapes import as_dict
    from tapelog_cli.printed.transfers import PERCENT, percent_bar

    job = render.RenderJob()
    async with connection.open() as api:
        with percent_bar(f"rendering {name}", quiet=json) as progress:
            async with aclosing(api.renders.watch(resource("renderJobs", name))) as states:
                async for job in states:
                    progress(PERCENT if job.state == render.JOB_STATE_SUCCEEDED else job.progress_percent)
                    if json:
                        print_json_line(as_dict(job))
    if not json:
        tell_job(job, json=False)
    return ExitCode.OK if job.state == render.JOB_STATE_SUCCEEDED else ExitCode.FAILURE


async def cancel(
    name: Name,
    *,
    reason: Annotated[str, Parameter(help="Why.")],
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Cancel a job that has not ended; what was reserved for it is released."""
    async with connection.open() as api:
        changed = await api.renders.cancel(resource("renderJobs", name), reason)
    return tell_job(changed, json=json)


async def verify(
    name: Name,
    *,
    timeout_s: Annotated[float, Parameter(help="How long to wait for the repetition.")] = 600.0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Render a finished job again and compare: ends with 4 where the samples are not the same."""
    async with connection.open() as api:
        queued = await api.renders.verify(resource("renderJobs", name))
        done = await api.renders.wait(queued.name, timeout_s=timeout_s)
    equal = done.result.verification.equal
    tell(done, f"{name}: {'the same samples' if equal else 'OTHER SAMPLES'}, compared by {done.name}", json=json)
    return ExitCode.OK if equal else ExitCode.TARGET_MISSED


async def show_batch(
    name: Annotated[str, Parameter(help="batches/{batch}, or its id.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Show a batch: how many of its jobs are done, failed or refused, and each job."""
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open() as api:
        found = await api.renders.get_batch(resource("batches", name))
    if json:
        print_json(as_dict(found))
        return ExitCode.OK
    out().print(
        f"{found.name}: {found.done} of {len(found.jobs)} done, {found.failed} failed, {len(found.refused)} refused",
        markup=False,
    )
    for refusal in found.refused:
        out().print(f"  refused {refusal.index}: {refusal.error.message}", markup=False, soft_wrap=True)
    return tell_all(found.jobs, COLUMNS, _row, json=False)


async def follow(api: "Tapelog", name: str, *, json: bool, timeout_s: float) -> int:
    """Show a job's progress until it ends, then tell how; ends with 1 where it fails."""
    import asyncio

    from tapelog.render.v1 import resources_pb2 as render

    from tapelog_cli.printed.transfers import PERCENT, percent_bar

    job = render.RenderJob()
    with percent_bar(f"rendering {name}", quiet=json) as progress:
        async with asyncio.timeout(timeout_s), aclosing(api.renders.watch(name)) as states:
            async for job in states:
                progress(PERCENT if job.state == render.JOB_STATE_SUCCEEDED else job.progress_percent)
    tell_job(job, json=json)
    return ExitCode.OK if job.state == render.JOB_STATE_SUCCEEDED else ExitCode.FAILURE


def cost_words(job: "render.RenderJob") -> str:
    """Say what a job would cost."""
    from tapelog.render.v1 import resources_pb2 as render

    cost = job.estimate
    if not cost.render_seconds and job.kind != render.RENDER_KIND_ANALYSIS:
        return "its length is not known, so neither is its cost; state expected_length_frames"
    return f"{cost.quantity_ms / 1000:.1f} s are billed, about {cost.render_seconds:.1f} s to render"


def tell_job(job: "render.RenderJob", *, json: bool) -> int:
    """Tell where a job stands, its files and why it failed."""
    from tapelog_cli.printed.shapes import format_words, loudness_words

    name, kind, state, done, for_, error = _row(job)
    return tell(
        job,
        f"{name}: {kind} {state} {done} {for_}".rstrip(),
        *(f"  {format_words(audio.format)}: {loudness_words(audio.measurements)}" for audio in job.result.audio),
        *([f"  {error}"] if error else []),
        json=json,
    )


def _row(job: "render.RenderJob") -> tuple[str, ...]:
    from tapelog.render.v1 import resources_pb2 as render

    state = word_of(render.JobState, job.state)
    kind = word_of(render.RenderKind, job.kind)
    done = f"{job.progress_percent:.0f} %" if job.state == render.JOB_STATE_RUNNING else ""
    where = "/".join(part for part in (job.reference.song, job.reference.key) if part)
    return job.name, kind, state, done, where, job.error.message
