"""Every read that may be asked as of a moment answers it as it answered then, whatever happened since."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from google.protobuf.message import Message
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import NotFound, OutOfRange


def _now() -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(datetime.now(UTC))
    return stamp


def _sequence(etag: str) -> int:
    return int(etag.strip('"'))


class _Moment:
    """What reads answered at a moment, and how to ask for it again."""

    def __init__(self, studio: Any) -> None:
        self._studio = studio
        self._asked: list[tuple[str, Any, dict[str, Any], Message, int]] = []

    async def read(self, rpc: str, request: type[Message], sequence: int, **values: Any) -> Any:
        """Read now, and remember the answer; `sequence` of the aggregate, or 0 where a time alone can be asked."""
        answer = await self._studio.call("pia", rpc, request(**values))
        self._asked.append((rpc, request, values, answer, sequence))
        return answer

    async def is_over(self) -> timestamp_pb2.Timestamp:
        """End the moment: whatever happens now is later."""
        return _now()

    async def holds(self, ended: timestamp_pb2.Timestamp) -> None:
        """Every read answers today otherwise than then, and as of the moment as it did."""
        for rpc, request, values, then, sequence in self._asked:
            today = await self._studio.call("pia", rpc, request(**values))
            assert today != then, f"{rpc}: nothing has happened that it could show"
            assert await self._studio.call("pia", rpc, request(**values, as_of_time=_now())) == today, rpc
            by_time = await self._studio.call("pia", rpc, request(**values, as_of_time=ended))
            assert by_time == then, f"{rpc} as of a time"
            if sequence:
                by_sequence = await self._studio.call("pia", rpc, request(**values, as_of_sequence=sequence))
                assert by_sequence == then, f"{rpc} as of sequence {sequence}"


async def test_reads_of_a_song_in_recording(booked: Any) -> None:
    """Project, song, notes, facts, story, gate, sessions and the lists: then, and not as they are now."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    opened = await booked.call(
        "rex",
        "OpenStudioSession",
        wire.OpenStudioSessionRequest(
            song=booked.song,
            type=pb.STUDIO_SESSION_TYPE_RECORDING,
            venue="Pier Studio",
            attendees=[pb.Attendee(party="ana", role=pb.ROLE_ARTIST)],
        ),
    )
    track = wire.DefineTrackRequest(song=booked.song, track="lead-vox", title="Lead Vox")
    sequence = (await booked.call("rex", "DefineTrack", track)).sequence
    moment = _Moment(booked)
    project = await moment.read("GetProject", wire.GetProjectRequest, 8, name=booked.project)
    assert _sequence(project.etag) == 8
    await moment.read("ListProjects", wire.ListProjectsRequest, 0)
    await moment.read("ListProjects", wire.ListProjectsRequest, 0, member="max")
    await moment.read("GetSong", wire.GetSongRequest, sequence, name=booked.song)
    await moment.read("ListSongs", wire.ListSongsRequest, 0, parent=booked.project)
    await moment.read("ListSongs", wire.ListSongsRequest, 0, parent=booked.project, person="lou")
    await moment.read("SearchSongs", wire.SearchSongsRequest, 0, open_notes=True)
    await moment.read("SearchSongs", wire.SearchSongsRequest, 0, waiting_for_person="mel")
    await moment.read("SearchSongs", wire.SearchSongsRequest, 0, title="lights")
    await moment.read("ListNotes", wire.ListNotesRequest, sequence, parent=booked.song)
    await moment.read("ListSongEvents", wire.ListSongEventsRequest, sequence, parent=booked.song)
    await moment.read("GetSongHistory", wire.GetSongHistoryRequest, sequence, name=booked.song)
    await moment.read("EvaluateGate", wire.EvaluateGateRequest, sequence, song=booked.song)
    await moment.read("GetStudioSession", wire.GetStudioSessionRequest, _sequence(opened.etag), name=opened.name)
    await moment.read("ListStudioSessions", wire.ListStudioSessionsRequest, sequence, song=booked.song)
    ended = await moment.is_over()
    await booked.call("rex", "LogEquipment", wire.LogEquipmentRequest(name=opened.name, equipment=["Neumann U 47"]))
    roles = [pb.ROLE_RECORDING_ENGINEER]
    change = wire.AddMemberRequest(project=booked.project, member=pb.Member(party="mel", roles=roles))
    await booked.call("pia", "AddMember", change)
    note = wire.AddNoteRequest(song=booked.song, text="breath", severity=pb.NOTE_SEVERITY_BLOCKER)
    await booked.call("lou", "AddNote", note)
    await booked.call("pia", "RemoveMember", wire.RemoveMemberRequest(project=booked.project, party="max"))
    await moment.holds(ended)


async def test_reads_of_a_version_and_a_package(booked: Any, renders: Any) -> None:
    """A mix before it was approved, a package before it was accepted, a master before it was superseded."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    mix = await booked.call("mia", "ProposeMixVersion", propose)
    sequence = (await booked.get_song()).sequence
    moment = _Moment(booked)
    await moment.read("GetVersion", wire.GetVersionRequest, sequence, name=mix.name)
    ended = await moment.is_over()
    await renders.finish("mia", mix, 441)
    await moment.holds(ended)
    await booked.advance(pb.STAGE_MASTERING)
    package = await renders.deliver()
    moment = _Moment(booked)
    await moment.read("GetDelivery", wire.GetDeliveryRequest, _sequence(package.etag), name=package.name)
    await moment.read("GetSong", wire.GetSongRequest, (await booked.get_song()).sequence, name=booked.song)
    ended = await moment.is_over()
    await booked.call("lou", "AcceptDelivery", wire.AcceptDeliveryRequest(name=package.name))
    await moment.holds(ended)


async def test_an_asset_is_there_from_its_registration_on(booked: Any) -> None:
    """An asset never changes; before it was uploaded there is none, and no sequence lies beyond its last."""
    before = _now()
    asset = await booked.upload("rex", booked.wav(440))
    get = {"name": asset.name}
    for past in ({}, {"as_of_time": _now()}, {"as_of_sequence": 1}):
        assert await booked.call("rex", "GetAsset", wire.GetAssetRequest(**get, **past)) == asset
    with pytest.raises(NotFound):
        await booked.call("rex", "GetAsset", wire.GetAssetRequest(**get, as_of_time=before))
    with pytest.raises(OutOfRange):
        await booked.call("rex", "GetAsset", wire.GetAssetRequest(**get, as_of_sequence=2))
