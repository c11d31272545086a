"""Taking jobs from the real queue: urgent first, one at a time, nothing hoarded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderKind
from tapelog_chassis.testing import Broker, embedded_nats, eventually
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
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a broker."""
    async with embedded_nats(tmp_path) as running:
        yield running


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
