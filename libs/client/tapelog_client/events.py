"""The event stream that resumes by itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final

from tapelog.common.v1 import event_pb2
from tapelog.notify.v1 import notify_service_pb2 as rpc
from tapelog.notify.v1 import resources_pb2 as res

from tapelog_client.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from tapelog_client.group import Group
from tapelog_client.subscriptions import ThreadName, event_filter

PAUSE_S: Final = 0.1
PAUSE_S_MAX: Final = 5.0
"""Between a broken stream and the next; doubled each time nothing came, up to this."""
SILENCE_S_MAX: Final = 30.0
"""Three heartbeats missed: the stream is dead although nobody said so, and a new one is opened."""

OPENINGS_MAX: Final = 6
"""Failed attempts before a stream that never opened gives up: a wrong address is told, not retried for ever."""

BROKEN: Final = (Unavailable, DeadlineExceeded, ResourceExhausted, TimeoutError)
"""How a stream ends that is to be resumed: service gone, its time over, reader too slow, silence."""


class Events(Group):
    """Public events, live: `api.events`."""

    async def get(self, name: str) -> event_pb2.Event:
        """Read one event: `events/{position}`, or the `dataref` of a webhook's body."""
        return await self._link.unary(self._link.notify.GetEvent, rpc.GetEventRequest(name=name))

    async def end(self) -> int:
        """Return the position of the last event there is now: a stream says it when it opens."""
        async with aclosing(self._link.stream(self._link.notify.Subscribe, rpc.SubscribeRequest())) as stream:
            first = await anext(stream)
        return int(first.heartbeat.position if first.HasField("heartbeat") else first.event.position)

    async def subscribe(
        self,
        *,
        projects: Iterable[str] = (),
        songs: Iterable[str] = (),
        types: Iterable[str] = (),
        thread: ThreadName = "",
        after_position: int | None = None,
        on_position: Callable[[int], None] | None = None,
    ) -> AsyncGenerator[event_pb2.Event, None]:
        """Yield events in order, for ever; a broken stream is resumed after the last position, without loss or repeat.

        Parameters
        ----------
        projects, songs : iterable of str
            Ids; none is all that the caller may read.
        types : iterable of str
            Full types, or prefixes that end in `*`, such as `tapelog.song.stage_*`; none is all.
        thread : "", "internal" or "client"
            Of the events about notes, only those of this thread.
        after_position : int, optional
            Where to begin: 0 is from the first event, absent is with the next one.
        on_position : callable, optional
            Called with each position up to which everything was yielded: the cursor to keep for `after_position`.

        Raises
        ------
        Unavailable
            The stream could not be opened even once.
        OutOfRange
            The position is no longer, or not yet, in the stream.
        """
        chosen = event_filter(projects=projects, songs=songs, types=types, thread=thread)
        cursor = after_position
        pause_s = PAUSE_S
        failures = 0
        while True:
            start = None if cursor is None else res.StartPosition(after_position=cursor)
            request = rpc.SubscribeRequest(filter=chosen, start=start)
            try:
                async with aclosing(self._link.stream(self._link.notify.Subscribe, request)) as stream:
                    while True:
                        # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with an item.
                        async with asyncio.timeout(SILENCE_S_MAX):
                            item = await anext(stream)
                        pause_s, failures = PAUSE_S, 0
                        is_event = item.HasField("event")
                        position = item.event.position if is_event else item.heartbeat.position
                        if is_event and (cursor is None or position > cursor):
                            yield item.event
                        cursor = max(cursor or 0, position)
                        if on_position is not None:
                            on_position(cursor)
            except (*BROKEN, StopAsyncIteration) as broken:
                failures += 1
                if failures >= OPENINGS_MAX and cursor == after_position and not isinstance(broken, StopAsyncIteration):
                    raise
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_S_MAX)
