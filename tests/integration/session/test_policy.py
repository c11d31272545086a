"""Policy and allowance of a project as they hold for its songs, through the real service."""

from typing import Any

import pytest
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import FailedPrecondition, PermissionDenied


async def _in_review(studio: Any, renders: Any, party: str, number: int) -> pb.Version:
    song = await studio.get_song()
    recipe = studio.recipe(song.takes[0].asset_sha256)
    propose = wire.ProposeMixVersionRequest(song=studio.song, recipe=recipe)
    mix = await studio.call(party, "ProposeMixVersion", propose)
    data = studio.wav(440 + number)
    await studio.keep(data)
    await renders.succeed(f"mixVersions/{number}", studio.audio(data))
    await studio.reaches(number, pb.VERSION_STATE_RENDERED)
    return await studio.call(party, "SubmitVersion", wire.SubmitVersionRequest(name=mix.name))


async def test_the_song_adopts_the_projects_policy_as_a_fact(booked: Any, renders: Any) -> None:
    """Deadline, self-approval and allowance come from the project; the song's own log says so, with the sequence."""
    await booked.agree()
    await renders.record(booked.wav(440))
    policy = wire.SetPolicyRequest(project=booked.project, policy=pb.Policy(solo=True, approval_deadline_hours=48))
    with pytest.raises(PermissionDenied):
        await booked.call("ana", "SetPolicy", policy)
    await booked.call("pia", "SetPolicy", policy)
    project = await booked.call(
        "pia", "SetAllowance", wire.SetAllowanceRequest(project=booked.project, revision_allowance=1)
    )
    assert (project.policy.solo, project.revision_allowance) == (True, 1)
    mix = await _in_review(booked, renders, "pia", 1)
    waited = mix.approval_due_time.seconds - mix.create_time.seconds
    assert abs(waited - 48 * 3600) < 60
    await booked.approve(mix)
    (first, second) = (await booked.call("pia", "GetVersion", wire.GetVersionRequest(name=mix.name))).approvals
    assert (first.self_approved, second.self_approved) == (False, True)
    await booked.call("ana", "WithdrawApproval", wire.WithdrawApprovalRequest(name=mix.name, reason="not sure"))
    with pytest.raises(FailedPrecondition) as refused:
        await booked.advance(pb.STAGE_MASTERING)
    assert {v.type for v in refused.value.violations} == {"MIX_NOT_APPROVED", "APPROVAL_INAPPLICABLE"}
    changes = wire.RequestChangesRequest(name=mix.name, summary="warmer")
    await booked.call("pia", "RequestChanges", changes)
    mix = await _in_review(booked, renders, "mia", 2)
    await booked.call("pia", "RejectVersion", wire.RejectVersionRequest(name=mix.name, summary="another direction"))
    song = await booked.get_song()
    assert (song.revision_rounds, song.revision_allowance) == (2, 1)
    assert song.usage_scope == pb.USAGE_SCOPE_EXTRA_REVISION
    history = await booked.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=booked.song, page_size=500))
    facts = {event.type.split(".")[2]: event for event in history.events}
    assert {"policy_adopted", "approval_withdrawn", "version_rejected", "revision_allowance_exceeded"} <= set(facts)
    adopted = events_pb2.PolicyAdopted()
    facts["policy_adopted"].data.Unpack(adopted)
    assert (adopted.revision_allowance, adopted.project_sequence) == (1, 10)
