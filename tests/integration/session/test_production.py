"""A song from its booking to the accepted delivery, through the real service, broker and streams."""

import hashlib
import uuid
from typing import Any

import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import FailedPrecondition, PermissionDenied

DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300, feedback=0.2))
EQ = recipe_pb2.Processor(eq=recipe_pb2.Equalizer(bands=[recipe_pb2.EqBand(frequency_hz=3000, gain_db=2)]))
NO_DELAY = brief_pb2.Constraint(
    id="dry-lead",
    statement="No echo on my voice.",
    effect_forbidden=brief_pb2.EffectForbidden(
        selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
    ),
)


async def test_a_gate_lists_every_condition_that_fails_and_opens_when_all_hold(booked: Any) -> None:
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


async def test_a_song_goes_from_booking_to_accepted_delivery(booked: Any, renders: Any) -> None:
    """Brief, takes, a flagged mix, changes, a mix by the brief, master, draft, final package, acceptance."""
    await booked.agree(NO_DELAY)
    take = await renders.record(booked.wav(440))
    note = await _mix_that_breaks_the_brief(booked, take.asset_sha256)
    await _mix_by_the_brief(booked, renders, take.asset_sha256, note)
    await booked.advance(pb.STAGE_MASTERING)
    await _master(booked, renders)
    draft = await _draft(booked)
    assert "TNP_LightsOut_MM02_Master01_48k_24.wav" in [file.filename for file in draft.files]
    assert {file.role for file in draft.files} == {"master", "mix", "recipe", "analysis", "credits"}
    await booked.advance(pb.STAGE_DELIVERED)
    await _hand_over(booked, draft)
    history = await booked.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=booked.song))
    assert [event.sequence for event in history.events] == list(range(1, len(history.events) + 1))


async def _mix_that_breaks_the_brief(studio: Any, asset: str) -> pb.Note:
    """The delay is flagged before any render; the producer asks for changes with a timecoded note."""  # noqa: D401
    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=studio.recipe(asset, EQ, DELAY), comment="space")
    mix = await studio.call("mia", "ProposeMixVersion", propose)
    (verdict,) = mix.verdicts
    assert verdict.verdict == brief_pb2.VERDICT_VIOLATION
    assert list(verdict.recipe_paths) == ["tracks[lead-vox].chain[1].delay"]
    note = wire.AddNoteRequest(
        version=mix.name, severity=pb.NOTE_SEVERITY_BLOCKER, text="the echo", category=pb.NOTE_CATEGORY_EFFECT
    )
    note.range.start_frame, note.range.end_frame = 960, 1440
    added = await studio.call("pia", "AddNote", note)
    with pytest.raises(FailedPrecondition) as refused:
        await studio.advance(pb.STAGE_MASTERING)
    assert {"BRIEF_VIOLATED", "BLOCKER_NOTE_OPEN", "MIX_NOT_APPROVED"} <= {v.type for v in refused.value.violations}
    changes = wire.RequestChangesRequest(name=mix.name, summary="no echo", notes=[added.id])
    assert (await studio.call("pia", "RequestChanges", changes)).state == pb.VERSION_STATE_CHANGES_REQUESTED
    return added


async def _mix_by_the_brief(studio: Any, renders: Any, asset: str, note: pb.Note) -> None:
    """Render, review and approve mix 2; its own engineer may not approve it."""
    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=studio.recipe(asset, EQ), comment="dry")
    mix = await studio.call("mia", "ProposeMixVersion", propose)
    assert [v.verdict for v in mix.verdicts] == [brief_pb2.VERDICT_PASS]
    audio, analysis = studio.wav(441), b"{}"
    await studio.keep(audio, analysis)
    digest = hashlib.sha256(analysis).hexdigest()
    await renders.succeed("mixVersions/2", studio.audio(audio), analysis=digest)
    rendered = await studio.reaches(2, pb.VERSION_STATE_RENDERED)
    answer = wire.AddressNoteRequest(song=studio.song, note=note.id, answer="taken out", version=mix.name)
    await studio.call("mia", "AddressNote", answer)
    await studio.call("ana", "VerifyNote", wire.VerifyNoteRequest(song=studio.song, note=note.id))
    await studio.call("mia", "SubmitVersion", wire.SubmitVersionRequest(name=mix.name))
    approve = wire.ApproveVersionRequest(name=mix.name, sample_digest=rendered.audio[0].sample_digest)
    with pytest.raises(PermissionDenied):
        await studio.call("mia", "ApproveVersion", approve)
    await studio.approve(rendered)


async def _master(studio: Any, renders: Any) -> None:
    """Render, review and approve a master of the approved mix."""
    recipe = recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
    propose = wire.ProposeMasterVersionRequest(song=studio.song, recipe=recipe)
    master = await studio.call("max", "ProposeMasterVersion", propose)
    assert master.source_version.endswith("/mixVersions/2")
    wav, flac, analysis = studio.wav(442), b"fLaC" + studio.wav(442), b"{}"
    await studio.keep(wav, flac, analysis)
    digest = hashlib.sha256(analysis).hexdigest()
    await renders.succeed("masterVersions/1", studio.audio(wav), studio.audio(flac), analysis=digest)
    rendered = await studio.reaches(1, pb.VERSION_STATE_RENDERED)
    await studio.call("max", "SubmitVersion", wire.SubmitVersionRequest(name=master.name))
    await studio.approve(rendered)


async def _draft(studio: Any) -> pb.DeliveryPackage:
    """Build the draft: refused with every gap, twice the same; then built, twice the same."""
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
    return draft


async def _hand_over(studio: Any, draft: pb.DeliveryPackage) -> None:
    """Build the final package with the draft's bytes; the label accepts it and reads its manifest."""
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
