"""Reading the past, and lists that follow the writes of whoever reads them."""

from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_session.application.aggregates import EVENTS
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.song import Song


async def test_a_song_as_of_every_sequence_is_the_fold_of_its_first_events(
    booked: Any, broker: Any, renders: Any
) -> None:
    """For every k, GetSong(as_of_sequence=k) equals folding the first k events of the log by hand."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    await booked.call("mia", "ProposeMixVersion", propose)
    log = await broker.log("session")
    aggregate_id = booked.song.rpartition("/")[2]
    stored = [event async for event in log.read_all("session") if event.aggregate.id == aggregate_id]
    state = Song()
    for k, event in enumerate(stored, start=1):
        state = evolve(state, EVENTS.decode(event), event.time)
        then = await booked.get_song(as_of_sequence=k)
        assert (then.sequence, then.etag) == (k, f'"{k}"')
        expected = song_resource(Versioned(state, k, time=event.time))
        assert then == expected
    assert then == await booked.get_song()


async def test_a_song_as_of_a_time_shows_what_was_known_then(booked: Any) -> None:
    """Before the ISRC was set there is none; afterwards there is."""
    before = timestamp_pb2.Timestamp()
    before.FromDatetime(datetime.now(UTC))
    await booked.call("pia", "SetCatalogueIds", wire.SetCatalogueIdsRequest(song=booked.song, isrc="QZABC2500001"))
    assert (await booked.get_song(as_of_time=before)).isrc == ""
    after = timestamp_pb2.Timestamp()
    after.FromDatetime(datetime.now(UTC))
    assert (await booked.get_song(as_of_time=after)).isrc == "QZABC2500001"


async def test_what_was_done_by_somebody_who_left_stands(booked: Any) -> None:
    """An agreement given in a role stays when the person loses it; the next one is refused."""
    await booked.agree()
    await booked.call("pia", "RemoveMember", wire.RemoveMemberRequest(project=booked.project, party="ana"))
    assert (await booked.get_song()).brief.agreed
    project = await booked.call("pia", "GetProject", wire.GetProjectRequest(name=booked.project))
    assert "ana" not in [member.party for member in project.members]
    past = wire.GetProjectRequest(name=booked.project, as_of_sequence=len(project.members) + 2)
    assert "ana" in [m.party for m in (await booked.call("pia", "GetProject", past)).members]


async def test_lists_page_in_order_and_show_the_caller_own_writes(booked: Any) -> None:
    """Pages of two hold all songs once, in order; projects are listed to members only; external_ref finds its own."""
    for number in range(4):
        create = wire.CreateSongRequest(
            parent=booked.project, title=f"Song {number}", sample_rate_hz=48000, bit_depth=24, external_ref=f"R{number}"
        )
        await booked.call("pia", "CreateSong", create)
    titles, token = [], ""
    while True:
        request = wire.ListSongsRequest(parent=booked.project, page_size=2, page_token=token)
        page = await booked.call("ana", "ListSongs", request)
        titles += [song.title for song in page.songs]
        token = page.next_page_token
        if not token:
            break
    assert titles == ["Lights Out", "Song 0", "Song 1", "Song 2", "Song 3"]
    found = await booked.call("ana", "ListSongs", wire.ListSongsRequest(parent=booked.project, external_ref="R2"))
    assert [song.title for song in found.songs] == ["Song 2"]
    for party, count in (("ana", 1), ("zed", 0)):
        listed = await booked.call(party, "ListProjects", wire.ListProjectsRequest())
        assert len(listed.projects) == count


async def test_permission_is_answered_as_the_matrix_says(booked: Any) -> None:
    """CheckPermission names the role and the membership it rests on; only services may ask about others."""
    rpc = "/tapelog.render.v1.RenderService/CreateRenderJob"
    request = wire.CheckPermissionRequest(project=booked.project, rpc=rpc)
    mine = await booked.call("mia", "CheckPermission", request)
    assert (mine.allowed, mine.role, mine.membership_sequence) == (True, pb.ROLE_MIXING_ENGINEER, 8)
    label = await booked.call("lou", "CheckPermission", request)
    assert (label.allowed, "recording engineer" in label.reason) == (False, True)
    request.party = "mia"
    assert (await booked.call("svc-render", "CheckPermission", request, kind="service")).allowed
    request.rpc = "/tapelog.render.v1.RenderService/DeleteEverything"
    assert not (await booked.call("svc-render", "CheckPermission", request, kind="service")).allowed


async def test_songs_are_found_by_stage_by_whom_they_wait_for_and_by_open_notes(booked: Any) -> None:
    """Each filter alone, and all three together; the label finds open notes of the client thread alone."""
    other = wire.CreateSongRequest(parent=booked.project, title="Other", sample_rate_hz=48000, bit_depth=24)
    await booked.call("pia", "CreateSong", other)
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    note = wire.AddNoteRequest(song=booked.song, text="hm", severity=pb.NOTE_SEVERITY_SHOULD)
    await booked.call("pia", "AddNote", note)

    async def found(party: str = "pia", **values: Any) -> list[str]:
        request = wire.ListSongsRequest(parent=booked.project, **values)
        return [song.title for song in (await booked.call(party, "ListSongs", request)).songs]

    assert await found() == ["Lights Out", "Other"]
    assert await found(stage=pb.STAGE_PRE_PRODUCTION) == ["Other"]
    assert await found(waiting_for=pb.ROLE_ARTIST) == ["Other"]
    wanted = {"stage": pb.STAGE_RECORDING, "waiting_for": pb.ROLE_RECORDING_ENGINEER, "open_notes": True}
    assert await found(**wanted) == ["Lights Out"]
    assert await found("lou", **wanted) == []
