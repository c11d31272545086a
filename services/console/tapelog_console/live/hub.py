"""What changed, for every open page: one event stream per tenant, fanned out without queues.

A page needs to know *that* a song moved on, and how far; it then reads the song again. So a watcher holds one number
and never a backlog: whatever a slow browser misses, the number it gets next covers it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import structlog
from tapelog.common.v1 import event_pb2
from tapelog_client.errors import TapelogApiError

PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 30.0
"""Between a stream that gave up and the next; doubled each time, up to this."""
OPENED_S: Final = 15.0
"""How long a page waits for its tenant's stream to stand before it goes on without; it is told when it stands."""
IDLE_S: Final = 60.0
"""How long a tenant's stream is kept after its last page closed: people move from page to page."""
FEEDS_MAX: Final = 64
"""Tenants followed at once; more than that are one console too few."""

_log = structlog.get_logger(__name__)


class EventSource(Protocol):
    """Public events of one tenant, as the SDK gives them."""

    def __call__(self, on_position: Callable[[int], None]) -> AsyncIterator[event_pb2.Event]:
        """Yield events from now on; tell each position up to which everything was yielded."""
        ...


class Change(NamedTuple):
    """What happened since a watcher asked last.

    Attributes
    ----------
    sequence : int
        The song's newest known sequence; 0 before any.
    beside : bool
        Whether something happened to the song in another log: a render, a delivery, a claim on usage.
    unsure : bool
        Whether events may have been missed: read, and compare.
    jobs : frozenset of str
        Ids of render jobs that were asked for.
    """

    sequence: int
    beside: bool
    unsure: bool
    jobs: frozenset[str]


@dataclass(eq=False)
class Watcher:
    """One open page.

    Attributes
    ----------
    projects : frozenset of str
        Ids of the projects whose events matter to it.
    song : str
        Id of the song, or empty for all of them.
    types : str
        What the types of its events begin with, of any project or of none; empty goes by project and song.
    """

    projects: frozenset[str]
    song: str = ""
    types: str = ""
    _jobs: set[str] = field(default_factory=set)
    _sequence: int = 0
    _is_beside: bool = False
    _is_unsure: bool = True
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event: event_pb2.Event) -> None:
        """Note an event, if it matters."""
        if self.types:
            if event.type.startswith(self.types):
                self._changed.set()
            return
        if event.project not in self.projects or (self.song and event.song != self.song):
            return
        if event.type == "tapelog.render_job.render_requested.v1":
            self._jobs.add(event.aggregate)
        if event.aggregate == self.song:
            self._sequence = max(self._sequence, event.sequence)
        elif self.song:
            self._is_beside = True
        self._changed.set()

    def unsettle(self) -> None:
        """Note that events may have been missed."""
        self._is_unsure = True
        self._changed.set()

    async def changed(self) -> Change:
        """Wait for a change; at first, and after a gap, it is one to be sure about."""
        await self._changed.wait()
        self._changed.clear()
        change = Change(self._sequence, self._is_beside, self._is_unsure, frozenset(self._jobs))
        self._is_beside = self._is_unsure = False
        self._jobs.clear()
        return change


class _Feed:
    """The event stream of one tenant and its watchers."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self.watchers: set[Watcher] = set()
        self.opened = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.idle_since_s = 0.0

    async def run(self) -> None:
        """Follow for ever; whenever the stream may have a gap, every watcher reads again."""
        pause_s = PAUSE_S
        while True:
            self.opened.clear()
            try:
                async for event in self._source(self._on_position):
                    pause_s = PAUSE_S
                    for watcher in self.watchers:
                        watcher.offer(event)
            except TapelogApiError as error:
                _log.warning("the event stream gave up; it is opened again", error=repr(error), pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    def _on_position(self, _: int) -> None:
        if not self.opened.is_set():
            self.opened.set()
            for watcher in self.watchers:
                watcher.unsettle()


class Hub:
    """Watches for pages; runs inside a task group.

    Parameters
    ----------
    group : asyncio.TaskGroup
        Holds the feeds' tasks.
    open_source : callable
        Opens the event source of a tenant.
    """

    def __init__(self, group: asyncio.TaskGroup, open_source: Callable[[str], EventSource]) -> None:
        self._group = group
        self._open_source = open_source
        self._feeds: dict[str, _Feed] = {}
        self.is_closed = False

    @asynccontextmanager
    async def watch(
        self, tenant: str, projects: frozenset[str] = frozenset(), song: str = "", *, types: str = ""
    ) -> AsyncIterator[Watcher]:
        """Watch projects, or one song of a project, or events of some types, for the length of the block.

        The stream stands when this enters, or the watcher is told when it does: what is read after entering is not
        older than what `changed` tells.
        """
        feed = self._feed(tenant)
        watcher = Watcher(projects, song, types)
        watcher.unsettle()
        feed.watchers.add(watcher)
        try:
            try:
                async with asyncio.timeout(OPENED_S):
                    await feed.opened.wait()
            except TimeoutError:
                _log.warning("the event stream does not stand yet", tenant=tenant, waited_s=OPENED_S)
            yield watcher
        finally:
            feed.watchers.discard(watcher)
            feed.idle_since_s = asyncio.get_running_loop().time()

    def _feed(self, tenant: str) -> _Feed:
        feed = self._feeds.get(tenant)
        if feed is None:
            self._drop_idle()
            feed = self._feeds[tenant] = _Feed(self._open_source(tenant))
            feed.task = self._group.create_task(feed.run(), name=f"events of {tenant}")
        return feed

    def _drop_idle(self) -> None:
        """Let go of tenants nobody looks at; of the longest idle ones first when there are too many."""
        now_s = asyncio.get_running_loop().time()
        idle = sorted(
            (feed.idle_since_s, tenant) for tenant, feed in self._feeds.items() if not feed.watchers and feed.task
        )
        spare = len(self._feeds) - FEEDS_MAX + 1
        for number, (since_s, tenant) in enumerate(idle):
            if number < spare or now_s - since_s > IDLE_S:
                self._stop(tenant)

    def _stop(self, tenant: str) -> None:
        feed = self._feeds.pop(tenant)
        if feed.task is not None:
            feed.task.cancel()

    def close(self) -> None:
        """End all feeds; streams to browsers see it and end too."""
        self.is_closed = True
        for tenant in list(self._feeds):
            self._stop(tenant)
