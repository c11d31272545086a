"""Many callers, one question: whoever asks while it is being asked shares the next answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Coalesced(Generic[Answer]):
    """
    A question to the broker that a thousand callers may have at once.

    An answer counts only for those who asked before it was asked for: nobody gets one that is older than their call.

    Parameters
    ----------
    ask
        Asks.
    """

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._next: asyncio.Task[Answer] | None = None
        self._busy = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Coalesced({self._ask!r})"

    async def __call__(self) -> Answer:
        """Return an answer that was asked for after this call."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._once())
        # Shielded: one caller who gives up does not take the others' answer away.
        return await asyncio.shield(self._next)

    async def _once(self) -> Answer:
        async with self._busy:
            self._next = None
            return await self._ask()
