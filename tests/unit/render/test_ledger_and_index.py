"""The ledger and the read model, fed with events in any order and more than once."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import tapelog.render.v1.render_service_pb2  # noqa: F401 - registers the service's descriptor
from google.protobuf.message import Message
from tapelog.common.v1.audio_pb2 import AudioFormat, AudioResult
from tapelog.render.v1.events_pb2 import UsageReleased, UsageReserved, UsageSettled
from tapelog.render.v1.resources_pb2 import (
    JobState,
    MixSpec,
    PriorityClass,
    RenderJob,
    RenderKind,
    RenderReference,
    RenderResult,
)
from tapelog_chassis.event_log import AggregateId, MemoryEventLog, Metadata, StoredEvent
from tapelog_chassis.rpc.testing_rpc import assert_every_rpc_has_a_row
from tapelog_chassis.testing import eventually
from tapelog_render import telemetry
from tapelog_render.adapters.policies import POLICIES, SERVICE
from tapelog_render.application.asking.specs import made_ms
from tapelog_render.application.events import REGISTRY, Repositories, job_aggregate
from tapelog_render.application.job_figures import count_change
from tapelog_render.application.job_index import IndexedJob, JobIndex
from tapelog_render.application.ports import JobKey
from tapelog_render.application.usage.ledger import UsageLedger
from tapelog_render.domain import job as jobs

RESULT = RenderResult(audio=[AudioResult(format=AudioFormat(sample_rate_hz=48_000, length_frames=72_000))])


class Desk:
    """A log with a few jobs on it."""

    def __init__(self) -> None:
        self.log = MemoryEventLog()
        self.repositories = Repositories.on(self.log)
        self.ledger = UsageLedger(self.repositories)

    async def do(self, job_id: str, decide: jobs.Decide, *, tenant: str = "acme") -> list[StoredEvent]:
        """Execute a command on a job."""
        outcome = await self.repositories.jobs.execute(
            job_aggregate(tenant, job_id),
            decide,
            request_id=str(uuid.uuid4()),
            request_hash="test",
            metadata=Metadata(actor="pty-mix", correlation_id="cor-1"),
        )
        return list(outcome.events)

    async def ask(self, job_id: str, *, cycle: int = 1, tenant: str = "acme") -> list[StoredEvent]:
        """Ask for a mix of one intent per cycle."""
        wanted = RenderJob(
            name=f"renderJobs/{job_id}",
            kind=RenderKind.RENDER_KIND_MIX,
            mix=MixSpec(),
            priority_class=PriorityClass.PRIORITY_CLASS_STANDARD,
            reference=RenderReference(project="prj-a", song="sng-a", cycle=cycle),
            usage_account="prj-a",
            recipe_digest="d" * 64,
        )
        return await self.do(job_id, lambda job: jobs.request(job, wanted), tenant=tenant)

    async def render(self, job_id: str) -> list[StoredEvent]:
        """Render a job in one attempt."""
        started = await self.do(job_id, lambda job: jobs.start(job, worker="wrk-a", engine_version="e"))
        fence = started[-1].sequence
        return [*started, *await self.do(job_id, lambda job: jobs.succeed(job, fence=fence, result=RESULT))]

    async def account(self) -> list[Message]:
        """Return the account's events."""
        return [REGISTRY.decode(event) for event in await self.log.load(AggregateId("usage", "acme", "prj-a"))]


@pytest.fixture
def desk() -> Desk:
    """Open a log."""
    return Desk()


async def test_the_ledger_follows_the_log_alone(desk: Desk):
    """A crash between request and reservation loses nothing: the event makes it, the outcome settles it."""
    events = [*await desk.ask("job-a"), *await desk.render("job-a")]
    for event in events:
        await desk.ledger.on_event(event)
    reserved, settled = await desk.account()
    assert isinstance(reserved, UsageReserved)
    assert isinstance(settled, UsageSettled)
    assert settled.entry.quantity_ms == made_ms(RESULT, RenderKind.RENDER_KIND_MIX) == 1500
    (_, stored) = await desk.log.load(AggregateId("usage", "acme", "prj-a"))
    assert (stored.metadata.actor, stored.metadata.causation_id) == ("svc-render", events[-1].event_id)
    assert stored.metadata.correlation_id == "cor-1"


async def test_redelivered_and_reordered_events_settle_once(desk: Desk):
    """Two replicas that share the feed may handle an outcome before its request, and both twice."""
    events = [*await desk.ask("job-a"), *await desk.render("job-a")]
    for event in [*reversed(events), *events, *events]:
        await desk.ledger.on_event(event)
    assert [type(event) for event in await desk.account()] == [UsageReserved, UsageSettled]


async def test_two_jobs_of_one_intent_and_one_of_another_make_two_settlements(desk: Desk):
    """The second job of an intent is released; another cycle is another intent."""
    events = []
    for job_id, cycle in (("job-a", 1), ("job-b", 1), ("job-c", 2)):
        events += await desk.ask(job_id, cycle=cycle)
    for job_id in ("job-b", "job-a", "job-c"):
        events += await desk.render(job_id)
    for event in events:
        await desk.ledger.on_event(event)
    account = await desk.account()
    settled = [event.entry.job for event in account if isinstance(event, UsageSettled)]
    released = [(event.entry.job, event.reason) for event in account if isinstance(event, UsageReleased)]
    assert settled == ["job-b", "job-c"]
    assert released == [("job-a", "INTENT_SETTLED")]


async def test_a_cancelled_job_is_released(desk: Desk):
    """Nothing came of it, nothing is billed."""
    events = [*await desk.ask("job-a"), *await desk.do("job-a", lambda job: jobs.cancel(job, reason="no"))]
    for event in events:
        await desk.ledger.on_event(event)
    assert [type(event) for event in await desk.account()] == [UsageReserved, UsageReleased]


async def test_the_index_knows_states_owners_and_order(desk: Desk):
    """Folded from the tail: newest first per tenant, open ones apart, the worker of a running one known."""
    for job_id in ("job-a", "job-b"):
        await desk.ask(job_id)
    await desk.ask("job-x", tenant="other")
    await desk.render("job-a")
    await desk.do("job-b", lambda job: jobs.start(job, worker="wrk-b", engine_version="e"))
    ended: list[JobKey] = []
    index = JobIndex(desk.log, on_ended=ended.append)
    caught_up = asyncio.Event()
    with index.watching(JobKey("acme", "job-a")) as changed:
        following = asyncio.create_task(index.follow(caught_up))
        await caught_up.wait()
        following.cancel()
        assert changed.is_set()
    assert [job.key.job for job in index.newest_first("acme")] == ["job-b", "job-a"]
    assert {job.key.job for job in index.open_jobs()} == {"job-b", "job-x"}
    assert [job.key.job for job in index.running_on("wrk-b")] == ["job-b"]
    assert index.running_on("wrk-a") == []
    assert ended == [JobKey("acme", "job-a")]


async def test_changes_of_jobs_are_counted_but_not_those_of_the_past(desk: Desk):
    """What was in the log at the start is known, and told to nobody; what follows is, with the state before it."""
    await desk.ask("job-a")
    await desk.ask("job-b")
    await desk.render("job-a")
    seen: list[tuple[str, int, int]] = []
    index = JobIndex(desk.log, on_changed=lambda job, was, _since: seen.append((job.key.job, was, job.state)))
    caught_up = asyncio.Event()
    following = asyncio.create_task(index.follow(caught_up))
    await caught_up.wait()
    assert seen == []
    await desk.render("job-b")
    await eventually(lambda: len(seen) == 2)
    following.cancel()
    queued, running = JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING
    assert seen == [("job-b", queued, running), ("job-b", running, JobState.JOB_STATE_SUCCEEDED)]


def test_the_length_of_a_render_is_measured_by_kind():
    """A job that ran for 42 s adds one render of 42 s to its kind, and one job that succeeded."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    job = IndexedJob(
        key=JobKey("acme", "job-a"),
        position=1,
        project="p",
        kind=RenderKind.RENDER_KIND_MASTER,
        render_digest="",
        priority_class=PriorityClass.PRIORITY_CLASS_BULK,
        state=JobState.JOB_STATE_SUCCEEDED,
        changed_at=start + timedelta(seconds=42),
    )
    seconds = telemetry.RENDER_SECONDS.labels("master")
    ended = telemetry.JOBS_ENDED.labels("master", "succeeded")
    before = (seconds._sum.get(), ended._value.get())
    count_change(job, JobState.JOB_STATE_RUNNING, start)
    assert (seconds._sum.get() - before[0], ended._value.get() - before[1]) == (42.0, 1.0)


async def test_the_index_forgets_ended_jobs_first(desk: Desk):
    """At its limit the oldest ended job leaves the lists; open jobs stay."""
    await desk.ask("job-a")
    for job_id in ("job-b", "job-c"):
        await desk.ask(job_id)
        await desk.render(job_id)
    index = JobIndex(desk.log, jobs_max=2)
    async for event in desk.log.read_all("render"):
        index.apply(event)
    assert [job.key.job for job in index.newest_first("acme")] == ["job-c", "job-a"]
    await desk.ask("job-d")
    async for event in desk.log.read_all("render", after_position=index.position):
        index.apply(event)
    assert [job.key.job for job in index.newest_first("acme")] == ["job-d", "job-a"]
    assert [job.key.job for job in index.open_jobs()] == ["job-a", "job-d"]


def test_every_rpc_has_a_policy():
    """No RPC is open or closed by accident."""
    assert_every_rpc_has_a_row(POLICIES, SERVICE)
