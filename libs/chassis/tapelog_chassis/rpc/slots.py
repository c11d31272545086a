"""So many at a time, the next in line for a short while, everybody else not at all."""

import asyncio
import contextlib
from typing import Final

WAIT_S: Final = 4.0
"""How long a call stands in line at most: shorter than its caller's patience."""
WAITING_MAX: Final = 256
"""Calls in line; what comes then is kept at the door (`front_door`), where it costs less."""
LINE_S: Final = 0.25
"""How long a call should stand in line: when those whose turn comes have waited longer, fewer may stand there. So
nobody waits in vain on a slow machine either, where each call takes longer."""
LINE_MIN: Final = 8
SHORTER: Final = 0.98
"""Of the line, for each that has waited too long; for each that has not, there is one place more."""


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
        self._places = float(waiting_max)
        self._line: dict[asyncio.Future[None], float] = {}
        """Turns in their order, and since when they wait."""
        self._room = asyncio.Event()

    @property
    def room(self) -> int:
        """How many would be let in now, to a slot or to a place in line in which waiting does not take long."""
        return max(0, self._free) + max(0, int(self._places) - len(self._line))

    async def room_within(self, wait_s: float) -> None:
        """Return as soon as somebody leaves the line or gives a slot back, or after a time."""
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._room.wait()

    async def take(self, wait_s: float = WAIT_S) -> bool:
        """Take a slot, now or within a time; False when there was none, or too many wait already.

        Whoever took one gives it back.
        """
        if self._free > 0:
            self._free -= 1
            return True
        if len(self._line) >= self._waiting_max:
            return False
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._line[turn] = loop.time()
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
        self._room.set()
        while self._line:
            turn = next(iter(self._line))
            since_s = self._line.pop(turn)
            if not turn.done():
                self._adapt(asyncio.get_running_loop().time() - since_s)
                turn.set_result(None)
                return
        self._adapt(0.0)
        self._free += 1

    def _adapt(self, waited_s: float) -> None:
        """Make the line as long as makes sense, going by how long somebody has waited whose turn came."""
        if waited_s > LINE_S:
            self._places = max(min(LINE_MIN, self._waiting_max), self._places * SHORTER)
        else:
            self._places = min(self._waiting_max, self._places + 1.0)

    def _leave(self, turn: "asyncio.Future[None]") -> bool:
        """Leave the line; say whether the turn had come in the same moment."""
        if turn.done() and not turn.cancelled():
            return True
        self._room.set()
        self._line.pop(turn, None)  # whoever gave a slot back a moment ago may have passed over it
        return False
