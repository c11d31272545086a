"""The projector: copies every context's events into the public stream, each once, in order, whoever else tries.

Its place is in what it writes: each public message carries how far every log was published with it, and each write is
fenced with the stream's last position. So a projector needs no memory of its own; two of them cannot both write, and
one that was killed at any point is continued by reading the stream's last message.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from tapelog_chassis.event_log import EventLog, ForeignMessage, StoredEvent
from tapelog_chassis.failpoints import failpoint
from tapelog_chassis.topology import pub_subject

from tapelog_notify import telemetry
from tapelog_notify.domain.threads import audience_of
from tapelog_notify.errors import FenceLost, ProjectionLost, PublishUnknown

from .ports import End, Outgoing, PublicStream

BUFFERED_MAX: Final = 256
"""Events read ahead per context; at 256 KiB each at most 64 MiB."""
BATCH_MAX: Final = 100
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
BATCH_MIN: Final = 8
"""An atomic batch costs as much as about seven single writes: fewer events are written one by one."""
STANDBY_POLL_S: Final = 0.25
TAKEOVER_S: Final = 1.0
"""A standby takes over when events lie unpublished for this long while the public stream stands still."""
RESTART_S: Final = (0.2, 5.0)
"""First and longest wait before the projector is started anew after a failure."""
READ_RETRY_S: Final = 0.1

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Source:
    """One context's log: what was read and is not yet published; `passed` is the last that never will be."""

    context: str
    position: int
    first_head: int
    passed: int = 0
    events: deque[StoredEvent] = field(default_factory=deque)
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_behind(self) -> bool:
        """Whether events that existed at the start have yet to be read."""
        return max(self.position, self.passed) < self.first_head and not self.events

    def drop_published(self, position: int) -> None:
        while self.events and self.events[0].position <= position:
            self.events.popleft()
        self.position = position
        self.room.set()


class Projector:
    """
    Merges the logs of some contexts into the public stream.

    Order within a context, and so within an aggregate, is the log's. Between contexts it is by time where several
    events wait, else as they come; once written it is settled.

    Parameters
    ----------
    log
        Where events come from.
    public
        Where they go.
    contexts
        Which logs; at equal times the earlier one goes first.
    """

    def __init__(self, log: EventLog, public: PublicStream, contexts: Sequence[str]) -> None:
        self._log = log
        self._public = public
        self._contexts = tuple(contexts)
        self._sources: list[_Source] = []
        self._end = End(0, {})
        self._arrived = asyncio.Event()

    def __repr__(self) -> str:
        return f"Projector(end={self._end.position}, waiting={sum(len(s.events) for s in self._sources)})"

    def position(self, context: str) -> int:
        """Return up to where a context's log is published; 0 before the first look at the public stream."""
        published = self._end.sources.get(context, 0)
        source = next((source for source in self._sources if source.context == context), None)
        return max(published, source.passed) if source is not None and not source.events else published

    async def run(self) -> None:
        """Project for ever; after a failure begin again from what the public stream says."""
        shortest_s, longest_s = RESTART_S
        delay_s = shortest_s
        while True:
            began_s = _now_s()
            try:
                await self._project()
            except* Exception as group:  # noqa: BLE001 - whatever it was, projecting goes on; the log has it all
                reasons = [f"{type(error).__name__}: {error}" for error in group.exceptions]
                _log.error("projector starts anew", reasons=reasons, in_s=delay_s, exc_info=group)
            finally:
                telemetry.PROJECTOR_ACTIVE.set(0)
            if _now_s() - began_s > longest_s:
                delay_s = shortest_s
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, longest_s)

    async def _project(self) -> None:
        self._end = await self._public.end()
        positions = {context: self._end.sources.get(context, 0) for context in self._contexts}
        self._sources = [
            _Source(context, position, await self._log.head(context)) for context, position in positions.items()
        ]
        _log.info("projector begins", end=self._end.position, sources=positions)
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._read(source), name=f"read {source.context}")
            group.create_task(self._publish(), name="publish")

    async def _read(self, source: _Source) -> None:
        async for event in self._log.tail(source.context, after_position=source.position):
            if isinstance(event, ForeignMessage) or not _has_public_subject(event):
                source.passed = event.position
                continue
            while len(source.events) >= BUFFERED_MAX:
                source.room.clear()
                await source.room.wait()
            if event.position > source.position:
                source.events.append(event)
                self._arrived.set()

    async def _publish(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            try:
                failpoint("notify.before_publish")
                position = await self._public.publish(self._end.position, batch)
                failpoint("notify.after_publish")
            except PublishUnknown as error:
                _log.warning("public stream did not answer", error=str(error))
                await asyncio.sleep(READ_RETRY_S)
                await self._look_again()
            except FenceLost:
                telemetry.FENCES_LOST.inc()
                await self._look_again()
                await self._stand_by()
            else:
                telemetry.PROJECTOR_ACTIVE.set(1)
                for outgoing in batch:
                    telemetry.PUBLISHED.labels(outgoing.event.aggregate.context).inc()
                self._advance(End(position, batch[-1].positions))

    def _next_batch(self) -> list[Outgoing]:
        """Merge what waits by time, without taking it: one event, or enough for an atomic batch."""
        if any(source.is_behind for source in self._sources):
            return []
        batch: list[Outgoing] = []
        size_bytes = 0
        places = [0] * len(self._sources)
        positions = {source.context: source.position for source in self._sources}
        while len(batch) < BATCH_MAX:
            heads = [
                (source.events[place].time, index)
                for index, (source, place) in enumerate(zip(self._sources, places, strict=True))
                if place < len(source.events)
            ]
            if not heads:
                break
            _, index = min(heads)
            source = self._sources[index]
            event = source.events[places[index]]
            size_bytes += len(event.data)
            if batch and size_bytes > BATCH_BYTES_MAX:
                break
            places[index] += 1
            positions = {**positions, source.context: event.position}
            batch.append(Outgoing(event, positions))
            if places[index] == len(source.events) and event.position < source.first_head:
                break  # the next event of this log may be older than what waits in the others
        return batch if len(batch) >= BATCH_MIN else batch[:1]

    def _advance(self, end: End) -> None:
        for source in self._sources:
            position = end.sources.get(source.context, 0)
            if position < source.position:
                raise ProjectionLost(
                    f"the public stream says that {source.context} is published up to {position}, it was "
                    f"{source.position} before"
                )
            source.drop_published(position)
        self._end = end

    async def _look_again(self) -> None:
        self._advance(await self._public.end())

    async def _stand_by(self) -> None:
        """Leave the writing to the projector that was faster, and take over when it leaves events lying."""
        telemetry.PROJECTOR_ACTIVE.set(0)
        _log.info("projector stands by", end=self._end.position)
        still_since_s = _now_s()
        while True:
            await asyncio.sleep(STANDBY_POLL_S)
            before = self._end.position
            await self._look_again()
            waits = any(source.events for source in self._sources)
            if not waits or self._end.position != before:
                still_since_s = _now_s()
            elif _now_s() - still_since_s > TAKEOVER_S:
                _log.info("projector takes over", end=self._end.position)
                return


def _has_public_subject(event: StoredEvent) -> bool:
    """Say whether an event can be published; what cannot was not written by any version of ours."""
    try:
        audience = audience_of(event.type, event.data)
        pub_subject(event.aggregate.tenant, event.metadata.project, event.metadata.song, event.type, audience=audience)
    except ValueError as error:
        _log.error("event not published", aggregate=str(event.aggregate), position=event.position, cause=str(error))
        return False
    return True


def _now_s() -> float:
    """Return the loop's own time: what waits and what measures the waiting go by one clock."""
    return asyncio.get_running_loop().time()
