"""Cleaned and rejected takes and comps through the real service: the arrival check of a cleaned take is asked for."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.testing import eventually
from tapelog_client.errors import NotFound, PermissionDenied
from tapelog_session.domain.tracking import comps


async def test_a_take_is_cleaned_and_both_are_comped(booked: Any, renders: Any) -> None:
    """The cleaned take names its parent, whose bytes stay; a comp of both opens the gate; another is asked for."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    take = await booked.add_take(booked.wav(440))
    await renders.measure(take, hum_searched_s=0.1, hum_dbfs=-48.0, hum_hz=50.0)
    clean = wire.CleanTakeRequest(
        song=booked.song, parent=take.id, asset_sha256="0" * 64, treatments=["hum 50 Hz removed"]
    )
    with pytest.raises(NotFound):
        await booked.call("rex", "CleanTake", clean)
    asset = await booked.upload("rex", booked.wav(441))
    clean.asset_sha256 = asset.sha256
    with pytest.raises(PermissionDenied):
        await booked.call("ana", "CleanTake", clean)
    cleaned = (await booked.call("rex", "CleanTake", clean)).takes[-1]
    assert (cleaned.parent, list(cleaned.treatments)) == (take.id, ["hum 50 Hz removed"])
    await renders.measure(cleaned)

    async def checked() -> bool:
        return all(t.check_state == pb.TAKE_CHECK_STATE_PASSED for t in (await booked.get_song()).takes)

    await eventually(checked)
    (checked_take,) = [t for t in (await booked.get_song()).takes if t.id == take.id]
    (hum,) = [check for check in checked_take.checks if check.kind == pb.TAKE_CHECK_KIND_HUM]
    assert (hum.verdict, hum.measured, hum.unit) == (brief_pb2.VERDICT_VIOLATION, -48.0, "dBFS")
    assert {c.code for c in (await booked.select(take)).open_conditions} == {"TAKE_HUMS"}
    waive = wire.WaiveTakeCheckRequest(
        song=booked.song, take=take.id, kind=pb.TAKE_CHECK_KIND_HUM, reason="only its first half is used"
    )
    with pytest.raises(PermissionDenied):
        await booked.call("rex", "WaiveTakeCheck", waive)
    assert not (await booked.call("pia", "WaiveTakeCheck", waive)).open_conditions
    regions = [
        pb.CompRegion(take=take.id, range=audio_pb2.FrameRange(start_frame=0, end_frame=2400)),
        pb.CompRegion(take=cleaned.id, range=audio_pb2.FrameRange(start_frame=2400, end_frame=4800), crossfade_ms=5),
    ]
    song = await booked.call("ana", "SetComp", wire.SetCompRequest(song=booked.song, track="lead-vox", regions=regions))
    assert (list(song.tracks[0].comp.regions), song.tracks[0].comp.set_by) == (regions, "ana")
    assert not song.open_conditions
    passages = comps.passages_digest(song.tracks[0].comp)
    await renders.succeed(f"comps/lead-vox/{passages}", booked.audio(b"comp"))

    async def rendered() -> bool:
        return (await booked.get_song()).tracks[0].comp.HasField("audio")

    await eventually(rendered)
    assert (await booked.get_song()).tracks[0].comp.audio == booked.audio(b"comp")
    another = wire.RequestAlternateTakeRequest(song=booked.song, track="lead-vox", reason="less breath")
    assert (await booked.call("pia", "RequestAlternateTake", another)).tracks[0].take_requests[0].requested_by == "pia"
    reject = wire.RejectTakeRequest(song=booked.song, take=cleaned.id, reason="artefacts")
    song = await booked.call("rex", "RejectTake", reject)
    assert (song.takes[-1].reject_reason, song.tracks[0].HasField("comp")) == ("artefacts", False)
    assert {c.code for c in song.open_conditions} == {"NOTHING_SELECTED", "TRACK_WITHOUT_TAKE"}
