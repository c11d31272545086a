"""Waiting for a state with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

FIRST_PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 0.5
"""Pauses grow by half between two looks: short waits end soon, long waits cost the service little."""
GROWTH: Final = 1.5

Found = TypeVar("Found")


async def poll(look: Callable[[], Awaitable[Found | None]], *, timeout_s: float) -> Found:
    """Look again and again until there is an answer; `TimeoutError` after `timeout_s`."""
    pause_s = FIRST_PAUSE_S
    async with asyncio.timeout(timeout_s):
        while (found := await look()) is None:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * GROWTH, LONGEST_PAUSE_S)
        return found
