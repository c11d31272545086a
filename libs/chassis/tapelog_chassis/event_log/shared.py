"""One reading of a log's end for everybody in a process who follows it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final, cast

from .errors import PositionAhead
from .port import AggregateId, EventLog, LogItem, Metadata, NewEvent, StoredEvent

WAITING_MAX: Final = 1024
"""Events that may wait for one follower; who is slower reads them from the log when it comes to them."""

RETRY_S: Final = 0.01
"""Before a log is read again that did not have yet what it had delivered: a replica a moment behind."""


class _Follower:
    """What waits for one follower, and how far the reading was when it had to catch up."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.waiting: deque[LogItem] = deque()
        self.is_behind = False
        self._told: asyncio.Future[None] | None = None

    def offer(self, event: LogItem) -> None:
        if event.position <= self.position or self.is_behind:
            return
        if len(self.waiting) >= WAITING_MAX:
            self.waiting.clear()
            self.is_behind = True
            return
        self.waiting.append(event)

    async def news(self) -> None:
        """Wait until whoever reads has read something, or reads no more."""
        self._told = asyncio.get_running_loop().create_future()
        await self._told

    def tell(self) -> None:
        """End the wait, if there is one; it costs one round of the loop however often this is called meanwhile."""
        if self._told is not None and not self._told.done():
            self._told.set_result(None)


class SharedTail:
    """
    An `EventLog` whose followers share one reading of the end; everything else goes to the log inside.

    Without it each follower has a consumer at the broker, which sends, and this process decodes and verifies, every
    event once per follower. Whoever waits for an event reads for the others: there is no task to look after.

    Parameters
    ----------
    log
        The log inside.
    context
        Whose end is shared; others are followed each by itself.
    """

    def __init__(self, log: EventLog, context: str) -> None:
        self._log = log
        self._context = context
        self._is_read = False
        self._source: AsyncGenerator[LogItem] | None = None
        self._position = 0
        self._followers: set[_Follower] = set()

    def __repr__(self) -> str:
        return f"SharedTail({self._context!r}, {len(self._followers)} followers, position={self._position})"

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """See `EventLog.append`."""
        return await self._log.append(aggregate, expected_sequence, events, metadata)

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """See `EventLog.load`."""
        return await self._log.load(aggregate, after_sequence=after_sequence, after_position=after_position)

    def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.read_all`."""
        return self._log.read_all(context, after_position=after_position)

    async def head(self, context: str) -> int:
        """See `EventLog.head`."""
        return await self._log.head(context)

    def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """See `EventLog.tail`."""
        if context != self._context:
            return self._log.tail(context, after_position=after_position)
        return self._follow(after_position)

    async def _follow(self, after_position: int) -> AsyncIterator[LogItem]:
        follower = _Follower(after_position)
        is_first = not self._followers
        if is_first:
            self._position = after_position
        follower.is_behind = after_position < self._position
        self._followers.add(follower)
        try:
            if not is_first:
                await self._check_position(after_position)
            while True:
                if follower.is_behind:
                    async for event in self._catch_up(follower):
                        yield event
                elif follower.waiting:
                    event = follower.waiting.popleft()
                    follower.position = event.position
                    yield event
                else:
                    await self._read_for(follower)
        finally:
            self._followers.discard(follower)
            if not self._followers:
                await self._close()

    async def _check_position(self, position: int) -> None:
        """Refuse to follow from beyond the end; the reading itself is refused by the log inside."""
        head = await self._log.head(self._context)
        if position > head:
            raise PositionAhead(self._context, position, head)

    async def _catch_up(self, follower: _Follower) -> AsyncIterator[LogItem]:
        """Read what the others had before, from the log."""
        follower.is_behind = False  # from here on it is offered what comes
        others = self._position
        while follower.position < others:
            async for event in self._log.read_all(self._context, after_position=follower.position):
                follower.position = event.position
                yield event
            if follower.position < others:
                await asyncio.sleep(RETRY_S)
        while follower.waiting and follower.waiting[0].position <= follower.position:
            follower.waiting.popleft()

    async def _read_for(self, follower: _Follower) -> None:
        """Read the next event for all, or wait until whoever reads has done so."""
        if self._is_read:
            await follower.news()
            return
        if self._source is None:
            source = self._log.tail(self._context, after_position=self._position)
            self._source = cast("AsyncGenerator[LogItem]", source)
        self._is_read = True
        try:
            event = await anext(self._source)
        except BaseException:
            self._source = None  # a generator that raised is at its end
            raise
        else:
            self._position = event.position
            for each in self._followers:
                each.offer(event)
        finally:
            self._is_read = False
            for each in self._followers:
                each.tell()

    async def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await source.aclose()
