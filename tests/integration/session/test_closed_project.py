"""Closed projects, changed roles, writers, references and hand-over through the real service."""

from typing import Any

import pytest
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied


async def test_nothing_of_a_closed_project_changes_until_it_is_opened(booked: Any) -> None:
    """Everybody may read it, nobody may change it or its songs; the producer opens it again."""
    close = wire.CloseProjectRequest(project=booked.project, reason="the label withdrew")
    with pytest.raises(PermissionDenied):
        await booked.call("ana", "CloseProject", close)
    closed = await booked.call("pia", "CloseProject", close)
    assert (closed.closed, closed.close_reason) == (True, "the label withdrew")
    assert (await booked.get_song()).title == "Lights Out"
    brief = wire.ProposeBriefRequest(song=booked.song, brief=brief_pb2.Brief(intent="Plain."))
    add = wire.AddMemberRequest(project=booked.project, member=pb.Member(party="bob", roles=[pb.ROLE_MUSICIAN]))
    for rpc, request in (("ProposeBrief", brief), ("AddMember", add)):
        with pytest.raises(FailedPrecondition, match="the label withdrew"):
            await booked.call("pia", rpc, request)
    may = wire.CheckPermissionRequest(project=booked.project, rpc="/tapelog.session.v1.SessionService/ProposeBrief")
    answer = await booked.call("pia", "CheckPermission", may)
    assert (answer.allowed, "closed" in answer.reason) == (False, True)
    await booked.call("pia", "ReopenProject", wire.ReopenProjectRequest(project=booked.project))
    await booked.call("pia", "ProposeBrief", brief)
    roles = [pb.ROLE_ARTIST, pb.ROLE_SONGWRITER]
    add.member.CopyFrom(pb.Member(party="ana", roles=roles))
    changed = await booked.call("pia", "AddMember", add)
    assert next(list(m.roles) for m in changed.members if m.party == "ana") == roles


async def test_references_come_from_the_project_and_writers_are_set(booked: Any) -> None:
    """An asset of another project is as unknown as one that was never uploaded, in briefs and beside them."""
    await booked.agree()
    mine = await booked.upload("rex", booked.wav(440))
    other = type(booked).__new__(type(booked))
    other.__dict__.update(booked.__dict__)
    await other.begin()
    theirs = await other.upload("rex", booked.wav(441))

    def reference(sha256: str) -> brief_pb2.ReferenceTrack:
        aspects = [brief_pb2.ReferenceAspect.values()[1]]
        return brief_pb2.ReferenceTrack(title="Low end", asset_sha256=sha256, aspects=aspects)

    for sha256 in (theirs.sha256, "0" * 64):
        attach = wire.AttachReferenceTrackRequest(song=booked.song, reference=reference(sha256))
        amended = brief_pb2.Brief(intent="Plain.", references=[reference(sha256)])
        propose = wire.ProposeBriefRequest(song=booked.song, brief=amended, reason="a reference")
        for rpc, request in (("AttachReferenceTrack", attach), ("ProposeBrief", propose)):
            with pytest.raises(InvalidArgument, match="upload it to the project"):
                await booked.call("ana", rpc, request)
    attach.reference.CopyFrom(reference(mine.sha256))
    song = await booked.call("ana", "AttachReferenceTrack", attach)
    assert [r.asset_sha256 for r in song.reference_tracks] == [mine.sha256]
    writers = wire.SetWritersRequest(song=booked.song, work=1, writers=["ana", "pia"])
    assert list((await booked.call("ana", "SetWriters", writers)).works[0].writers) == ["ana", "pia"]
    writers.work = 2
    with pytest.raises(InvalidArgument):
        await booked.call("ana", "SetWriters", writers)


async def test_a_package_is_handed_over_to_the_label(booked: Any, renders: Any) -> None:
    """Only to somebody who acts for the label; the recipient and the time stand in the package."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    await renders.finish("mia", await booked.call("mia", "ProposeMixVersion", propose), 441)
    await booked.advance(pb.STAGE_MASTERING)
    package = await renders.deliver()
    hand_over = wire.HandOverDeliveryRequest(name=package.name, recipient="ana", comment="by courier")
    with pytest.raises(InvalidArgument, match="ROLE_LABEL"):
        await booked.call("max", "HandOverDelivery", hand_over)
    hand_over.recipient = "lou"
    handed = await booked.call("max", "HandOverDelivery", hand_over)
    assert (handed.handed_over_to, handed.HasField("hand_over_time")) == ("lou", True)
    accepted = await booked.call("lou", "AcceptDelivery", wire.AcceptDeliveryRequest(name=package.name))
    assert (accepted.state, accepted.handed_over_to) == (pb.DELIVERY_STATE_ACCEPTED, "lou")
