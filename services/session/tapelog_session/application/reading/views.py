"""The rows that lists are answered from: a projection of the log, made anew at every start and whenever asked."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.event_log import AggregateId, EventLog, LogItem

from tapelog_session.application.reading.lists import Deadline, Lists, ProjectRow, SongRow

CATCH_UP_S: Final = 5.0
"""How long a list waits for the projection to reach what was in the log when it was asked."""
RETRY_S: Final = 0.5
REBUILD_ROUNDS: Final = 100
"""Times that a rebuild reads what was written while it read; each round reads less."""


class Views:
    """The projection: fed by `run`, read after `caught_up`."""

    def __init__(self, log: EventLog, context: str, events: EventRegistry) -> None:
        self._log = log
        self._context = context
        self._events = events
        self._lists = Lists()
        self._awaited: set[asyncio.Future[None]] = set()
        self._rebuilding = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Views({len(self._lists.projects)} projects, position={self.position})"

    @property
    def position(self) -> int:
        """Position in the log of the last event taken in."""
        return self._lists.position

    async def run(self) -> None:
        """Follow the log for ever."""
        async for item in self._log.tail(self._context, after_position=self.position):
            self.apply(item)
            while self._awaited:
                moved = self._awaited.pop()
                if not moved.done():
                    moved.set_result(None)

    def apply(self, item: LogItem) -> None:
        """Take in what lies at the next position; positions that were seen before change nothing."""
        self._lists.apply(item, self._events)

    async def rebuild(self) -> bool:
        """Make the rows anew from the log and let them take the old ones' place, which answer until then.

        Returns
        -------
        bool
            Whether the new rows equal the old ones.

        Raises
        ------
        Unavailable
            The log grew faster than it was read, or the old rows do not move.
        """
        async with self._rebuilding:
            fresh = Lists()
            for _ in range(REBUILD_ROUNDS):
                async for item in self._log.read_all(self._context, after_position=fresh.position):
                    fresh.apply(item, self._events)
                await self.reached(fresh.position)
                if fresh.position == self.position:
                    is_equal, self._lists = fresh == self._lists, fresh
                    return is_equal
            raise Unavailable(
                "VIEW_BUSY", "the log grows faster than it is read; rebuild in a quieter moment", retry_after_s=RETRY_S
            )

    async def caught_up(self, *, timeout_s: float = CATCH_UP_S) -> None:
        """Wait until everything that is in the log now is in the projection: a caller reads its own writes.

        Raises
        ------
        Unavailable
            It did not get there in time.
        """
        await self.reached(await self._log.head(self._context), timeout_s=timeout_s)

    async def reached(self, head: int, *, timeout_s: float = CATCH_UP_S) -> None:
        """Wait until the event at a position is in the projection. Raises as `caught_up`."""
        if self.position >= head:
            return
        try:
            async with asyncio.timeout(timeout_s):
                while self.position < head:
                    moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._awaited.add(moved)
                    await moved
        except TimeoutError:
            raise Unavailable(
                "VIEW_BEHIND",
                f"the lists are {head - self.position} places behind the log; try again",
                metadata={"position": self.position, "head": head},
                retry_after_s=RETRY_S,
            ) from None

    def project_sequence(self, tenant: str, project: str) -> int | None:
        """Return the sequence of a project's last event that was taken in.

        None for a project that is not known, and for one of which something was stepped over.
        """
        row = self._lists.projects.get((tenant, project))
        if row is None or AggregateId(self._context, tenant, project) in self._lists.gaps:
            return None
        return row.sequence

    def projects_of(self, tenant: str, party: str | None, external_ref: str) -> list[ProjectRow]:
        """Return a tenant's projects, oldest first: of a member, or all for `party` None."""
        return [
            row
            for row in self._lists.by_tenant.get(tenant, [])
            if (party is None or party in row.members) and external_ref in ("", row.external_ref)
        ]

    def songs_of(self, tenant: str, project: str, external_ref: str) -> list[SongRow]:
        """Return a project's songs, oldest first."""
        row = self._lists.projects.get((tenant, project))
        return [] if row is None else [song for song in row.songs if external_ref in ("", song.external_ref)]

    def refers_to(self, tenant: str, project: str, sha256: str) -> bool:
        """Say whether anything of a project refers to an object."""
        row = self._lists.projects.get((tenant, project))
        return row is not None and sha256 in row.objects

    def overdue(self, now: datetime) -> list[Deadline]:
        """Return the deadlines that have passed without an alert, the oldest first."""
        return sorted((d for d in self._lists.deadlines.values() if d.due <= now), key=lambda d: d.due)

    def stored_bytes(self, tenant: str) -> int:
        """Return the bytes of what a tenant's projects refer to: uploads, versions, comps, stems, deliveries."""
        return self._lists.stored_bytes.get(tenant, 0)

    def upload_hash(self, tenant: str, request_id: str) -> str:
        """Return the hash of the header that an upload's request_id was first sent with, or nothing.

        An asset is named by its bytes, so the same request_id with another file leads to another aggregate, which
        cannot know of the first.
        """
        return self._lists.uploads.get((tenant, request_id), "")
