"""A projection is believed for as long as a question and its answer prove it, and no longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tapelog_chassis.aggregates.freshness import ASK_EVERY_S, LIMIT_S, Freshness
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.event_log import LogUnavailable, MemoryEventLog
from tapelog_chassis.testing import eventually


class _Clock:
    """Seconds that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class _Log(MemoryEventLog):
    """A log whose end a test may keep to itself; it counts the questions."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0
        self.is_down = False

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        self.asked += 1
        await self.answers.wait()
        if self.is_down:
            raise LogUnavailable("nobody answers")
        return await super().head(context)


async def _at_once(_position: int) -> None:
    """Be a projection that is there already."""


@asynccontextmanager
async def _running(freshness: Freshness) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(freshness.run())
        try:
            yield
        finally:
            task.cancel()


async def test_nothing_is_fresh_before_the_first_proof() -> None:
    """A projection that was never compared with the log is not believed, and asked about once somebody wants it."""
    log, clock = _Log(), _Clock()
    freshness = Freshness(log, "session", _at_once, clock=clock)
    async with _running(freshness):
        await asyncio.sleep(0)
        assert log.asked == 0
        assert not freshness.holds()
        await eventually(freshness.holds)
    assert log.asked == 1


async def test_a_proof_lives_for_the_limit_and_is_renewed_before() -> None:
    """Asked for all the time it is renewed four times a second; left alone it is renewed by nobody and ends."""
    log, clock = _Log(), _Clock()
    freshness = Freshness(log, "session", _at_once, clock=clock)
    await freshness.prove()
    clock.now_s += LIMIT_S
    assert freshness.holds()
    clock.now_s += 0.001
    assert not freshness.holds()
    async with _running(freshness):
        await eventually(lambda: log.asked == 2)
        for _ in range(8):
            clock.now_s += ASK_EVERY_S + 0.001
            before = log.asked
            assert freshness.holds()
            await eventually(lambda before=before: log.asked == before + 1)
            await asyncio.sleep(0)
            assert freshness.holds()


async def test_an_answer_that_comes_late_proves_the_moment_of_the_question() -> None:
    """What a stalled link delivers after two seconds says nothing about these two seconds."""
    log, clock = _Log(), _Clock()
    freshness = Freshness(log, "session", _at_once, clock=clock)
    log.answers.clear()
    asking = asyncio.create_task(freshness.prove())
    await asyncio.sleep(0)
    clock.now_s += 2 * LIMIT_S
    log.answers.set()
    await asking
    assert not freshness.holds()


async def test_a_stalled_projection_proves_nothing() -> None:
    """The log answers and the projection does not move: no proof, whatever the connection says."""
    log, clock = _Log(), _Clock()

    async def stalls(_position: int) -> None:
        raise Unavailable("VIEW_BEHIND", "it does not move", retry_after_s=0.1)

    freshness = Freshness(log, "session", stalls, clock=clock)
    with pytest.raises(Unavailable):
        await freshness.prove()
    async with _running(freshness):
        assert not freshness.holds()
        await eventually(lambda: log.asked >= 3 or freshness.holds())
        assert not freshness.holds()


async def test_a_broker_that_is_away_lets_the_proof_grow_old() -> None:
    """While nobody answers the last proof ages; the first answer after that is a proof again."""
    log, clock = _Log(), _Clock()
    freshness = Freshness(log, "session", _at_once, clock=clock)
    await freshness.prove()
    log.is_down = True
    clock.now_s += LIMIT_S + 0.1
    async with _running(freshness):
        assert not freshness.holds()
        await eventually(lambda: log.asked >= 2)
        assert not freshness.holds()
        log.is_down = False
        await eventually(freshness.holds)
