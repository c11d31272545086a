"""Ways back, holds and the gate to ARCHIVED, through the real service and broker."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied

RETURN = pb.SEND_BACK_REASON_TECHNICAL_RETURN
CREATIVE = pb.SEND_BACK_REASON_CREATIVE_CHANGE


async def _mixed(studio: Any, renders: Any) -> None:
    """Bring a song to MASTERING with an approved mix."""
    await studio.agree()
    take = await renders.record(studio.wav(440))
    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=studio.recipe(take.asset_sha256))
    await renders.finish("mia", await studio.call("mia", "ProposeMixVersion", propose), 441)
    await studio.advance(pb.STAGE_MASTERING)


async def _note(studio: Any, party: str, text: str) -> str:
    note = wire.AddNoteRequest(song=studio.song, text=text, severity=pb.NOTE_SEVERITY_SHOULD)
    return (await studio.call(party, "AddNote", note)).id


async def _back(studio: Any, to: int, reason: int, *notes: str) -> pb.Song:
    request = wire.SendBackSongRequest(song=studio.song, to=to, reason=reason, notes=notes)
    return await studio.call("pia", "SendBackSong", request)


async def test_a_song_is_sent_back_with_reason_and_note_by_the_producer_alone(booked: Any) -> None:
    """B1 with a note on the song; without one it is refused; an engineer asks, and cannot decide."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    with pytest.raises(InvalidArgument):
        await _back(booked, pb.STAGE_PRE_PRODUCTION, pb.SEND_BACK_REASON_KEY_CHANGE)
    note = await _note(booked, "ana", "a whole tone lower")
    request = wire.SendBackSongRequest(
        song=booked.song, to=pb.STAGE_PRE_PRODUCTION, reason=pb.SEND_BACK_REASON_KEY_CHANGE, notes=[note]
    )
    with pytest.raises(PermissionDenied):
        await booked.call("rex", "SendBackSong", request)
    ask = wire.RequestSendBackRequest(song=booked.song, to=request.to, reason=request.reason, comment="too high")
    (advice,) = (await booked.call("rex", "RequestSendBack", ask)).send_back_advice
    assert (advice.party, advice.role, advice.comment) == ("rex", pb.ROLE_RECORDING_ENGINEER, "too high")
    song = await booked.call("pia", "SendBackSong", request)
    assert (song.stage, song.cycle, song.send_backs[0].edge) == (pb.STAGE_PRE_PRODUCTION, 2, "B1")
    assert (song.send_backs[0].party, list(song.send_back_advice)) == ("pia", [])
    with pytest.raises(FailedPrecondition) as refused:
        await booked.advance(pb.STAGE_RECORDING)
    assert [v.type for v in refused.value.violations] == ["ARRANGEMENT_NOT_APPROVED"]


async def test_a_package_goes_back_with_its_song_and_another_is_archived(
    booked: Any, renders: Any, tmp_path: Path
) -> None:
    """B7 needs the artist; the package is returned; the next one is accepted, verified in two stores, put away."""
    await _mixed(booked, renders)
    first = await renders.deliver()
    note = await _note(booked, "lou", "vocal too low in chorus 2")
    ask = wire.RequestSendBackRequest(song=booked.song, to=pb.STAGE_MIXING, reason=CREATIVE, notes=[note])
    await _return(booked, first, note)
    with pytest.raises(FailedPrecondition) as refused:
        await _back(booked, pb.STAGE_MIXING, CREATIVE, note)
    assert refused.value.reason == "ARTIST_CONSENT_MISSING"
    await booked.call("ana", "RequestSendBack", ask)
    before = await booked.get_song()
    song = await _back(booked, pb.STAGE_MIXING, CREATIVE, note)
    assert (song.cycle, song.usage_scope) == (2, pb.USAGE_SCOPE_REMASTER)
    returned = await booked.call("lou", "GetDelivery", wire.GetDeliveryRequest(name=first.name))
    assert returned.state == pb.DELIVERY_STATE_RETURNED
    then = await booked.get_song(as_of_sequence=before.sequence)
    assert (then.stage, then.delivery, then.cycle) == (pb.STAGE_DELIVERED, first.name, 1)
    await _mix_again(booked, renders)
    second = await renders.deliver(444)
    with pytest.raises(FailedPrecondition):
        await booked.call("lou", "AcceptDelivery", wire.AcceptDeliveryRequest(name=first.name))
    await booked.call("lou", "AcceptDelivery", wire.AcceptDeliveryRequest(name=second.name))
    await _put_away(booked, second, tmp_path / "data" / "archive")


async def _return(studio: Any, package: pb.DeliveryPackage, note: str) -> None:
    """The label returns what it had accepted; the answer and the song say so, whoever asks again gets the same."""  # noqa: D401
    await studio.call("lou", "AcceptDelivery", wire.AcceptDeliveryRequest(name=package.name))
    back = wire.ReturnDeliveryRequest(
        name=package.name,
        to=pb.STAGE_MIXING,
        reason=CREATIVE,
        comment="vocal too low in chorus 2",
        notes=[note],
        request_id=str(uuid.uuid4()),
    )
    with pytest.raises(PermissionDenied):
        await studio.call("pia", "ReturnDelivery", back)
    returned = await studio.call("lou", "ReturnDelivery", back)
    assert (returned.state, returned.returned_by, returned.return_reason) == (
        pb.DELIVERY_STATE_RETURNED,
        "lou",
        CREATIVE,
    )
    assert await studio.call("lou", "ReturnDelivery", back) == returned
    song = await studio.get_song()
    (advice,) = song.send_back_advice
    assert (advice.delivery, advice.to, advice.party) == (package.name.rpartition("/")[2], pb.STAGE_MIXING, "lou")
    with pytest.raises(FailedPrecondition) as refused:
        await studio.advance(pb.STAGE_ARCHIVED)
    assert "DELIVERY_NOT_ACCEPTED" in {v.type for v in refused.value.violations}


async def _mix_again(studio: Any, renders: Any) -> None:
    """Propose mix 2; the mix that was sent back is superseded by it."""
    song = await studio.get_song()
    asset = song.takes[0].asset_sha256
    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=studio.recipe(asset), comment="voice up")
    await renders.finish("mia", await studio.call("mia", "ProposeMixVersion", propose), 443)
    await studio.advance(pb.STAGE_MASTERING)


async def _put_away(studio: Any, package: pb.DeliveryPackage, archive: Path) -> None:
    """A damaged file in the archive keeps the gate closed; whole in both stores it opens."""  # noqa: D401
    gate = await studio.call("pia", "EvaluateGate", wire.EvaluateGateRequest(song=studio.song))
    assert [(c.code, c.passed) for c in gate.conditions] == [
        ("DELIVERY_NOT_ACCEPTED", True),
        ("FILES_NOT_VERIFIED", False),
    ]
    verify = wire.VerifyDeliveryRequest(name=package.name)
    master = next(file for file in package.files if file.role == "master")
    sha256 = master.sha256
    damaged = archive / "sha256" / sha256[:2] / sha256
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not what it says")
    song = await studio.call("max", "VerifyDelivery", verify)
    (condition,) = song.open_conditions
    assert condition.code == "FILES_NOT_VERIFIED"
    assert master.filename in condition.description
    damaged.unlink()
    song = await studio.call("max", "VerifyDelivery", verify)
    assert (list(song.open_conditions), song.stage_state) == ([], pb.STAGE_STATE_APPROVED)
    assert (await studio.advance(pb.STAGE_ARCHIVED)).stage == pb.STAGE_ARCHIVED


async def test_a_song_on_hold_takes_no_work_until_it_goes_on(booked: Any) -> None:
    """On hold everything but reading waits; it goes on in its stage; a cancelled song stays readable."""
    held = await booked.call("pia", "PutSongOnHold", wire.PutSongOnHoldRequest(song=booked.song, reason="on tour"))
    assert (held.stage, held.held_stage) == (pb.STAGE_ON_HOLD, pb.STAGE_PRE_PRODUCTION)
    with pytest.raises(FailedPrecondition) as refused:
        await booked.agree()
    assert refused.value.reason == "WRONG_STAGE"
    resumed = await booked.call("pia", "ResumeSong", wire.ResumeSongRequest(song=booked.song))
    assert resumed.stage == pb.STAGE_PRE_PRODUCTION
    cancel = wire.CancelSongRequest(song=booked.song, reason="no money")
    with pytest.raises(PermissionDenied):
        await booked.call("ana", "CancelSong", cancel)
    assert (await booked.call("pia", "CancelSong", cancel)).stage == pb.STAGE_CANCELLED
    assert (await booked.get_song()).title == "Lights Out"
