"""What people and programs get wrong: each a typed refusal with the value and what to do; nothing is changed."""

import hashlib
import uuid
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
)


async def test_a_wrong_role_is_denied_with_the_roles_that_may(booked: Any) -> None:
    """The mixing engineer may not advance the stage; the refusal says who may."""
    request = wire.AdvanceStageRequest(song=booked.song, to=pb.STAGE_RECORDING)
    with pytest.raises(PermissionDenied, match="studio producer") as refused:
        await booked.call("mia", "AdvanceStage", request)
    assert refused.value.reason == "ROLE_MISSING"


async def test_a_stranger_and_another_tenant_see_nothing(booked: Any) -> None:
    """Somebody without a role is denied; in another tenant the project does not exist."""
    request = wire.GetSongRequest(name=booked.song)
    with pytest.raises(PermissionDenied):
        await booked.call("zed", "GetSong", request)
    with pytest.raises(NotFound):
        await booked.call("pia", "GetSong", request, tenant="other")
    assert (await booked.call("zed", "GetSong", request, tenant_roles=["AUDITOR"])).name == booked.song


async def test_an_integration_needs_to_be_let_in_and_to_name_a_person(booked: Any) -> None:
    """A program acts with the role of the person it names, in projects that have it as a member."""
    request = wire.GetSongRequest(name=booked.song)
    with pytest.raises(PermissionDenied) as refused:
        await booked.call("tool", "GetSong", request, kind="integration")
    assert refused.value.reason == "ON_BEHALF_OF_MISSING"
    with pytest.raises(PermissionDenied) as refused:
        await booked.call("tool", "GetSong", request, kind="integration", on_behalf_of="pia")
    assert refused.value.reason == "NOT_AN_INTEGRATION_HERE"
    member = pb.Member(party="tool", roles=[pb.ROLE_INTEGRATION])
    await booked.call("pia", "AddMember", wire.AddMemberRequest(project=booked.project, member=member))
    with pytest.raises(PermissionDenied):
        await booked.call(
            "tool",
            "AdvanceStage",
            wire.AdvanceStageRequest(song=booked.song, to=pb.STAGE_RECORDING),
            kind="integration",
            on_behalf_of="mia",
        )
    work = wire.RegisterWorkRequest(song=booked.song, work=pb.Work(title="Lights Out", writers=["ana"]))
    await booked.call("tool", "RegisterWork", work, kind="integration", on_behalf_of="ana")
    events = await booked.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=booked.song))
    last = events.events[-1]
    assert (last.actor, last.on_behalf_of, last.role_used) == ("tool", "ana", "ROLE_ARTIST")


async def test_a_stale_etag_is_aborted_with_the_current_one(booked: Any) -> None:
    """Whoever decides on what is no longer so has to read again."""
    old = (await booked.get_song()).etag
    request = wire.SetCatalogueIdsRequest(song=booked.song, isrc="QZABC2500001", etag=old)
    await booked.call("pia", "SetCatalogueIds", request)
    request = wire.SetCatalogueIdsRequest(song=booked.song, isrc="QZABC2500002", etag=old)
    with pytest.raises(Aborted) as refused:
        await booked.call("pia", "SetCatalogueIds", request)
    assert refused.value.metadata["etag_current"] == (await booked.get_song()).etag


async def test_a_repeated_request_is_answered_once_and_another_body_refused(booked: Any) -> None:
    """The same request_id gives the same song; with another title it is INVALID_ARGUMENT."""
    values = {"parent": booked.project, "sample_rate_hz": 48000, "bit_depth": 24, "request_id": str(uuid.uuid4())}
    first = await booked.call("pia", "CreateSong", wire.CreateSongRequest(title="One", **values))
    await booked.call("pia", "SetCatalogueIds", wire.SetCatalogueIdsRequest(song=first.name, isrc="QZABC2500001"))
    assert first == await booked.call("pia", "CreateSong", wire.CreateSongRequest(title="One", **values))
    with pytest.raises(InvalidArgument) as refused:
        await booked.call("pia", "CreateSong", wire.CreateSongRequest(title="Two", **values))
    assert refused.value.reason == "REQUEST_ID_REUSED"
    listed = await booked.call("ana", "ListSongs", wire.ListSongsRequest(parent=booked.project))
    assert [song.title for song in listed.songs] == ["Lights Out", "One"]


async def test_every_wrong_field_of_a_recipe_is_named_at_once(booked: Any, renders: Any) -> None:
    """Out of range, an unknown bus, a file as a source, a foreign asset: all in one answer, with their paths."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    recipe = booked.recipe(take.asset_sha256)
    recipe.tracks[0].gain_db = 60
    recipe.tracks[0].output_bus = "nowhere"
    second = recipe.tracks.add(id="bass")
    second.source.file = "bass.wav"
    with pytest.raises(InvalidArgument) as refused:
        await booked.call("mia", "ProposeMixVersion", wire.ProposeMixVersionRequest(song=booked.song, recipe=recipe))
    assert refused.value.reason == "INVALID_RECIPE"
    fields = {violation.field for violation in refused.value.fields}
    assert {"recipe.tracks[lead-vox].gain_db", "recipe.tracks[lead-vox].output_bus"} <= fields
    assert any(field.startswith("recipe.tracks[bass].source") for field in fields)
    late = booked.recipe(take.asset_sha256)
    late.tracks[0].start_frame = 4 * 3600 * late.sample_rate_hz  # legal by itself, and the take comes after it
    with pytest.raises(InvalidArgument, match="the limit is 14400 s") as refused:
        await booked.call("mia", "ProposeMixVersion", wire.ProposeMixVersionRequest(song=booked.song, recipe=late))
    assert [violation.field for violation in refused.value.fields] == ["recipe.tracks[lead-vox].start_frame"]
    foreign = booked.recipe("0" * 64)
    with pytest.raises(InvalidArgument, match="of no take that is selected"):
        await booked.call("mia", "ProposeMixVersion", wire.ProposeMixVersionRequest(song=booked.song, recipe=foreign))
    assert not (await booked.get_song()).versions


async def test_uploads_that_are_not_what_they_say_leave_nothing(booked: Any) -> None:
    """Truncated WAV, text, wrong hash, too few and too many bytes, a chunk too large, a role without the right."""
    wav = booked.wav(440)
    cases = [
        ("TRUNCATED_AUDIO", wav[:-2000], {}),
        ("NOT_AUDIO", b"I am a text file, not a take of the lead voice at all.\n" * 4, {}),
        ("HASH_MISMATCH", wav, {"sha256": "0" * 64}),
        ("SIZE_MISMATCH", wav, {"size_bytes": len(wav) + 10}),
        ("SIZE_MISMATCH", wav + b"more", {"size_bytes": len(wav) + 2}),
        ("INVALID_UPLOAD", wav, {"size_bytes": 3 * 1024**3}),
        ("INVALID_REQUEST_ID", wav, {"request_id": "again"}),
    ]
    for reason, data, changes in cases:
        with pytest.raises(InvalidArgument) as refused:
            await booked.upload("rex", data, **changes)
        assert refused.value.reason == reason
    with pytest.raises(InvalidArgument) as refused:
        await booked.upload("rex", booked.wav(440, 800_000), chunk_bytes=1024 * 1024 + 1)
    assert refused.value.reason == "INVALID_CHUNK"
    with pytest.raises(PermissionDenied):
        await booked.upload("lou", wav)
    name = f"{booked.project}/assets/{hashlib.sha256(wav).hexdigest()}"
    with pytest.raises(NotFound):
        await booked.call("rex", "GetAsset", wire.GetAssetRequest(name=name))
    first = await booked.upload("rex", wav)
    assert (first.name, first.media_type) == (name, "audio/wav")
    assert await booked.upload("mel", wav) == first


async def test_an_uploads_request_id_is_for_one_file(booked: Any) -> None:
    """The same upload again is the same asset; the same request_id with other bytes is refused and leaves nothing."""
    request_id = str(uuid.uuid4())
    wav, other = booked.wav(440), booked.wav(441)
    first = await booked.upload("rex", wav, request_id=request_id)
    assert await booked.upload("rex", wav, request_id=request_id) == first
    with pytest.raises(InvalidArgument) as refused:
        await booked.upload("rex", other, request_id=request_id)
    assert refused.value.reason == "REQUEST_ID_REUSED"
    name = f"{booked.project}/assets/{hashlib.sha256(other).hexdigest()}"
    with pytest.raises(NotFound):
        await booked.call("rex", "GetAsset", wire.GetAssetRequest(name=name))


async def test_downloads_give_only_what_the_project_refers_to(booked: Any) -> None:
    """An object of the store that no fact of the project names does not exist for it; offsets resume."""
    wav, secret = booked.wav(440), b"somebody else's master"
    await booked.keep(secret)
    asset = await booked.upload("rex", wav)

    async def download(sha256: str, offset_bytes: int = 0) -> bytes:
        request = wire.DownloadObjectRequest(parent=booked.project, sha256=sha256, offset_bytes=offset_bytes)
        parts = [part async for part in booked.calls("lou").stream(booked.stub.DownloadObject, request)]
        assert parts[0].size_bytes == len(wav)
        return b"".join(part.chunk for part in parts)

    assert (await download(asset.sha256), await download(asset.sha256, 9000)) == (wav, wav[9000:])
    with pytest.raises(NotFound):
        await download(hashlib.sha256(secret).hexdigest())
    with pytest.raises(InvalidArgument):
        await download(asset.sha256, len(wav) + 1)


async def test_a_musician_uploads_takes_of_their_own_only(booked: Any) -> None:
    """A musician may add the take they uploaded, and not somebody else's."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    theirs = await booked.add_take(booked.wav(440))
    own = await booked.upload("mel", booked.wav(330))
    add = wire.AddTakeRequest(song=booked.song, track="lead-vox", asset_sha256=own.sha256)
    assert (await booked.call("mel", "AddTake", add)).takes[-1].recorded_by == "mel"
    add = wire.AddTakeRequest(song=booked.song, track="lead-vox", asset_sha256=theirs.asset_sha256)
    with pytest.raises(PermissionDenied):
        await booked.call("mel", "AddTake", add)


async def test_commands_in_the_wrong_stage_and_names_that_name_nothing(booked: Any) -> None:
    """Each refusal says which stage, which name, which range."""
    recipe = recipe_pb2.MixRecipe(sample_rate_hz=48000)
    with pytest.raises(FailedPrecondition) as refused:
        await booked.call("mia", "ProposeMixVersion", wire.ProposeMixVersionRequest(song=booked.song, recipe=recipe))
    assert refused.value.reason == "WRONG_STAGE"
    with pytest.raises(FailedPrecondition) as refused:
        await booked.advance(pb.STAGE_MASTERING)
    assert refused.value.reason == "ILLEGAL_STAGE_EDGE"
    with pytest.raises(InvalidArgument) as invalid:
        await booked.call("pia", "GetSong", wire.GetSongRequest(name="songs/one"))
    assert invalid.value.reason == "INVALID_NAME"
    with pytest.raises(NotFound):
        await booked.call("pia", "GetSong", wire.GetSongRequest(name=f"{booked.project}/songs/sng-none"))
    for sequence in (999, -1):
        with pytest.raises(OutOfRange):
            await booked.get_song(as_of_sequence=sequence)
    with pytest.raises(NotFound):
        await booked.get_song(as_of_time=timestamp_pb2.Timestamp(seconds=1))


async def test_party_records_belong_to_the_person_and_who_made_them(booked: Any) -> None:
    """The producer makes a record, the person corrects it, others may not; names are in no event."""
    party = pb.Party(name="parties/ana", display_name="Ana Example", email="ana@example.com")
    await booked.call("pia", "UpsertParty", wire.UpsertPartyRequest(party=party))
    party.email = "ana@example.org"
    await booked.call("ana", "UpsertParty", wire.UpsertPartyRequest(party=party))
    with pytest.raises(PermissionDenied):
        await booked.call("mia", "UpsertParty", wire.UpsertPartyRequest(party=party))
    assert await booked.call("mia", "GetParty", wire.GetPartyRequest(name="parties/ana")) == party
    wrong = pb.Party(name="parties/ana", display_name="Ana", email="nowhere")
    with pytest.raises(InvalidArgument):
        await booked.call("ana", "UpsertParty", wire.UpsertPartyRequest(party=wrong))
