"""Slots: so many at a time, the next in line in their order, nobody lost by whoever gives up."""

import asyncio

import pytest
from tapelog_chassis.rpc.slots import LINE_S, Slots

LONG_S = 60.0


async def until_waiting() -> None:
    """Let the tasks that were just made come to their wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_line_is_served_in_its_order():
    """Two slots, four takers: the third and fourth get theirs when one is given back, the third first."""
    slots, order = Slots(2, waiting_max=2), []

    async def take(name: str) -> None:
        assert await slots.take(LONG_S)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(take(name))
            await until_waiting()
        assert order == ["a", "b"]
        slots.give()
        await until_waiting()
        assert order == ["a", "b", "c"]
        slots.give()
    assert order == ["a", "b", "c", "d"]


async def test_a_full_line_and_a_time_that_is_over_refuse():
    """With no room in line at once; in line when the time is over; the slot itself stays whole."""
    slots = Slots(1, waiting_max=1)
    assert await slots.take()
    assert not await slots.take(0.01)
    waiting = asyncio.create_task(slots.take(LONG_S))
    await until_waiting()
    assert not await slots.take(LONG_S)
    slots.give()
    assert await waiting
    slots.give()
    assert await slots.take(0.0)


@pytest.mark.parametrize("when", ["given first", "given in the same moment", "given later"])
async def test_who_gives_up_takes_nothing_along(when: str):
    """Cancelled in line, also in the moment in which the turn comes: the slot is there for the next."""
    slots = Slots(1, waiting_max=1)
    assert await slots.take()
    waiting = asyncio.create_task(slots.take(LONG_S))
    await until_waiting()
    if when == "given first":
        slots.give()
        waiting.cancel()
    else:
        waiting.cancel()
        if when == "given later":
            await until_waiting()
        slots.give()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await slots.take(0.0)
    assert not await slots.take(0.0)


async def test_a_time_that_is_over_in_the_moment_of_the_turn_loses_nothing():
    """Fifty in line for a hundredth of a second while slots are given back all the time: all slots are there after."""
    slots = Slots(3, waiting_max=100)
    for _ in range(3):
        assert await slots.take()

    async def use() -> None:
        if await slots.take(0.01):
            await asyncio.sleep(0)
            slots.give()

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(use())
        for _ in range(3):
            await asyncio.sleep(0.004)
            slots.give()
    assert [await slots.take(0.0) for _ in range(4)] == [True, True, True, False]


async def test_the_line_is_as_long_as_the_wait_in_it_allows():
    """Turns that come late make it shorter, down to a few places; turns that come in time make it longer again."""
    slots = Slots(1, waiting_max=64)
    assert slots.room == 65
    assert await slots.take()
    line = [asyncio.create_task(slots.take(LONG_S)) for _ in range(64)]
    await until_waiting()
    assert slots.room == 0
    await asyncio.sleep(1.1 * LINE_S)  # what is tried is the passing of time itself
    for turn in line:
        slots.give()
        assert await turn
    assert slots.room < 20
    for _ in range(64):
        slots.give()
        assert await slots.take()
    assert slots.room == 64
