"""So many at a time, the next in line for a short while, everybody else not at all."""

import asyncio
import contextlib
from collections import deque
from typing import Final

WAIT_S: Final = 4.0
"""How long a call stands in line: shorter than its caller's patience. One that waits holds its place on the connection,
so that the transport refuses what comes behind it, for a tenth of what a refusal costs here (ADR 0100)."""
WAITING_MAX: Final = 1_000
"""Calls in line; a waiting call holds its request and little else."""


class Slots:
    """Hands out a number of slots, first come, first served.

    Parameters
    ----------
    count : int
        Slots.
    waiting_max : int
        How many may stand in line.
    """

    def __init__(self, count: int, *, waiting_max: int) -> None:
        self._free = count
        self._waiting_max = waiting_max
        self._line: deque[asyncio.Future[None]] = deque()

    async def take(self, wait_s: float = WAIT_S) -> bool:
        """Take a slot, now or within a time; False when there was none, or too many wait already.

        Whoever took one gives it back.
        """
        if self._free > 0:
            self._free -= 1
            return True
        if len(self._line) >= self._waiting_max:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except TimeoutError:
            return self._leave(turn)
        except asyncio.CancelledError:
            if self._leave(turn):
                self.give()
            raise
        return True

    def give(self) -> None:
        """Give a slot back: to whoever is first in line and has not just given up."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _leave(self, turn: "asyncio.Future[None]") -> bool:
        """Leave the line; say whether the turn had come in the same moment."""
        if turn.done() and not turn.cancelled():
            return True
        with contextlib.suppress(ValueError):  # whoever gave a slot back a moment ago passed over it
            self._line.remove(turn)
        return False
