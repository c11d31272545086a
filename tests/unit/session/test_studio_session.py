"""Studio sessions and the count of their contributions on the song."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import studio_session
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.handover import package_contents
from tapelog_session.domain.studio_session import StudioSession
from tapelog_session.domain.versioning.versions import MASTER

TIME = datetime(2026, 1, 1, tzinfo=UTC)


def _after(state: StudioSession, events: Any) -> StudioSession:
    for event in events:
        state = studio_session.evolve(state, event, TIME)
    return state


def _opened() -> StudioSession:
    opened = pb.StudioSession(
        name="projects/prj-1/studioSessions/ses-1",
        song="projects/prj-1/songs/sng-1",
        type=pb.STUDIO_SESSION_TYPE_OVERDUB,
        venue="Pier Studio",
    )
    return _after(StudioSession(), studio_session.open_session(StudioSession(), opened))


def test_what_waits_for_a_person_closes_the_last_gate(session: Any) -> None:
    """T4 and the delivery name it; a dispute is an answer too; an older count changes nothing."""
    session.to_mastering()
    session.approve(MASTER, session.master())
    waiting = pb.ContributionCount(studio_session="ses-1", waiting=1, session_sequence=2)
    session.do(studio_session.settle, waiting)
    assert "CONTRIBUTION_UNCONFIRMED" in session.failing()
    assert "CONTRIBUTION_UNCONFIRMED" in {gap.code for gap in package_contents.gaps(session.song)}
    session.do(studio_session.settle, pb.ContributionCount(studio_session="ses-1", disputed=1, session_sequence=3))
    assert not session.do(studio_session.settle, waiting)
    assert "CONTRIBUTION_UNCONFIRMED" not in session.failing()


def test_counts_follow_the_contributions(session: Any) -> None:
    """Logged by another waits; confirmed and disputed are counted; a confirmation takes a dispute back."""
    session.to_recording()
    state = _opened()
    for id_, party in (("con-1", "mel"), ("con-2", "rex")):
        wanted = pb.Contribution(party=party, role=pb.ROLE_MUSICIAN)
        state = _after(state, studio_session.log_contribution(state, session.song, id_, wanted, "rex"))
    state = _after(state, studio_session.dispute(state, "con-1", "not me"))
    count = studio_session.count_of(state, 4)
    assert (count.waiting, count.confirmed, count.disputed) == (0, 1, 1)
    state = _after(state, studio_session.confirm(state, "con-1"))
    assert state.content.contributions[0].dispute_reason == ""
    assert not studio_session.confirm(state, "con-1")
    with pytest.raises(Unknown):
        studio_session.confirm(state, "con-9")


def test_a_session_begins_says_what_it_is_and_ends_once() -> None:
    """Type and venue are demanded; it begins when it was opened if nothing else is said; it ends after that."""
    state = _opened()
    assert state.content.start_time.ToDatetime(tzinfo=UTC) == TIME
    for wrong in (pb.StudioSession(venue="x"), pb.StudioSession(type=1)):
        with pytest.raises(InvalidCommand):
            studio_session.open_session(StudioSession(), wrong)
    with pytest.raises(NotNow):
        studio_session.open_session(state, state.content)
    with pytest.raises(InvalidCommand):
        studio_session.close(state, Timestamp(seconds=1))
    state = _after(state, studio_session.close(state, state.content.start_time))
    with pytest.raises(NotNow):
        studio_session.close(state, state.content.start_time)


def test_attendees_and_equipment_are_noted_within_limits() -> None:
    """The same attendee twice is one; too much at once is refused."""
    state = _opened()
    attendee = pb.Attendee(party="mel", role=pb.ROLE_MUSICIAN)
    state = _after(state, studio_session.log_attendee(state, attendee))
    assert not studio_session.log_attendee(state, attendee)
    with pytest.raises(InvalidCommand):
        studio_session.log_attendee(state, pb.Attendee(party="Mel", role=0))
    with pytest.raises(InvalidCommand):
        studio_session.log_equipment(state, ["U 47"] * (studio_session.EQUIPMENT_PER_REQUEST_MAX + 1))
    state = _after(state, studio_session.log_equipment(state, ["U 47"]))
    assert list(state.content.equipment) == ["U 47"]
