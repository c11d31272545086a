"""What lists need and aggregates do not have: the fold of a whole log into rows, in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2 as pb
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.aggregates.gaps import Gaps
from tapelog_chassis.event_log import LogItem, StoredEvent

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.versioning.versions import MASTER, MIX

SONG_TYPES: Final = "tapelog.song."
PROJECT_TYPES: Final = "tapelog.project."
OF_NO_PROJECT: Final = ("tapelog.person.", "tapelog.key_ring.")

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True)
class ProjectRow:
    """What lists know of a project; `order` rises with every project of the tenant, and tells nothing of others.

    Attributes
    ----------
    update_time : datetime
        The latest time of its own events, not of its songs'; clocks of two processes may differ.
    """

    order: int
    id: str
    external_ref: str
    create_time: datetime
    update_time: datetime
    sequence: int = 1
    members: dict[str, tuple[RoleValue, ...]] = dataclasses.field(default_factory=dict)
    songs: list[SongRow] = dataclasses.field(default_factory=list)
    objects: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(slots=True)
class SongRow:
    """What lists know of a song.

    Attributes
    ----------
    order, place : int
        Count from 1, in its project and over all songs of the tenant: page tokens have them in them.
    update_time : datetime, optional
        The latest time of its events; clocks of two processes may differ.
    people : dict[str, datetime]
        Who did something in it, and when for the first time.
    """

    order: int
    place: int
    project: str
    id: str
    title: str
    external_ref: str
    create_time: datetime
    sequence: int = 0
    update_time: datetime | None = None
    people: dict[str, datetime] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Deadline:
    """Approvals that are expected by a time."""

    tenant: str
    project: str
    song: str
    kind: KindValue
    number: int
    due: datetime


@dataclasses.dataclass(slots=True)
class Lists:
    """The rows; equal when they were made of equal events."""

    projects: dict[tuple[str, str], ProjectRow] = dataclasses.field(default_factory=dict)
    by_tenant: dict[str, list[ProjectRow]] = dataclasses.field(default_factory=dict)
    songs: dict[tuple[str, str], SongRow] = dataclasses.field(default_factory=dict)
    song_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    uploads: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    deadlines: dict[tuple[str, str, KindValue, int], Deadline] = dataclasses.field(default_factory=dict)
    stored: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    stored_bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    position: int = 0
    gaps: Gaps = dataclasses.field(default_factory=lambda: Gaps("lists"))

    def apply(self, item: LogItem, events: EventRegistry) -> None:
        """Take in what lies at the next position; positions that were seen before change nothing.

        What cannot be read is stepped over, with all that follows on its aggregate.
        """
        if item.position <= self.position:
            return
        self.position = item.position
        event = self.gaps.event_of(item)
        if event is None:
            return
        message = None
        if event.type in _READ or event.type not in events.types:
            message = self.gaps.message_of(event, events)
            if message is None:
                return
        self._apply(event, message)

    def _apply(self, event: StoredEvent, message: Message | None) -> None:
        tenant, metadata = event.aggregate.tenant, event.metadata
        if isinstance(message, pb.ProjectCreated):
            order = len(self.by_tenant.get(tenant, ())) + 1
            row = ProjectRow(order, message.project, message.external_ref, event.time, event.time)
            self.projects[tenant, message.project] = row
            self.by_tenant.setdefault(tenant, []).append(row)
            return
        if event.type.startswith(OF_NO_PROJECT):
            return
        known = self.projects.get((tenant, metadata.project))
        if known is None:
            _log.error("event of a project that was never created", event_id=event.event_id, project=metadata.project)
            return
        if isinstance(message, pb.SongCreated):
            self._add_song(known, message, event)
        if event.type.startswith(SONG_TYPES):
            self._touch(event)
        elif event.type.startswith(PROJECT_TYPES):
            known.sequence, known.update_time = event.sequence, max(event.time, known.update_time)
        if message is not None:
            self._expect(event, message)
            self._keep(tenant, known, message)
        if isinstance(message, pb.AssetRegistered):
            self.uploads.setdefault((tenant, metadata.request_id), metadata.request_hash)

    def _add_song(self, known: ProjectRow, created: pb.SongCreated, event: StoredEvent) -> None:
        tenant = event.aggregate.tenant
        place = self.song_counts[tenant] = self.song_counts.get(tenant, 0) + 1
        row = SongRow(
            order=len(known.songs) + 1,
            place=place,
            project=known.id,
            id=created.song,
            title=created.title,
            external_ref=created.external_ref,
            create_time=event.time,
        )
        known.songs.append(row)
        self.songs[tenant, created.song] = row

    def _touch(self, event: StoredEvent) -> None:
        row = self.songs.get((event.aggregate.tenant, event.aggregate.id))
        if row is None:
            _log.error("event of a song that was never created", event_id=event.event_id, song=event.aggregate.id)
            return
        row.sequence, row.update_time = event.sequence, max(event.time, row.update_time or event.time)
        for party in (event.metadata.actor, event.metadata.on_behalf_of):
            if party:
                row.people.setdefault(party, event.time)

    def _keep(self, tenant: str, known: ProjectRow, message: Message) -> None:
        """Keep members, and the objects that a project refers to."""
        match message:
            case pb.MemberAdded() | pb.MemberRoleChanged():
                known.members[message.party] = tuple(message.roles)
            case pb.MemberRemoved():
                known.members.pop(message.party, None)
        for sha256, size_bytes in _objects_in(message):
            known.objects.add(sha256)
            of_tenant = self.stored.setdefault(tenant, set())
            if sha256 not in of_tenant:
                of_tenant.add(sha256)
                self.stored_bytes[tenant] = self.stored_bytes.get(tenant, 0) + size_bytes

    def _expect(self, event: StoredEvent, message: Message) -> None:
        """Keep the deadlines of versions in review."""
        tenant, song = event.aggregate.tenant, event.aggregate.id
        match message:
            case pb.VersionSubmittedForReview() if message.deadline_hours:
                due = event.time + timedelta(hours=message.deadline_hours)
                key = (tenant, song, message.kind, message.number)
                project = event.metadata.project
                self.deadlines[key] = Deadline(tenant, project, song, message.kind, message.number, due)
            case pb.ApprovalDeadlineMissed() | pb.ChangesRequested() | pb.VersionRejected() | pb.VersionSuperseded():
                self.deadlines.pop((tenant, song, message.kind, message.number), None)
            case pb.MixVersionApproved():
                self.deadlines.pop((tenant, song, MIX, message.number), None)
            case pb.MasterVersionApproved():
                self.deadlines.pop((tenant, song, MASTER, message.number), None)


def _objects_in(message: Message) -> Iterator[tuple[str, int]]:
    """Yield the objects that an event gives a project, and their sizes."""
    match message:
        case pb.AssetRegistered():
            yield message.asset.sha256, message.asset.size_bytes
        case pb.VersionRendered():
            yield from ((audio.sha256, audio.size_bytes) for audio in message.audio)
            yield from ((attachment.sha256, attachment.size_bytes) for attachment in message.attachments)
        case pb.CompRendered() | pb.AlternateRendered() if message.HasField("audio"):
            yield message.audio.sha256, message.audio.size_bytes
        case pb.StemsRendered():
            yield from ((stem.audio.sha256, stem.audio.size_bytes) for stem in message.stems)
        case pb.DeliveryBuilt():
            yield from ((file.sha256, file.size_bytes) for file in message.files)
            yield message.manifest_sha256, 0


_READ: Final[frozenset[str]] = frozenset(
    {
        "tapelog.project.project_created.v1",
        "tapelog.project.member_added.v1",
        "tapelog.project.member_role_changed.v1",
        "tapelog.project.member_removed.v1",
        "tapelog.song.song_created.v1",
        "tapelog.song.version_rendered.v1",
        "tapelog.song.alternate_rendered.v1",
        "tapelog.song.comp_rendered.v1",
        "tapelog.song.stems_rendered.v1",
        "tapelog.song.version_submitted_for_review.v1",
        "tapelog.song.approval_deadline_missed.v1",
        "tapelog.song.changes_requested.v1",
        "tapelog.song.version_rejected.v1",
        "tapelog.song.version_superseded.v1",
        "tapelog.song.mix_version_approved.v1",
        "tapelog.song.master_version_approved.v1",
        "tapelog.asset.asset_registered.v1",
        "tapelog.delivery_package.delivery_built.v1",
    }
)
"""Types whose content matters here; of the others the headers are enough."""
