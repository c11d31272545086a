"""Credits captured while the work happens: studio sessions, contributions, the gate, and the exported document."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied

NAMES = {"ana": "Ana Pier", "pia": "Pia Desk", "mia": "Mia Fader", "mel": "Mel Drums"}


async def _open(studio: Any) -> pb.StudioSession:
    request = wire.OpenStudioSessionRequest(
        song=studio.song,
        type=pb.STUDIO_SESSION_TYPE_RECORDING,
        venue="Pier Studio",
        room="A",
        attendees=[pb.Attendee(party="ana", role=pb.ROLE_ARTIST)],
    )
    with pytest.raises(PermissionDenied):
        await studio.call("ana", "OpenStudioSession", request)
    return await studio.call("rex", "OpenStudioSession", request)


async def _log(studio: Any, session: str, by: str, party: str, role: int, **values: Any) -> pb.Contribution:
    wanted = pb.Contribution(party=party, role=role, **values)
    request = wire.LogContributionRequest(name=session, contribution=wanted)
    return (await studio.call(by, "LogContribution", request)).contributions[-1]


async def test_contributions_are_noted_confirmed_disputed_and_exported(booked: Any) -> None:
    """The person alone confirms; what waits is counted on the song and closes its last gate; the export tells gaps."""
    for party, name in NAMES.items():
        record = pb.Party(name=f"parties/{party}", display_name=name)
        await booked.call("pia", "UpsertParty", wire.UpsertPartyRequest(party=record))
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    take = await booked.add_take(booked.wav(440))
    await booked.select(take)
    session = (await _open(booked)).name
    await booked.call("rex", "LogEquipment", wire.LogEquipmentRequest(name=session, equipment=["U 47", "LA-2A"]))
    arrive = wire.LogAttendeeRequest(name=session, attendee=pb.Attendee(party="mel", role=pb.ROLE_MUSICIAN))
    assert len((await booked.call("rex", "LogAttendee", arrive)).attendees) == 2
    own = await _log(booked, session, "ana", "ana", pb.ROLE_ARTIST, detail="lead vocals", takes=[take.id])
    assert own.state == pb.CONTRIBUTION_STATE_CONFIRMED
    with pytest.raises(PermissionDenied):
        await _log(booked, session, "ana", "mel", pb.ROLE_MUSICIAN)
    with pytest.raises(InvalidArgument):
        await _log(booked, session, "rex", "mel", pb.ROLE_MUSICIAN, takes=["tk-9"])
    drums = await _log(booked, session, "rex", "mel", pb.ROLE_MUSICIAN, detail="drums")
    guitar = await _log(booked, session, "rex", "mel", pb.ROLE_MUSICIAN, detail="guitar")
    await _settle(booked, session, drums, guitar)
    export = wire.ExportCreditsRequest(song=booked.song)
    document = await booked.call("lou", "ExportCredits", export)
    assert document.xml == (await booked.call("lou", "ExportCredits", export)).xml
    _read(document.xml)
    codes = {gap.code for gap in document.missing}
    assert codes == {"ISRC_MISSING", "ISWC_MISSING", "CONTRIBUTION_DISPUTED", "ROLE_UNCREDITED"}


async def _settle(studio: Any, session: str, drums: pb.Contribution, guitar: pb.Contribution) -> None:
    """Two wait; the person confirms one and disputes the other; nobody else may."""
    (count,) = (await studio.get_song()).studio_sessions
    assert (count.waiting, count.confirmed, count.disputed) == (2, 1, 0)
    confirm = wire.ConfirmContributionRequest(name=session, contribution=drums.id)
    for other in ("rex", "pia", "ana"):
        with pytest.raises(PermissionDenied):
            await studio.call(other, "ConfirmContribution", confirm)
    await studio.call("mel", "ConfirmContribution", confirm)
    dispute = wire.DisputeContributionRequest(name=session, contribution=guitar.id, reason="that was Ben")
    known = await studio.call("mel", "DisputeContribution", dispute)
    assert known.contributions[-1].dispute_reason == "that was Ben"
    song = await studio.get_song()
    (count,) = song.studio_sessions
    assert (count.waiting, count.confirmed, count.disputed) == (0, 2, 1)
    listed = await studio.call("lou", "ListStudioSessions", wire.ListStudioSessionsRequest(song=studio.song))
    assert [found.name for found in listed.sessions] == [session]
    end = wire.CloseStudioSessionRequest(name=session)
    end.end_time.CopyFrom(known.start_time)
    assert (await studio.call("rex", "CloseStudioSession", end)).HasField("end_time")
    with pytest.raises(FailedPrecondition):
        await studio.call("rex", "CloseStudioSession", end)
    then = await studio.call("rex", "GetStudioSession", wire.GetStudioSessionRequest(name=session, as_of_sequence=1))
    assert (len(then.contributions), then.venue) == (0, "Pier Studio")


def _read(document: bytes) -> None:
    """The lists stand in their order; every reference resolves; nobody is credited against their word."""  # noqa: D401
    root = ET.fromstring(document)  # noqa: S314 - our own document
    assert [child.tag for child in root] == [
        "MessageHeader",
        "PartyList",
        "MusicalWorkList",
        "ResourceList",
        "RecordingComponentList",
        "ProjectList",
        "SessionList",
    ]
    assert root.tag == "{http://ddex.net/xml/rin/21}RecordingInformationNotification"
    assert root.findtext("MessageHeader/MessageControlType") == "TestMessage"
    defined = {
        element.text
        for list_, tag in (("PartyList/Party", "Party"), ("MusicalWorkList/MusicalWork", "MusicalWork"))
        for element in root.findall(f"{list_}/{tag}Reference")
    }
    defined |= {"A1", "J1"}
    used = {e.text for e in root.iter() if e.tag.endswith("Reference")} - {"K1", "O1"}
    assert used == defined
    names = {p.findtext("PartyReference"): p.findtext("PartyName/FullName") for p in root.findall("PartyList/Party")}
    credited = {
        (names[c.findtext("ContributorPartyReference")], c.findtext("Role"), c.findtext("RoleDetail"))
        for c in root.findall("ResourceList/SoundRecording/Contributor")
    }
    assert credited == {("Ana Pier", "Artist", "lead vocals"), ("Mel Drums", "Musician", "drums")}
    assert root.findtext("SessionList/Session/SessionType") == "Recording"
