"""The session service's aggregates on the log: its event vocabulary and one repository per kind."""

from __future__ import annotations

import dataclasses
from typing import Final, Self

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2 as pb
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.aggregates.freshness import Heads
from tapelog_chassis.clock import Clock
from tapelog_chassis.event_log import EventLog, SnapshotStore, StoredEvent

from tapelog_session.application.song_snapshot import SongCodec
from tapelog_session.domain import asset as assets
from tapelog_session.domain import evolve as song_fold
from tapelog_session.domain import key_ring as key_rings
from tapelog_session.domain import person as people
from tapelog_session.domain import project as projects
from tapelog_session.domain import studio_session as studio_sessions
from tapelog_session.domain.asset import Asset
from tapelog_session.domain.handover import delivery as deliveries
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.key_ring import KeyRing
from tapelog_session.domain.person import Person
from tapelog_session.domain.project import Project
from tapelog_session.domain.song import Song
from tapelog_session.domain.studio_session import StudioSession

CONTEXT: Final = "session"

EVENTS: Final = EventRegistry(
    {
        "project": [
            pb.ProjectCreated,
            pb.MemberAdded,
            pb.MemberRoleChanged,
            pb.MemberRemoved,
            pb.PolicySet,
            pb.AllowanceSet,
            pb.ProjectClosed,
            pb.ProjectReopened,
        ],
        "song": list(song_fold.ON),
        "person": [pb.PersonErased],
        "key_ring": [pb.ApiKeyCreated, pb.ApiKeyRevoked],
        "asset": [pb.AssetRegistered],
        "studio_session": [
            pb.StudioSessionOpened,
            pb.AttendeeLogged,
            pb.EquipmentLogged,
            pb.ContributionLogged,
            pb.ContributionConfirmed,
            pb.ContributionDisputed,
            pb.StudioSessionClosed,
        ],
        "delivery_package": [
            pb.DeliveryBuilt,
            pb.CreditsExported,
            pb.DeliveryHandedOver,
            pb.DeliveryAccepted,
            pb.DeliveryReturned,
        ],
    }
)
"""Every event message, by the word of its aggregate."""


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregates:
    """One repository per kind of aggregate, all on one log."""

    projects: Repository[Project]
    songs: Repository[Song]
    assets: Repository[Asset]
    deliveries: Repository[DeliveryPackage]
    sessions: Repository[StudioSession]
    people: Repository[Person]
    key_rings: Repository[KeyRing]

    @classmethod
    def on(
        cls,
        log: EventLog,
        *,
        clock: Clock | None = None,
        snapshots: SnapshotStore | None = None,
        project_heads: Heads | None = None,
    ) -> Self:
        """Open the repositories on a log; songs, which grow long, are kept in snapshots if there is a store."""
        return cls(
            projects=Repository(
                log,
                CONTEXT,
                initial=Project,
                evolve=_project_after,
                events=EVENTS,
                clock=clock,
                heads=project_heads,
            ),
            songs=Repository(
                log,
                CONTEXT,
                initial=Song,
                evolve=_song_after,
                events=EVENTS,
                snapshots=snapshots,
                codec=SongCodec() if snapshots is not None else None,
                clock=clock,
            ),
            assets=Repository(log, CONTEXT, initial=Asset, evolve=_asset_after, events=EVENTS, clock=clock),
            deliveries=Repository(
                log, CONTEXT, initial=DeliveryPackage, evolve=_delivery_after, events=EVENTS, clock=clock
            ),
            sessions=Repository(log, CONTEXT, initial=StudioSession, evolve=_session_after, events=EVENTS, clock=clock),
            people=Repository(log, CONTEXT, initial=Person, evolve=_person_after, events=EVENTS, clock=clock),
            key_rings=Repository(log, CONTEXT, initial=KeyRing, evolve=_ring_after, events=EVENTS, clock=clock),
        )


def _project_after(state: Project, event: Message, stored: StoredEvent) -> Project:
    return projects.evolve(state, event, stored.time)


def _song_after(state: Song, event: Message, stored: StoredEvent) -> Song:
    return song_fold.evolve(state, event, stored.time)


def _asset_after(state: Asset, event: Message, stored: StoredEvent) -> Asset:
    return assets.evolve(state, event, stored.time)


def _person_after(state: Person, event: Message, stored: StoredEvent) -> Person:
    return people.evolve(state, event, stored.time)


def _ring_after(state: KeyRing, event: Message, stored: StoredEvent) -> KeyRing:
    return key_rings.evolve(state, event, stored.time)


def _session_after(state: StudioSession, event: Message, stored: StoredEvent) -> StudioSession:
    return studio_sessions.evolve(state, event, stored.time)


def _delivery_after(state: DeliveryPackage, event: Message, stored: StoredEvent) -> DeliveryPackage:
    return dataclasses.replace(deliveries.evolve(state, event, stored.time), id=stored.aggregate.id)
