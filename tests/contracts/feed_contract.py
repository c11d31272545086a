"""What every ordered feed of a subscription does; subclasses give a bench."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

DELAY_S = 0.3


@dataclass
class FeedBench:
    """A feed with three events, and a clock that says how much time has passed for it."""

    open: Callable[[], AbstractAsyncContextManager[Any]]
    restart: Callable[[], Any]
    now_s: Callable[[], float] = time.monotonic


class FeedContract:
    """The contract; `Test…` classes inherit it and have a fixture `bench`."""

    async def test_the_next_event_comes_when_the_one_before_was_accepted(self, bench: FeedBench) -> None:
        """In order of their positions, each as a first attempt."""
        found = []
        async with bench.open() as feed:
            async for due in feed:
                found.append((due.event.position, due.attempt))
                await due.extend()
                await due.accept()
                if len(found) == 3:
                    break
        assert found == [(1, 1), (2, 1), (3, 1)]

    async def test_a_retry_comes_after_its_delay_and_nothing_overtakes_it(self, bench: FeedBench) -> None:
        """The same event, counted, and not before its time."""
        async with bench.open() as feed:
            due = await anext(feed)
            began_s = bench.now_s()
            await due.retry(DELAY_S)
            again = await anext(feed)
            waited_s = bench.now_s() - began_s
            assert (again.event.id, again.attempt) == (due.event.id, 2)
            assert waited_s >= DELAY_S * 0.95
            await again.accept()
            assert (await anext(feed)).event.position == 2

    async def test_an_event_that_was_not_settled_is_offered_after_a_restart_as_a_first_attempt(
        self, bench: FeedBench
    ) -> None:
        """All attempts begin anew, also while a long delay was running."""
        async with bench.open() as feed:
            due = await anext(feed)
            await due.retry(3600.0)
        began_s = bench.now_s()
        await bench.restart()
        async with bench.open() as feed:
            again = await anext(feed)
        assert (again.event.position, again.attempt) == (1, 1)
        assert bench.now_s() - began_s < 60.0
