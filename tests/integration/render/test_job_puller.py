"""Taking jobs from the real queue: urgent first, one at a time, nothing hoarded."""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator

import pytest
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderKind
from tapelog_chassis.nats.provision import delete_consumer
from tapelog_chassis.testing import Broker, eventually
from tapelog_render.adapters.job_puller import JobPuller
from tapelog_render.adapters.job_queue import JetStreamJobQueue
from tapelog_render.application.ports import JobKey, QueueUnavailable

MIX = RenderKind.RENDER_KIND_MIX
BULK, STANDARD, INTERACTIVE = (
    PriorityClass.PRIORITY_CLASS_BULK,
    PriorityClass.PRIORITY_CLASS_STANDARD,
    PriorityClass.PRIORITY_CLASS_INTERACTIVE,
)


@pytest.fixture
async def queue(broker: Broker) -> JetStreamJobQueue:
    """Open the service's side of the queue."""
    return JetStreamJobQueue(await broker.connect("render"))


async def test_urgent_jobs_are_taken_first(broker: Broker, queue: JetStreamJobQueue):
    """Queued in the wrong order, jobs come by class, and by age within one."""
    for name, class_ in (("b1", BULK), ("s1", STANDARD), ("i1", INTERACTIVE), ("s2", STANDARD)):
        assert await queue.publish(JobKey("acme", f"job-{name}"), MIX, class_)
    async with JobPuller(await broker.connect("worker")) as puller:
        taken = []
        for _ in range(4):
            lease = await puller.next()
            taken.append(lease.key.job)
            await lease.done()
    assert taken == ["job-i1", "job-s1", "job-s2", "job-b1"]
    assert await queue.depth() == 0


async def test_a_job_is_in_the_queue_once(queue: JetStreamJobQueue):
    """A second message for a job is refused while the first waits; removed, it can be queued again."""
    key = JobKey("acme", "job-a")
    assert await queue.publish(key, MIX, STANDARD)
    assert not await queue.publish(key, MIX, STANDARD)
    assert set(await queue.queued()) == {key}
    await queue.remove(key)
    assert set(await queue.queued()) == set()
    assert await queue.publish(key, MIX, STANDARD)


async def test_a_busy_worker_holds_no_second_job(broker: Broker, queue: JetStreamJobQueue):
    """What reaches a worker on a pull that it had open while idle goes back at once, to another that has time."""
    async with JobPuller(await broker.connect("worker")) as busy:
        waiting = asyncio.create_task(busy.next())
        await asyncio.sleep(0.1)  # lets its pulls reach the broker; nothing here tells when they have
        assert await queue.publish(JobKey("acme", "job-first"), MIX, STANDARD)
        first = await waiting
        # The pulls on the other classes are still open, and the next job arrives on one of them.
        assert await queue.publish(JobKey("acme", "job-second"), MIX, BULK)
        async with JobPuller(await broker.connect("worker")) as idle, asyncio.timeout(5):
            second = await idle.next()
            await second.done()
        await first.done()
    assert (first.key.job, second.key.job) == ("job-first", "job-second")
    assert await queue.depth() == 0


async def test_an_idle_worker_takes_up_after_the_broker_was_killed(broker: Broker, queue: JetStreamJobQueue):
    """A pull that died with the broker is made anew when the connection is."""
    async with JobPuller(await broker.connect("worker")) as puller:
        waiting = asyncio.create_task(puller.next())
        await broker.kill()

        async def is_queued() -> bool:
            try:
                return await queue.publish(JobKey("acme", "job-a"), MIX, STANDARD)
            except QueueUnavailable:
                return False

        await eventually(is_queued)
        async with asyncio.timeout(5):
            lease = await waiting
        await lease.done()
    assert lease.key == JobKey("acme", "job-a")


async def work_through(pullers: list[JobPuller], count: int, *, work_s: float) -> list[tuple[str, float]]:
    """Take `count` jobs with some workers, each busy for a while; return tenants and times in order of start."""
    started: list[tuple[str, float]] = []
    finished = 0

    async def worker(puller: JobPuller) -> None:
        nonlocal finished
        while len(started) < count:
            lease = await puller.next()
            started.append((lease.key.tenant, time.monotonic()))
            await asyncio.sleep(work_s)
            await lease.done()
            finished += 1

    tasks = [asyncio.create_task(worker(puller)) for puller in pullers]
    while len(started) < count or finished < len(started):
        await asyncio.wait(tasks, timeout=0.02)
        assert not any(task.done() and task.exception() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return started


@contextlib.asynccontextmanager
async def workers_of(broker: Broker, count: int) -> AsyncIterator[list[JobPuller]]:
    """Open the pulling side of some workers."""
    async with contextlib.AsyncExitStack() as stack:
        connections = [await broker.connect("worker") for _ in range(count)]
        yield [await stack.enter_async_context(JobPuller(connection)) for connection in connections]


async def test_a_small_tenant_does_not_wait_behind_a_large_one(broker: Broker, queue: JetStreamJobQueue):
    """Three jobs behind sixty of another tenant start among the first, and nobody's job is lost."""
    for n in range(60):
        await queue.publish(JobKey("acme", f"job-a{n}"), MIX, BULK)
    for n in range(3):
        await queue.publish(JobKey("beta", f"job-b{n}"), MIX, BULK)
    async with workers_of(broker, 2) as pullers:
        started = await work_through(pullers, 63, work_s=0.005)
    tenants = [tenant for tenant, _ in started]
    assert sorted(tenants) == ["acme"] * 60 + ["beta"] * 3
    assert max(place for place, tenant in enumerate(tenants) if tenant == "beta") < 10


async def test_a_tenant_is_held_to_its_limit(broker: Broker):
    """No more of a tenant's jobs are handed out at a time than it may have; another's are."""
    queue = JetStreamJobQueue(await broker.connect("render"), running_max=1)
    for key in (JobKey("acme", "job-a1"), JobKey("acme", "job-a2"), JobKey("beta", "job-b1")):
        await queue.publish(key, MIX, STANDARD)
    async with (
        JobPuller(await broker.connect("worker")) as one,
        JobPuller(await broker.connect("worker")) as two,
        JobPuller(await broker.connect("worker")) as three,
    ):
        first, second = await one.next(), await two.next()
        assert {first.key.tenant, second.key.tenant} == {"acme", "beta"}
        third = asyncio.create_task(three.next())
        done, _ = await asyncio.wait([third], timeout=0.3)
        assert not done
        await (first if first.key.tenant == "acme" else second).done()
        async with asyncio.timeout(5):
            assert (await third).key == JobKey("acme", "job-a2")


async def test_a_lane_that_vanished_is_made_again(broker: Broker, queue: JetStreamJobQueue):
    """A job whose lane somebody deleted is found again after the next comparison."""
    await queue.publish(JobKey("acme", "job-a"), MIX, STANDARD)
    admin = await broker.connect("admin")
    assert await delete_consumer(admin, "JOBS", "standard-acme")
    await queue.keep_lanes({(STANDARD, "acme")})
    async with JobPuller(await broker.connect("worker")) as puller, asyncio.timeout(5):
        assert (await puller.next()).key == JobKey("acme", "job-a")


@pytest.mark.bench
@pytest.mark.timeout(900)
async def test_ten_jobs_behind_ten_thousand(broker: Broker, queue: JetStreamJobQueue):
    """Mean wait of 10 jobs of B behind 10,000 of A, beside B alone and beside first in, first out."""
    work_s, workers, crowd = 0.05, 3, 10_000

    async def offer(tenant: str, count: int) -> None:
        for n in range(count):
            assert await queue.publish(JobKey(tenant, f"job-{n}"), MIX, BULK)

    async def mean_wait_of_b(pullers: list[JobPuller], count: int) -> float:
        await offer("beta", 10)
        offered_s = time.monotonic()
        taken = await work_through(pullers, count, work_s=work_s)
        waits = [at_s - offered_s for tenant, at_s in taken if tenant == "beta"]
        assert len(waits) == 10
        return statistics.fmean(waits)

    async with workers_of(broker, workers) as pullers:
        alone_s = await mean_wait_of_b(pullers, 10)
    await offer("acme", crowd)
    async with workers_of(broker, workers) as pullers:
        await work_through(pullers, 100, work_s=work_s)  # A has had its share before B comes
        behind_s = await mean_wait_of_b(pullers, 100)
    fifo_s = (crowd - 100) * work_s / workers + alone_s
    sys.stdout.write(
        f"\n10 jobs of B, {work_s * 1e3:.0f} ms each, {workers} workers: alone {alone_s:.3f} s mean wait, behind "
        f"{crowd} of A {behind_s:.3f} s ({behind_s / alone_s:.2f}x, {behind_s / fifo_s:.2%} of first in, first out)"
    )
    assert behind_s <= 2.5 * alone_s
    assert behind_s <= 0.2 * fifo_s
