"""What lists need and aggregates do not have: an in-memory projection of the log, made anew at every start."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Final

import structlog
from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2 as pb
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.event_log import EventLog, StoredEvent
from tapelog_chassis.event_registry import EventRegistry

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.versions import MASTER, MIX

CATCH_UP_S: Final = 5.0
"""How long a list waits for the projection to reach what was in the log when it was asked."""
RETRY_S: Final = 0.5

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True)
class ProjectRow:
    """What lists know of a project; `order` rises with every project of the service."""

    order: int
    id: str
    external_ref: str
    members: set[str] = dataclasses.field(default_factory=set)
    songs: list[SongRow] = dataclasses.field(default_factory=list)
    objects: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True, slots=True)
class SongRow:
    """What lists know of a song; `order` counts from 1 in its project."""

    order: int
    id: str
    external_ref: str


@dataclasses.dataclass(frozen=True, slots=True)
class Deadline:
    """Approvals that are expected by a time."""

    tenant: str
    project: str
    song: str
    kind: KindValue
    number: int
    due: datetime


class Views:
    """The projection: fed by `run`, read after `caught_up`."""

    def __init__(self, log: EventLog, context: str, events: EventRegistry) -> None:
        self._log = log
        self._context = context
        self._events = events
        self._projects: dict[tuple[str, str], ProjectRow] = {}
        self._by_tenant: dict[str, list[ProjectRow]] = {}
        self._uploads: dict[tuple[str, str], str] = {}
        self._deadlines: dict[tuple[str, str, KindValue, int], Deadline] = {}
        self._moved = asyncio.Condition()
        self.position = 0

    def __repr__(self) -> str:
        return f"Views({len(self._projects)} projects, position={self.position})"

    async def run(self) -> None:
        """Follow the log for ever."""
        async for event in self._log.tail(self._context, after_position=self.position):
            self.apply(event)
            async with self._moved:
                self._moved.notify_all()

    async def caught_up(self, *, timeout_s: float = CATCH_UP_S) -> None:
        """Wait until everything that is in the log now is in the projection: a caller reads its own writes.

        Raises
        ------
        Unavailable
            It did not get there in time.
        """
        head = await self._log.head(self._context)
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self.position >= head)
        except TimeoutError:
            raise Unavailable(
                "VIEW_BEHIND",
                f"the lists are {head - self.position} places behind the log; try again",
                metadata={"position": self.position, "head": head},
                retry_after_s=RETRY_S,
            ) from None

    def projects_of(self, tenant: str, party: str | None, external_ref: str) -> list[ProjectRow]:
        """Return a tenant's projects, oldest first: of a member, or all for `party` None."""
        return [
            row
            for row in self._by_tenant.get(tenant, [])
            if (party is None or party in row.members) and external_ref in ("", row.external_ref)
        ]

    def songs_of(self, tenant: str, project: str, external_ref: str) -> list[SongRow]:
        """Return a project's songs, oldest first."""
        row = self._projects.get((tenant, project))
        return [] if row is None else [song for song in row.songs if external_ref in ("", song.external_ref)]

    def refers_to(self, tenant: str, project: str, sha256: str) -> bool:
        """Say whether anything of a project refers to an object."""
        row = self._projects.get((tenant, project))
        return row is not None and sha256 in row.objects

    def overdue(self, now: datetime) -> list[Deadline]:
        """Return the deadlines that have passed without an alert, the oldest first."""
        return sorted((d for d in self._deadlines.values() if d.due <= now), key=lambda d: d.due)

    def upload_hash(self, tenant: str, request_id: str) -> str:
        """Return the hash of the header that an upload's request_id was first sent with, or nothing.

        An asset is named by its bytes, so the same request_id with another file leads to another aggregate, which
        cannot know of the first.
        """
        return self._uploads.get((tenant, request_id), "")

    def apply(self, event: StoredEvent) -> None:
        """Take in one event; positions that were seen before change nothing."""
        if event.position <= self.position:
            return
        self._apply(event)
        self.position = event.position

    def _apply(self, event: StoredEvent) -> None:
        tenant, metadata = event.aggregate.tenant, event.metadata
        message = self._events.decode(event)
        if isinstance(message, pb.ProjectCreated):
            row = ProjectRow(len(self._projects) + 1, message.project, message.external_ref)
            self._projects[tenant, message.project] = row
            self._by_tenant.setdefault(tenant, []).append(row)
            return
        known = self._projects.get((tenant, metadata.project))
        if known is None:
            _log.error("event of a project that was never created", event_id=event.event_id, project=metadata.project)
            return
        self._expect(event, message)
        match message:
            case pb.MemberAdded():
                known.members.add(message.party)
            case pb.MemberRemoved():
                known.members.discard(message.party)
            case pb.SongCreated():
                known.songs.append(SongRow(len(known.songs) + 1, message.song, message.external_ref))
            case pb.AssetRegistered():
                known.objects.add(message.asset.sha256)
                self._uploads.setdefault((tenant, metadata.request_id), metadata.request_hash)
            case pb.VersionRendered():
                known.objects.update(audio.sha256 for audio in message.audio)
                known.objects.update(attachment.sha256 for attachment in message.attachments)
            case pb.CompRendered() if message.HasField("audio"):
                known.objects.add(message.audio.sha256)
            case pb.AlternateRendered() if message.HasField("audio"):
                known.objects.add(message.audio.sha256)
            case pb.DeliveryBuilt():
                known.objects.update(file.sha256 for file in message.files)
                known.objects.add(message.manifest_sha256)

    def _expect(self, event: StoredEvent, message: Message) -> None:
        """Keep the deadlines of versions in review."""
        tenant, song = event.aggregate.tenant, event.aggregate.id
        match message:
            case pb.VersionSubmittedForReview() if message.deadline_hours:
                due = event.time + timedelta(hours=message.deadline_hours)
                key = (tenant, song, message.kind, message.number)
                project = event.metadata.project
                self._deadlines[key] = Deadline(tenant, project, song, message.kind, message.number, due)
            case pb.ApprovalDeadlineMissed() | pb.ChangesRequested() | pb.VersionRejected() | pb.VersionSuperseded():
                self._deadlines.pop((tenant, song, message.kind, message.number), None)
            case pb.MixVersionApproved():
                self._deadlines.pop((tenant, song, MIX, message.number), None)
            case pb.MasterVersionApproved():
                self._deadlines.pop((tenant, song, MASTER, message.number), None)
