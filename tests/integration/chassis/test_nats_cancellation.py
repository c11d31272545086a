"""A task that uses the broker ends when it is told to, whatever it waits for at that moment."""

import asyncio
import random

from tapelog_chassis.testing import Broker


async def test_a_cancellation_that_comes_with_the_answer_is_not_lost(broker: Broker) -> None:
    """Cancelled at 300 random moments of request after request, a task ends each time."""
    connection = await broker.connect("admin")
    rng = random.Random(11)

    async def ask_for_ever() -> None:
        while True:
            await connection.request("$JS.API.INFO", b"", timeout=2)

    for _ in range(300):
        task = asyncio.create_task(ask_for_ever())
        await asyncio.sleep(rng.uniform(0.0, 0.002))
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=3.0)
        assert done, "the cancellation was lost"
        assert task.cancelled()
