"""Policy, quorum, deadlines, rounds; rejecting, and taking an approval back."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.event_log import MemoryEventLog, Metadata
from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.following.deadlines import raise_alert
from tapelog_session.application.reading.views import Views
from tapelog_session.domain import policies, project
from tapelog_session.domain.errors import InvalidCommand, NotNow
from tapelog_session.domain.gates import stages
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Policy
from tapelog_session.domain.versioning import reviews, versions
from tapelog_session.domain.versioning.versions import MIX

ARTIST, BAND = Actor("ana", pb.ROLE_ARTIST), Actor("ben", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)


def _in_review(session: Any, policy: Policy, proposer: Actor = MIXER) -> dict[str, Any]:
    """A mix in review under a policy; returns what an approval needs."""  # noqa: D401
    session.to_mixing()
    session.do(policies.adopt, policy, 3)
    recipe = session_recipe(session)
    session.do(versions.propose_mix, proposer, recipe, "")
    digest = session.render(MIX, 1)
    session.do(versions.submit, MIX, 1)
    return {"sample_digest": digest, "brief_revision": 0}


def session_recipe(session: Any) -> Any:
    """Return a recipe of the song's takes."""
    recipe = versions.recipe_pb2.MixRecipe(sample_rate_hz=48_000)
    for take in session.song.selected_takes():
        recipe.tracks.add(id=take.track).source.asset_sha256 = take.asset_sha256
    return recipe


def test_alone_one_may_approve_ones_own_work_and_it_is_marked(session: Any) -> None:
    """SOLO allows it, the approval says so; without the policy it is refused."""
    values = _in_review(session, Policy(solo=True), PRODUCER)
    (given,) = session.do(reviews.approve, PRODUCER, MIX, 1, **values)
    assert given.approval.self_approved
    (given, *_) = session.do(reviews.approve, Actor("pia", pb.ROLE_ARTIST), MIX, 1, **values)
    assert session.song.mixes[1].state == pb.VERSION_STATE_APPROVED
    assert [a.self_approved for a in session.song.mixes[1].approvals] == [True, True]
    other = type(session)()
    values = _in_review(other, Policy(), PRODUCER)
    with pytest.raises(NotNow) as refused:
        reviews.approve(other.song, PRODUCER, MIX, 1, **values)
    assert refused.value.reason == "SELF_APPROVAL"


def test_a_quorum_wants_as_many_people(session: Any) -> None:
    """With artist and producer alone it is not approved; the third person completes it."""
    values = _in_review(session, Policy(approval_quorum=3))
    for actor in (ARTIST, PRODUCER):
        session.do(reviews.approve, actor, MIX, 1, **values)
    assert session.failing() == ["MIX_NOT_APPROVED", "QUORUM_NOT_REACHED"]
    with pytest.raises(NotNow):
        reviews.approve(session.song, ARTIST, MIX, 1, **values)
    session.do(reviews.approve, BAND, MIX, 1, **values)
    assert session.failing() == []


def test_a_quorum_that_is_raised_later_can_still_be_reached(session: Any) -> None:
    """The approved version takes another approval; it is approved once."""
    values = _in_review(session, Policy())
    for actor in (ARTIST, PRODUCER):
        session.do(reviews.approve, actor, MIX, 1, **values)
    session.do(policies.adopt, Policy(approval_quorum=3), 4)
    assert session.failing() == ["QUORUM_NOT_REACHED"]
    events = session.do(reviews.approve, BAND, MIX, 1, **values)
    assert [type(event) for event in events] == [events_pb2.VersionApprovalGiven]
    assert session.failing() == []


def test_an_approval_is_taken_back_while_the_stage_lasts(session: Any) -> None:
    """The version is in review again; what was taken back stays visible and counts no longer."""
    values = _in_review(session, Policy())
    with pytest.raises(NotNow):
        reviews.withdraw(session.song, ARTIST, MIX, 1, "not sure")
    for actor in (ARTIST, PRODUCER):
        session.do(reviews.approve, actor, MIX, 1, **values)
    session.do(reviews.withdraw, ARTIST, MIX, 1, "not sure")
    mix = session.song.mixes[1]
    assert (mix.state, [a.superseded for a in mix.approvals]) == (pb.VERSION_STATE_IN_REVIEW, [True, False])
    session.do(reviews.approve, ARTIST, MIX, 1, **values)
    assert session.failing() == []
    session.do(stages.advance, pb.STAGE_MASTERING)
    with pytest.raises(NotNow) as refused:
        reviews.withdraw(session.song, ARTIST, MIX, 1, "too late")
    assert refused.value.reason == "WRONG_STAGE"


def test_a_rejected_version_is_over(session: Any) -> None:
    """It can neither be approved nor changed, and the gate looks at the next one."""
    values = _in_review(session, Policy())
    session.do(reviews.reject, MIX, 1, "another direction", [])
    with pytest.raises(NotNow):
        reviews.approve(session.song, ARTIST, MIX, 1, **values)
    assert session.song.candidate(MIX) is None
    session.render(MIX, session.mix())
    assert session.song.mixes[1].state == pb.VERSION_STATE_REJECTED
    session.approve(MIX, 2)
    assert session.failing() == []


def test_more_rounds_than_agreed_are_said_and_never_blocked(session: Any) -> None:
    """Two of two are within; the third is beyond, raises its event, and goes on like the others."""
    session.to_mixing()
    session.do(policies.adopt, Policy(revision_allowance=2), 3)
    said = []
    for number in (1, 2, 3):
        session.mix()
        decide = reviews.reject if number == 2 else reviews.request_changes
        events = session.do(decide, MIX, number, "again", [])
        said += [event.round for event in events if isinstance(event, events_pb2.RevisionAllowanceExceeded)]
        assert session.song.rounds == number
    assert said == [3]
    assert session.song.usage_scope == pb.USAGE_SCOPE_EXTRA_REVISION


async def test_a_missed_deadline_raises_one_alert_and_approves_nothing(session: Any) -> None:
    """The lists know when approvals are due; the alert is raised once, after that time and not before."""
    _in_review(session, Policy(approval_deadline_hours=48))
    log, clock = MemoryEventLog(), FakeClock(session.events[-1][1])
    aggregates = Aggregates.on(log, clock=clock)
    song = aggregates.songs.aggregate("acme", "sng-1")
    created = events_pb2.ProjectCreated(project="prj-1", title="x", artist_name="y")
    await _append(aggregates.projects, aggregates.projects.aggregate("acme", "prj-1"), created)
    for event, _ in session.events:
        await _append(aggregates.songs, song, event)
    views = Views(log, "session", EVENTS)

    async def catch_up() -> None:
        for name in ("prj-1", "sng-1"):
            for stored in await log.load(aggregates.songs.aggregate("acme", name)):
                views.apply(stored)

    await catch_up()
    assert views.overdue(clock.now() + timedelta(hours=47)) == []
    (deadline,) = views.overdue(clock.now() + timedelta(hours=49))
    await raise_alert(aggregates, deadline, clock)
    assert not (await aggregates.songs.load(song)).state.mixes[1].is_overdue
    clock.advance(49 * 3600)
    for _ in range(2):
        await raise_alert(aggregates, deadline, clock)
    mix = (await aggregates.songs.load(song)).state.mixes[1]
    assert (mix.is_overdue, mix.state, mix.approvals) == (True, pb.VERSION_STATE_IN_REVIEW, ())
    stored = await log.load(song)
    assert [e.type for e in stored].count("tapelog.song.approval_deadline_missed.v1") == 1
    await catch_up()
    assert views.overdue(clock.now()) == []


async def _append(repository: Any, aggregate: Any, event: Any) -> None:
    await repository.execute(
        aggregate,
        lambda _: [event],
        request_id=str(uuid.uuid4()),
        request_hash="0" * 64,
        metadata=Metadata(project="prj-1", song="" if aggregate.id == "prj-1" else "sng-1"),
    )


def test_the_project_holds_policy_and_allowance() -> None:
    """Both are set within limits, survive each other, and say nothing new when they are set again."""
    state = Project()
    for wrong in (pb.Policy(approval_quorum=-1), pb.Policy(approval_deadline_hours=10**6)):
        with pytest.raises(InvalidCommand):
            project.set_policy(state, wrong)
    with pytest.raises(InvalidCommand):
        project.set_allowance(state, -1)
    policy = pb.Policy(solo=True, approval_deadline_hours=48)
    for decided in (project.set_allowance(state, 2), project.set_policy(state, policy)):
        for event in decided:
            state = project.evolve(state, event, FakeClock().now())
    assert state.policy == Policy(solo=True, approval_deadline_hours=48, revision_allowance=2)
    assert not project.set_policy(state, policy)
    assert not project.set_allowance(state, 2)
