"""How old what a process remembers of a log can be, proven and not assumed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from tapelog_chassis.errors import Unavailable
from tapelog_chassis.event_log import AggregateId, EventLog, LogUnavailable

LIMIT_S: Final = 1.0
"""A projection whose last proof is older is not believed: whoever needs an answer then asks the log."""
ASK_EVERY_S: Final = 0.25
"""A proof older than this is renewed when somebody asks: four small requests a second, and none in idle hours."""
RETRY_S: Final = 0.1
"""After a log that did not answer, or a projection that did not move."""

_log = structlog.get_logger(__name__)


class Heads(Protocol):
    """What a process knows of aggregates' ends without asking the log."""

    def sequence(self, aggregate: AggregateId) -> int | None:
        """Return the sequence that an aggregate had at a moment not longer ago than a written limit, or a later one.

        None where nobody knows it as lately as that.
        """
        ...


class Freshness:
    """Proves that a projection held everything that the log held, and remembers when.

    The proof is a question and its answer. A projection that has reached the end that the log named is complete up to
    the moment before the question was asked. Nothing else renews the proof: no heartbeat, no open connection, no
    silence. So a tail that stalls, a link that swallows, a broker that was away all let it grow old by themselves.

    Parameters
    ----------
    log : EventLog
    context : str
        Whose end is asked for.
    reached : Callable[[int], Awaitable[None]]
        Returns when the projection holds this position; `Unavailable` if it does not get there.
    limit_s : float
        How old a proof may be.
    clock : Callable[[], float]
        Seconds that only grow, while the process is stopped too.
    """

    def __init__(
        self,
        log: EventLog,
        context: str,
        reached: Callable[[int], Awaitable[None]],
        *,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._context = context
        self._reached = reached
        self._limit_s = limit_s
        self._clock = clock
        self._proven_s = float("-inf")
        self._wanted = asyncio.Event()

    def __repr__(self) -> str:
        return f"Freshness({self._context!r}, age={self._clock() - self._proven_s:.3f} s)"

    def holds(self) -> bool:
        """Say whether the projection is proven to hold what the log held `limit_s` ago; asks for a newer proof."""
        age_s = self._clock() - self._proven_s
        if age_s > ASK_EVERY_S:
            self._wanted.set()
        return age_s <= self._limit_s

    async def prove(self) -> None:
        """Ask once.

        Raises
        ------
        LogUnavailable, Unavailable
            No proof was had.
        """
        asked_s = self._clock()
        await self._reached(await self._log.head(self._context))
        self._proven_s = max(self._proven_s, asked_s)

    async def run(self) -> None:
        """Renew the proof for ever, when it is asked for."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.prove()
            except (LogUnavailable, Unavailable) as failure:
                _log.warning("not proven fresh", context=self._context, cause=str(failure))
                await asyncio.sleep(RETRY_S)
