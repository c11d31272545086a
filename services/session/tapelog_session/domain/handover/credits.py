"""Credits of a song as XML in the shape of DDEX RIN 2.1, and what they still lack.

The shape follows the public description of the Recording Information Notification: the order of its lists, the
prefixes of its references, unqualified children. Nothing here validates against the standard's own schema.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.errors import Condition
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import RoleValue, role_word
from tapelog_session.domain.song import Song
from tapelog_session.domain.studio_session import StudioSession
from tapelog_session.domain.versioning.versions import MASTER, MIX

NAMESPACE: Final = "http://ddex.net/xml/rin/21"
ROLE_CODES: Final[Mapping[int, str]] = {
    pb.ROLE_ARTIST: "Artist",
    pb.ROLE_STUDIO_PRODUCER: "StudioProducer",
    pb.ROLE_SONGWRITER: "ComposerLyricist",
    pb.ROLE_MUSICIAN: "Musician",
    pb.ROLE_RECORDING_ENGINEER: "RecordingEngineer",
    pb.ROLE_MIXING_ENGINEER: "MixingEngineer",
    pb.ROLE_MASTERING_ENGINEER: "MasteringEngineer",
    pb.ROLE_STUDIO_TECHNICIAN: "StudioTechnician",
    pb.ROLE_LABEL: "Label",
}
"""Role codes; `MixingEngineer` and `MasteringEngineer` were seen in use, the others follow their form."""
EXPECTED: Final = (pb.ROLE_ARTIST, pb.ROLE_STUDIO_PRODUCER, pb.ROLE_MIXING_ENGINEER)
"""Whoever is on no record of a finished song has been forgotten."""


@dataclasses.dataclass(frozen=True, slots=True)
class Credits:
    """Everything that the credits of a song are made of.

    Attributes
    ----------
    names : Mapping[str, str]
        Names to show by party id; a party without a record is missing.
    sequence : int
        Sequence of the song: the version of the message.
    """

    project: Project
    song: Song
    sessions: Sequence[StudioSession]
    names: Mapping[str, str]
    sequence: int

    def contributions(self) -> Iterator[tuple[StudioSession, pb.Contribution]]:
        """Yield every contribution with its session, in order."""
        for session in self.sessions:
            for contribution in session.content.contributions:
                yield session, contribution

    def parties(self) -> list[str]:
        """Return everybody who is named, in order of their first mention."""
        named = [writer for work in self.song.works for writer in work.writers]
        named += [contribution.party for _, contribution in self.contributions()]
        named += [attendee.party for session in self.sessions for attendee in session.content.attendees]
        return list(dict.fromkeys(named))


def missing(credits_: Credits) -> tuple[Condition, ...]:
    """Return what the credits of a song still lack, one entry a gap."""
    return tuple(_missing(credits_))


def _missing(credits_: Credits) -> Iterator[Condition]:
    song, name = credits_.song, str(credits_.song.name)
    if not song.isrc:
        yield Condition("ISRC_MISSING", name, "set the recording's ISRC")
    for work in song.works:
        if not work.iswc:
            yield Condition("ISWC_MISSING", work.title, "the work has no ISWC yet")
    for party in credits_.parties():
        if not credits_.names.get(party):
            yield Condition("NAME_MISSING", party, "write the party's name, so that the credits can show it")
    for session, contribution in credits_.contributions():
        what = f"{contribution.party} as {role_word(contribution.role)}"
        if contribution.state == pb.CONTRIBUTION_STATE_LOGGED:
            yield Condition("CONTRIBUTION_UNCONFIRMED", contribution.id, f"{what} waits for the person ({session.id})")
        elif contribution.state == pb.CONTRIBUTION_STATE_DISPUTED:
            yield Condition("CONTRIBUTION_DISPUTED", contribution.id, f"{what}: {contribution.dispute_reason[:200]}")
    credited = {contribution.role for _, contribution in credits_.contributions()}
    for role in EXPECTED:
        if role not in credited:
            yield Condition("ROLE_UNCREDITED", role_word(role), "nobody is credited in this role")
    played = {take for _, contribution in credits_.contributions() for take in contribution.takes}
    for take in song.selected_takes():
        if take.id not in played:
            yield Condition("TAKE_UNCREDITED", take.id, f"nobody is credited for the take of {take.track}")


def rin_xml(credits_: Credits, *, live: bool) -> bytes:
    """Return the document; disputed contributions are left out, since nobody vouches for them."""
    ET.register_namespace("rin", NAMESPACE)
    root = ET.Element(f"{{{NAMESPACE}}}RecordingInformationNotification")
    parties = {party: f"P{number}" for number, party in enumerate(credits_.parties(), start=1)}
    header = _child(root, "MessageHeader")
    _child(header, "MessageId", credits_.song.id)
    _child(header, "MessageVersionId", str(credits_.sequence))
    _child(header, "MessageControlType", "LiveMessage" if live else "TestMessage")
    listed = _child(root, "PartyList")
    for party, reference in parties.items():
        entry = _child(listed, "Party")
        _child(entry, "PartyReference", reference)
        _child(entry, "PartyId", party)
        _child(_child(entry, "PartyName"), "FullName", credits_.names.get(party) or party)
    _works(root, credits_, parties)
    _resources(root, credits_, parties)
    _components(root, credits_)
    project = _child(_child(root, "ProjectList"), "Project")
    _child(project, "ProjectReference", "J1")
    _child(project, "Title", credits_.project.title)
    _sessions(root, credits_, parties)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _works(root: ET.Element, credits_: Credits, parties: Mapping[str, str]) -> None:
    listed = _child(root, "MusicalWorkList")
    for number, work in enumerate(credits_.song.works, start=1):
        entry = _child(listed, "MusicalWork")
        _child(entry, "MusicalWorkReference", f"W{number}")
        if work.iswc:
            _child(entry, "ISWC", work.iswc)
        _child(entry, "Title", work.title)
        for writer in work.writers:
            _contributor(entry, parties[writer], pb.ROLE_SONGWRITER, "")


def _resources(root: ET.Element, credits_: Credits, parties: Mapping[str, str]) -> None:
    song = credits_.song
    entry = _child(_child(root, "ResourceList"), "SoundRecording")
    _child(entry, "SoundRecordingReference", "A1")
    if song.isrc:
        _child(entry, "ISRC", song.isrc)
    _child(entry, "Title", song.title)
    _child(entry, "DisplayArtistName", credits_.project.artist_name)
    for number in range(1, len(song.works) + 1):
        _child(entry, "MusicalWorkReference", f"W{number}")
    for kind, word in ((MIX, "Mix"), (MASTER, "Master")):
        version = song.approved(kind)
        if version is not None:
            element = _child(entry, "Element")
            _child(element, "ElementType", word)
            _child(element, "SampleDigest", version.sample_digest)
    for _, contribution in credits_.contributions():
        if contribution.state != pb.CONTRIBUTION_STATE_DISPUTED:
            _contributor(entry, parties[contribution.party], contribution.role, contribution.detail)


def _components(root: ET.Element, credits_: Credits) -> None:
    listed = _child(root, "RecordingComponentList")
    for number, take in enumerate(credits_.song.selected_takes(), start=1):
        entry = _child(listed, "RecordingComponent")
        _child(entry, "RecordingComponentReference", f"K{number}")
        _child(entry, "SoundRecordingReference", "A1")
        _child(entry, "Title", credits_.song.tracks[take.track].title)
        _child(entry, "ProprietaryId", take.id)


def _sessions(root: ET.Element, credits_: Credits, parties: Mapping[str, str]) -> None:
    listed = _child(root, "SessionList")
    for number, session in enumerate(credits_.sessions, start=1):
        content = session.content
        entry = _child(listed, "Session")
        _child(entry, "SessionReference", f"O{number}")
        _child(entry, "ProjectReference", "J1")
        type_ = pb.StudioSessionType.Name(content.type).removeprefix("STUDIO_SESSION_TYPE_")
        _child(entry, "SessionType", type_.title().replace("_", ""))
        venue = _child(entry, "Venue")
        _child(venue, "VenueName", content.venue)
        if content.room:
            _child(venue, "VenueRoom", content.room)
        _child(entry, "StartDateTime", content.start_time.ToJsonString())
        if content.HasField("end_time"):
            _child(entry, "EndDateTime", content.end_time.ToJsonString())
        for attendee in content.attendees:
            _contributor(entry, parties[attendee.party], attendee.role, "")
        for equipment in content.equipment:
            _child(entry, "Equipment", equipment)


def _contributor(parent: ET.Element, reference: str, role: RoleValue, detail: str) -> None:
    entry = _child(parent, "Contributor")
    _child(entry, "ContributorPartyReference", reference)
    _child(entry, "Role", ROLE_CODES.get(role, "UserDefined"))
    if detail:
        _child(entry, "RoleDetail", detail)


def _child(parent: ET.Element, tag: str, text: str = "") -> ET.Element:
    child = ET.SubElement(parent, tag)
    if text:
        child.text = text
    return child
