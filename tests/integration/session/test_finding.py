"""Lists as they were, searches over all projects, and views that are made anew while they answer."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import NotFound, PermissionDenied


def _now() -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(datetime.now(UTC))
    return stamp


async def _create(booked: Any, title: str, **values: Any) -> pb.Song:
    request = wire.CreateSongRequest(parent=booked.project, title=title, sample_rate_hz=48000, bit_depth=24, **values)
    return await booked.call("pia", "CreateSong", request)


async def test_lists_and_reads_as_of_a_time_show_what_was_there(booked: Any) -> None:
    """Songs, projects, notes, facts, the story and the gate of a moment are those of that moment."""
    await booked.agree()
    before = _now()
    sequence = (await booked.get_song()).sequence
    await booked.advance(pb.STAGE_RECORDING)
    await booked.call(
        "pia", "AddNote", wire.AddNoteRequest(song=booked.song, text="hm", severity=pb.NOTE_SEVERITY_NICE)
    )
    await _create(booked, "Later")

    def songs(**values: Any) -> Any:
        return booked.call("pia", "ListSongs", wire.ListSongsRequest(parent=booked.project, **values))

    then = (await songs(as_of_time=before)).songs
    assert [(song.title, song.stage) for song in then] == [("Lights Out", pb.STAGE_PRE_PRODUCTION)]
    assert [song.title for song in (await songs(as_of_time=before, stage=pb.STAGE_RECORDING)).songs] == []
    assert [song.title for song in (await songs()).songs] == ["Lights Out", "Later"]
    for past in ({"as_of_time": before}, {"as_of_sequence": sequence}):
        notes = wire.ListNotesRequest(parent=booked.song, **past)
        assert not (await booked.call("pia", "ListNotes", notes)).notes
        events = await booked.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=booked.song, **past))
        assert [event.sequence for event in events.events] == list(range(1, sequence + 1))
        story = await booked.call("pia", "GetSongHistory", wire.GetSongHistoryRequest(name=booked.song, **past))
        assert story.lines[-1].sequence == sequence
        gate = await booked.call("pia", "EvaluateGate", wire.EvaluateGateRequest(song=booked.song, **past))
        assert gate.to == pb.STAGE_RECORDING
    early = timestamp_pb2.Timestamp(seconds=1)
    with pytest.raises(NotFound, match="did not exist"):
        await booked.call("pia", "GetProject", wire.GetProjectRequest(name=booked.project, as_of_time=early))
    assert not (await booked.call("pia", "ListProjects", wire.ListProjectsRequest(as_of_time=early))).projects


async def test_songs_that_have_not_changed_since_are_found_as_they_are(booked: Any) -> None:
    """As of a time behind its last event, or in the future, a song is what it is now; before it, what it was."""
    await booked.agree()
    before = _now()
    await booked.advance(pb.STAGE_RECORDING)
    moments = {"before": before, "after": _now(), "ever": timestamp_pb2.Timestamp(seconds=2**31 - 1)}
    found = {}
    for moment, time in moments.items():
        answer = await booked.call("pia", "SearchSongs", wire.SearchSongsRequest(as_of_time=time))
        listed = await booked.call("pia", "ListSongs", wire.ListSongsRequest(parent=booked.project, as_of_time=time))
        found[moment] = answer.songs[0]
        assert listed.songs[0].stage == answer.songs[0].stage
    now = (await booked.call("pia", "SearchSongs", wire.SearchSongsRequest())).songs[0]
    projects = {}
    await booked.call("pia", "CloseProject", wire.CloseProjectRequest(project=booked.project, reason="done"))
    for moment, time in (moments | {"closed": _now()}).items():
        answer = await booked.call("pia", "ListProjects", wire.ListProjectsRequest(as_of_time=time))
        projects[moment] = answer.projects[0]
    assert projects["closed"] == projects["ever"] != projects["after"] == projects["before"]
    assert found["before"].stage == pb.STAGE_PRE_PRODUCTION
    assert found["after"] == found["ever"] == now


async def test_songs_are_found_across_projects(booked: Any) -> None:
    """By project, stage, person, reference, title, notes, and whom they wait for; of the caller's projects alone."""
    first, first_song = booked.project, booked.song
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    await booked.call("mel", "GetSong", wire.GetSongRequest(name=booked.song))
    note = wire.AddNoteRequest(song=first_song, text="hm", severity=pb.NOTE_SEVERITY_SHOULD)
    await booked.call("rex", "AddNote", note)
    await booked.begin(title="Tide", external_ref="T-1")
    await booked.call(
        "pia", "ProposeBrief", wire.ProposeBriefRequest(song=booked.song, brief=brief_pb2.Brief(intent="Plain."))
    )

    async def found(party: str = "pia", **values: Any) -> list[str]:
        answer = await booked.call(party, "SearchSongs", wire.SearchSongsRequest(**values))
        return [song.title for song in answer.songs]

    assert await found() == ["Lights Out", "Tide"]
    assert await found("zed") == []
    assert await found(project=first) == ["Lights Out"]
    assert await found(stage=pb.STAGE_PRE_PRODUCTION) == ["Tide"]
    assert await found(person="rex") == ["Lights Out"]
    assert await found(person="mel") == []
    assert await found(external_ref="T-1") == ["Tide"]
    assert await found(title="lights") == ["Lights Out"]
    assert await found(open_notes=True) == ["Lights Out"]
    assert await found("lou", open_notes=True) == []
    assert await found(waiting_for=pb.ROLE_ARTIST) == ["Tide"]
    assert await found(waiting_for_person="ana") == ["Tide"]
    assert await found(waiting_for_person="rex") == ["Lights Out"]
    page = await booked.call("pia", "SearchSongs", wire.SearchSongsRequest(page_size=1))
    assert ([song.open_notes for song in page.songs], bool(page.next_page_token)) == ([1], True)
    rest = wire.SearchSongsRequest(page_size=1, page_token=page.next_page_token)
    assert [song.title for song in (await booked.call("pia", "SearchSongs", rest)).songs] == ["Tide"]


async def test_views_are_made_anew_while_they_answer(booked: Any) -> None:
    """The new rows equal the old ones; writers and readers go on meanwhile and always see their own writes."""
    with pytest.raises(PermissionDenied):
        await booked.call("pia", "RebuildViews", wire.RebuildViewsRequest())

    async def write() -> None:
        for number in range(20):
            title = f"Song {number}"
            await _create(booked, title)
            listed = await booked.call("ana", "SearchSongs", wire.SearchSongsRequest(title=title))
            assert title in [song.title for song in listed.songs]

    async def rebuild() -> list[wire.RebuildViewsResponse]:
        return [
            await booked.call("adm", "RebuildViews", wire.RebuildViewsRequest(), tenant_roles=["ADMIN"])
            for _ in range(5)
        ]

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        rebuilt = group.create_task(rebuild())
    assert all(answer.equal for answer in rebuilt.result())
    assert len((await booked.call("pia", "ListSongs", wire.ListSongsRequest(parent=booked.project))).songs) == 21


async def test_an_asset_as_it_was(booked: Any) -> None:
    """Before it was uploaded there was no such asset; after its one event it is as it is now."""
    before = _now()
    asset = await booked.upload("rex", booked.wav(440, 4_800))
    name = f"{booked.project}/assets/{asset.sha256}"
    now = await booked.call("rex", "GetAsset", wire.GetAssetRequest(name=name))
    assert await booked.call("rex", "GetAsset", wire.GetAssetRequest(name=name, as_of_sequence=1)) == now
    with pytest.raises(NotFound):
        await booked.call("rex", "GetAsset", wire.GetAssetRequest(name=name, as_of_time=before))
