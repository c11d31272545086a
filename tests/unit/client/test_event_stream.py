from contextlib import aclosing

import pytest
from tapelog_client import StaticTokenSource, Tapelog
from tapelog_client.errors import Unavailable

from .conftest import SmallNotify


async def _take(api: Tapelog, count: int, after_position: int) -> list[int]:
    found: list[int] = []
    async with aclosing(api.events.subscribe(after_position=after_position)) as events:
        async for event in events:
            found.append(event.position)
            if len(found) == count:
                break
    return found


async def test_a_broken_stream_is_resumed_without_loss_or_repeat(api: Tapelog, small_notify: SmallNotify) -> None:
    """Two breaks in the middle: every event comes once, in order, and each stream begins after the last one seen."""
    small_notify.breaks = [3, 2]

    assert await _take(api, 9, after_position=0) == list(range(1, 10))
    assert small_notify.starts == [0, 3, 5]


async def test_a_stream_begins_after_the_position_given(api: Tapelog) -> None:
    """A kept cursor goes on where it stopped."""
    assert await _take(api, 3, after_position=6) == [7, 8, 9]


async def test_the_cursor_moves_with_events_and_heartbeats(api: Tapelog) -> None:
    """The position to keep is told for heartbeats too, so that a quiet filter does not fall behind."""
    told: list[int] = []
    async with aclosing(api.events.subscribe(after_position=7, on_position=told.append)) as events:
        async for event in events:
            if event.position == 9:
                break

    assert told == [7, 8]


async def test_a_stream_that_never_opens_gives_up() -> None:
    """A wrong address is an error after a bounded number of attempts."""
    async with Tapelog.connect(notify="127.0.0.1:1", tokens=StaticTokenSource("none")) as api:
        with pytest.raises(Unavailable):
            await _take(api, 1, after_position=0)
