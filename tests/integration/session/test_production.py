"""A song from its booking to the accepted delivery, through the real service, broker and streams."""

import hashlib
import uuid

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.testing import eventually
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied

DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300, feedback=0.2))
EQ = recipe_pb2.Processor(eq=recipe_pb2.Equalizer(bands=[recipe_pb2.EqBand(frequency_hz=3000, gain_db=2)]))
NO_DELAY = brief_pb2.Constraint(
    id="dry-lead",
    statement="No echo on my voice.",
    effect_forbidden=brief_pb2.EffectForbidden(
        selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
    ),
)


async def _once(data: bytes):
    yield data


async def _record(studio, renders, wav) -> pb.Asset:
    """Bring the song to MIXING with one selected take."""
    await studio.advance(pb.STAGE_RECORDING)
    asset = await studio.upload("rex", wav)
    define = wire.DefineTrackRequest(song=studio.song, track="lead-vox", title="Lead Vox", required=True)
    await studio.call("rex", "DefineTrack", define)
    add = wire.AddTakeRequest(song=studio.song, track="lead-vox", asset_sha256=asset.sha256)
    take = (await studio.call("rex", "AddTake", add)).takes[0]
    await studio.call("ana", "SelectTake", wire.SelectTakeRequest(song=studio.song, track="lead-vox", take=take.id))
    measured = audio_pb2.Measurements(sample_rate_hz=48000, channels=1, length_frames=4800)
    form = audio_pb2.AudioFormat(sample_rate_hz=48000, channels=1, bit_depth=16, length_frames=4800)
    await renders.succeed(
        f"takes/{take.id}", audio_pb2.AudioResult(sha256=asset.sha256, measurements=measured, format=form)
    )

    async def checked() -> bool:
        return (await studio.get_song()).takes[0].check_state == pb.TAKE_CHECK_STATE_PASSED

    await eventually(checked)
    await studio.advance(pb.STAGE_MIXING)
    return asset


async def _approve(studio, version: pb.Version) -> None:
    for party in ("ana", "pia"):
        await studio.call(
            party,
            "ApproveVersion",
            wire.ApproveVersionRequest(name=version.name, sample_digest=version.audio[0].sample_digest),
        )


@pytest.fixture
async def booked(studio):
    """A project and a song."""
    await studio.begin(external_ref="BOOK-4711")
    return studio


async def test_a_gate_lists_every_condition_that_fails_and_opens_when_all_hold(booked):
    """AdvanceStage names brief, arrangement and work at once; after both consents it passes."""
    with pytest.raises(FailedPrecondition) as refused:
        await booked.advance(pb.STAGE_RECORDING)
    assert refused.value.reason == "GATE_CLOSED"
    assert {v.type for v in refused.value.violations} == {
        "BRIEF_NOT_AGREED",
        "ARRANGEMENT_NOT_APPROVED",
        "WORK_MISSING",
    }
    await booked.agree()
    assert (await booked.advance(pb.STAGE_RECORDING)).stage == pb.STAGE_RECORDING


async def test_a_song_goes_from_booking_to_accepted_delivery(
    booked, renders, make_wav, make_audio, make_recipe, reaches, settings
):
    """Brief, takes, a flagged mix, changes, a mix by the brief, master, draft, final package, acceptance."""
    studio = booked
    objects = ObjectStore(settings.objects_url)
    await studio.agree(NO_DELAY)
    asset = await _record(studio, renders, make_wav(440))

    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=make_recipe(asset, EQ, DELAY), comment="space")
    mix1 = await studio.call("mia", "ProposeMixVersion", propose)
    (verdict,) = mix1.verdicts
    assert verdict.verdict == brief_pb2.VERDICT_VIOLATION
    assert list(verdict.recipe_paths) == ["tracks[lead-vox].chain[1].delay"]
    note = wire.AddNoteRequest(
        version=mix1.name, severity=pb.NOTE_SEVERITY_BLOCKER, text="the echo", category=pb.NOTE_CATEGORY_EFFECT
    )
    note.range.start_frame, note.range.end_frame = 960, 1440
    added = await studio.call("pia", "AddNote", note)
    changes = wire.RequestChangesRequest(name=mix1.name, summary="no echo", notes=[added.id])
    assert (await studio.call("pia", "RequestChanges", changes)).state == pb.VERSION_STATE_CHANGES_REQUESTED

    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=make_recipe(asset, EQ), comment="dry")
    mix2 = await studio.call("mia", "ProposeMixVersion", propose)
    assert [v.verdict for v in mix2.verdicts] == [brief_pb2.VERDICT_PASS]
    mix_wav, analysis = make_wav(441), b"{}"
    for data in (mix_wav, analysis):
        await objects.put_stream(_once(data), max_bytes=1 << 20)
    digest = hashlib.sha256(analysis).hexdigest()
    await renders.succeed("mixVersions/2", make_audio(mix_wav), analysis=digest, job="job-mix")
    song = await reaches(studio, 2, pb.VERSION_STATE_RENDERED)
    address = wire.AddressNoteRequest(song=studio.song, note=added.id, answer="taken out", version=mix2.name)
    await studio.call("mia", "AddressNote", address)
    await studio.call("ana", "VerifyNote", wire.VerifyNoteRequest(song=studio.song, note=added.id))
    await studio.call("mia", "SubmitVersion", wire.SubmitVersionRequest(name=mix2.name))
    rendered = next(v for v in song.versions if v.number == 2)
    with pytest.raises(PermissionDenied):
        await studio.call(
            "mia",
            "ApproveVersion",
            wire.ApproveVersionRequest(name=mix2.name, sample_digest=rendered.audio[0].sample_digest),
        )
    await _approve(studio, rendered)
    await studio.advance(pb.STAGE_MASTERING)

    await _master_and_deliver(studio, renders, objects, (make_wav, make_audio, reaches), digest)


async def _master_and_deliver(studio, renders, objects, makers, analysis: str) -> None:
    make_wav, make_audio, reaches = makers
    recipe = recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
    propose = wire.ProposeMasterVersionRequest(song=studio.song, recipe=recipe)
    master = await studio.call("max", "ProposeMasterVersion", propose)
    assert master.source_version.endswith("/mixVersions/2")
    wav, flac = make_wav(442), b"fLaC" + make_wav(442)
    for data in (wav, flac):
        await objects.put_stream(_once(data), max_bytes=1 << 20)
    await renders.succeed("masterVersions/1", make_audio(wav), make_audio(flac), analysis=analysis, job="job-master")
    song = await reaches(studio, 1, pb.VERSION_STATE_RENDERED)
    await studio.call("max", "SubmitVersion", wire.SubmitVersionRequest(name=master.name))
    await _approve(studio, next(v for v in song.versions if v.name == master.name))

    build = wire.BuildDeliveryRequest(song=studio.song, mixer_initials="mm", request_id=str(uuid.uuid4()))
    for _ in range(2):
        with pytest.raises(FailedPrecondition) as refused:
            await studio.call("max", "BuildDelivery", build)
        assert [v.type for v in refused.value.violations] == ["ISRC_MISSING"]
    await studio.call("pia", "SetCatalogueIds", wire.SetCatalogueIdsRequest(song=studio.song, isrc="QZ-ABC-25-00001"))
    build = wire.BuildDeliveryRequest(song=studio.song, mixer_initials="mm", request_id=str(uuid.uuid4()))
    draft = await studio.call("max", "BuildDelivery", build)
    assert draft == await studio.call("max", "BuildDelivery", build)
    assert draft.state == pb.DELIVERY_STATE_DRAFT
    assert "TNP_LightsOut_MM02_Master01_48k_24.wav" in [file.filename for file in draft.files]
    assert {file.role for file in draft.files} == {"master", "mix", "recipe", "analysis"}

    await studio.advance(pb.STAGE_DELIVERED)
    build = wire.BuildDeliveryRequest(song=studio.song, mixer_initials="mm")
    final = await studio.call("max", "BuildDelivery", build)
    assert (final.state, final.manifest_sha256) == (pb.DELIVERY_STATE_FINAL, draft.manifest_sha256)
    with pytest.raises(PermissionDenied):
        await studio.call("pia", "AcceptDelivery", wire.AcceptDeliveryRequest(name=final.name))
    accepted = await studio.call("lou", "AcceptDelivery", wire.AcceptDeliveryRequest(name=final.name))
    assert (accepted.state, accepted.accepted_by) == (pb.DELIVERY_STATE_ACCEPTED, "lou")
    assert (await studio.get_song()).delivery == final.name

    manifest = b""
    request = wire.DownloadObjectRequest(parent=studio.project, sha256=final.manifest_sha256)
    async for part in studio.calls("lou").stream(studio.stub.DownloadObject, request):
        manifest += part.chunk
    assert hashlib.sha256(manifest).hexdigest() == final.manifest_sha256
    with pytest.raises(InvalidArgument, match="is not a SHA-256"):
        await anext(
            studio.calls("lou").stream(
                studio.stub.DownloadObject, wire.DownloadObjectRequest(parent=studio.project, sha256="x")
            )
        )
