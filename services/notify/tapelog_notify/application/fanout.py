"""One reading of the public stream for all followers: each event is read once, and handed to those who want it.

A follower first reads its own past, then joins the shared tail; one who falls behind leaves it and reads its past anew.
So a thousand followers cost the broker one consumer, and a slow one costs this process no more than its mailbox.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

import structlog
from tapelog_chassis.nats import NatsError

from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.errors import CursorAhead

from .ports import PublicEvents

MAILBOX_MAX: Final = 256
"""Events that wait in this process for one follower; the rest wait in the stream."""
RETRY_S: Final = 0.25
"""Wait before the broker is asked again after it did not answer."""
ALL_SONGS: Final = ""

_log = structlog.get_logger(__name__)


class Mailbox:
    """What has come for one follower since it joined, up to `MAILBOX_MAX` events."""

    def __init__(self, tenant: str, event_filter: EventFilter, position: int) -> None:
        self.tenant = tenant
        self.filter = event_filter
        self.joined_position = position
        self.events: deque[PublicEvent] = deque()
        self.has_overflowed = False
        self.lost: CursorAhead | None = None
        self._arrived = asyncio.Event()

    def __repr__(self) -> str:
        return f"Mailbox({self.tenant}, {len(self.events)} events)"

    def put(self, event: PublicEvent) -> None:
        """Take an event in; a full mailbox takes none any more."""
        if self.has_overflowed:
            return
        if len(self.events) >= MAILBOX_MAX:
            self.has_overflowed = True
        else:
            self.events.append(event)
        self._arrived.set()

    def lose(self, cause: CursorAhead) -> None:
        """Note that the stream went back behind what came last."""
        self.lost = cause
        self._arrived.set()

    async def arrival(self) -> None:
        """Wait until something is there, or it has overflowed."""
        await self._arrived.wait()
        self._arrived.clear()


class Fanout:
    """
    The shared tail; it reads only while somebody follows.

    Parameters
    ----------
    public
        The public stream.
    """

    def __init__(self, public: PublicEvents) -> None:
        self._public = public
        self._mailboxes: dict[tuple[str, str], set[Mailbox]] = {}
        self._count = 0
        self._position = 0
        self._is_live = False
        self._has_failed = False
        self._starting = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()

    def __repr__(self) -> str:
        return f"Fanout({self._count} followers, position={self._position})"

    @property
    def position(self) -> int:
        """Everything up to here was handed out."""
        return self._position

    async def run(self) -> None:
        """Read for as long as somebody follows, for ever."""
        while True:
            await self._wanted.wait()
            self._idle.clear()
            try:
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(self._read(), name="public tail")
                    await self._idle.wait()
                    reading.cancel()
            except* NatsError as failures:
                _log.warning("public tail begins anew", errors=[str(error) for error in failures.exceptions])
                self._has_failed = True
                await asyncio.sleep(RETRY_S)
            except* CursorAhead as failures:
                _log.error("the public stream went back", errors=[str(error) for error in failures.exceptions])
                self._lose(next(error for error in failures.exceptions if isinstance(error, CursorAhead)))

    def _lose(self, cause: CursorAhead) -> None:
        """Tell every follower that its place is gone; whoever comes next begins at the stream's present end."""
        self._is_live = False
        self._wanted.clear()
        for mailboxes in self._mailboxes.values():
            for mailbox in mailboxes:
                mailbox.lose(cause)

    @asynccontextmanager
    async def reader(
        self, tenant: str, event_filter: EventFilter, *, after_position: int
    ) -> AsyncIterator["FanoutReader"]:
        """Follow one tenant's events behind a position: a `Reader`."""
        reader = FanoutReader(self, self._public, tenant, event_filter, after_position)
        try:
            yield reader
        finally:
            await reader.close()

    async def join(self, tenant: str, event_filter: EventFilter) -> Mailbox:
        """Have every event behind the mailbox's `joined_position` put into it."""
        async with self._starting:
            if not self._is_live:
                self._position = (await self._public.bounds()).last
                self._is_live = True
                self._wanted.set()
        mailbox = Mailbox(tenant, event_filter, self._position)
        for key in self._keys(mailbox):
            self._mailboxes.setdefault(key, set()).add(mailbox)
        self._count += 1
        return mailbox

    def leave(self, mailbox: Mailbox) -> None:
        """Put nothing more into a mailbox; the last one to leave ends the reading."""
        for key in self._keys(mailbox):
            self._mailboxes[key].discard(mailbox)
            if not self._mailboxes[key]:
                del self._mailboxes[key]
        self._count -= 1
        if not self._count:
            self._is_live = False
            self._wanted.clear()
            self._idle.set()

    @staticmethod
    def _keys(mailbox: Mailbox) -> list[tuple[str, str]]:
        return [(mailbox.tenant, song) for song in mailbox.filter.songs or (ALL_SONGS,)]

    async def _read(self) -> None:
        if self._has_failed and self._position > (last := (await self._public.bounds()).last):
            raise CursorAhead(self._position, last)
        self._has_failed = False
        async with self._public.tail(after_position=self._position) as events:
            async for event in events:
                self._hand_out(event)

    def _hand_out(self, event: PublicEvent) -> None:
        if event.position <= self._position:
            return  # a reading that is about to end may be behind where its followers' successors joined
        for song in {event.song, ALL_SONGS}:
            for mailbox in self._mailboxes.get((event.tenant, song), ()):
                if event.passes(mailbox.filter):
                    mailbox.put(event)
        self._position = event.position


class FanoutReader:
    """One follower's place: a `Reader`."""

    def __init__(
        self, fanout: Fanout, public: PublicEvents, tenant: str, event_filter: EventFilter, after_position: int
    ) -> None:
        self._fanout = fanout
        self._public = public
        self._tenant = tenant
        self._filter = event_filter
        self._settled = after_position
        self._mailbox: Mailbox | None = None
        self._past: AsyncGenerator[PublicEvent, None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PublicEvent:
        while True:
            try:
                event = await self._next()
            except NatsError as error:
                _log.info("a follower reads on", position=self._settled, error=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            if event is not None:
                return event

    async def settled_position(self) -> int:
        """See `Reader.settled_position`."""
        mailbox = self._mailbox
        if self._past is None and mailbox is not None and not mailbox.events and not mailbox.has_overflowed:
            self._settled = max(self._settled, self._fanout.position)
        return self._settled

    async def close(self) -> None:
        """Leave the shared tail."""
        await self._begin_anew()

    async def _next(self) -> PublicEvent | None:
        if self._mailbox is None:
            self._mailbox = await self._fanout.join(self._tenant, self._filter)
            last = self._mailbox.joined_position
            self._past = self._public.range(
                self._tenant, after_position=self._settled, last=last, event_filter=self._filter
            )
        if self._past is not None:
            return await self._next_of_past(self._mailbox, self._past)
        if self._mailbox.lost is not None:
            raise self._mailbox.lost
        if self._mailbox.events:
            event = self._mailbox.events.popleft()
            if event.position <= self._settled:
                return None
            self._settled = event.position
            return event
        if self._mailbox.has_overflowed:
            await self._begin_anew()
        else:
            await self._mailbox.arrival()
        return None

    async def _next_of_past(self, mailbox: Mailbox, past: AsyncGenerator[PublicEvent, None]) -> PublicEvent | None:
        try:
            event = await anext(past)
        except StopAsyncIteration:
            self._past = None
            self._settled = max(self._settled, mailbox.joined_position)
            return None
        except BaseException:
            # A reading that was interrupted, also by a heartbeat, is at an end: it begins again behind the last event.
            await self._begin_anew()
            raise
        self._settled = event.position
        return event

    async def _begin_anew(self) -> None:
        past, self._past = self._past, None
        if self._mailbox is not None:
            self._fanout.leave(self._mailbox)
            self._mailbox = None
        if past is not None:
            await past.aclose()
