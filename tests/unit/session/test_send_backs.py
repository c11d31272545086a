"""The seven ways back, holds and the gate to ARCHIVED, on a song in memory."""

import itertools
from typing import Any

import pytest
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import songs
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.gates import holds, send_backs, stages
from tapelog_session.domain.gates.send_backs import EDGES
from tapelog_session.domain.handover import delivery
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.talk import notes
from tapelog_session.domain.tracking import recording
from tapelog_session.domain.versioning.versions import MASTER, MIX

ARTIST = Actor("ana", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
LABEL = Actor("lou", pb.ROLE_LABEL)
OPEN = [pb.STAGE_PRE_PRODUCTION, pb.STAGE_RECORDING, pb.STAGE_MIXING, pb.STAGE_MASTERING]

# Written down from the domain reference (2.6), independently of the code: edge, from, to, mixes, masters, scope.
TABLE = {
    "B1": ("RECORDING", "PRE_PRODUCTION", "", "", "INCLUDED"),
    "B2": ("MIXING", "RECORDING", "SUPERSEDED", "", "NEW_SOURCE"),
    "B3": ("MIXING", "PRE_PRODUCTION", "SUPERSEDED", "", "NEW_SOURCE"),
    "B4": ("MASTERING", "MIXING", "CHANGES_REQUESTED", "SUPERSEDED", "REMASTER"),
    "B5": ("MASTERING", "RECORDING", "SUPERSEDED", "SUPERSEDED", "NEW_SOURCE"),
    "B6": ("DELIVERED", "MASTERING", "APPROVED", "IN_REVIEW", "INCLUDED"),
    "B7": ("DELIVERED", "MIXING", "CHANGES_REQUESTED", "SUPERSEDED", "REMASTER"),
}


def _to(session: Any, stage: str) -> None:
    """Bring a new song to a stage with whatever versions it can have there, and a note on the song."""
    if stage == "RECORDING":
        session.to_recording()
        session.add_take("lead-vox", "tk-1")
    elif stage == "MIXING":
        session.to_mixing()
        session.render(MIX, session.mix())
    elif stage == "MASTERING":
        session.to_mastering()
        session.approve(MASTER, session.master())
    else:
        session.to_delivered()
    content = pb.Note(text="again", severity=pb.NOTE_SEVERITY_BLOCKER)
    session.do(notes.add_note, PRODUCER, "nt-1", content)


def _back(to: int, **values: Any) -> pb.SendBack:
    return pb.SendBack(**{"to": to, "reason": pb.SEND_BACK_REASON_BETTER_TAKE, "notes": ["nt-1"], **values})


@pytest.mark.parametrize("edge", sorted(TABLE))
def test_a_way_back_does_what_its_row_says(session: Any, edge: str) -> None:
    """Stage, cycle, scope and versions after each of B1 to B7 are those of the reference; nothing is deleted."""
    left, entered, mix, master, scope = TABLE[edge]
    _to(session, left)
    before = session.song
    to = pb.Stage.Value(f"STAGE_{entered}")
    if edge == "B7":
        session.do(send_backs.advise, ARTIST, pb.SendBackAdvice(to=to, reason=pb.SEND_BACK_REASON_CREATIVE_CHANGE))
    decided = session.do(send_backs.send_back, PRODUCER, _back(to))
    song = session.song
    assert (song.stage, song.cycle, song.usage_scope) == (to, 2, pb.UsageScope.Value(f"USAGE_SCOPE_{scope}"))
    assert song.send_backs[-1].edge == edge
    assert isinstance(decided[-1], events_pb2.StageEntered)
    for versions, expected in ((song.mixes, mix), (song.masters, master)):
        if expected:
            assert versions[1].state == pb.VersionState.Value(f"VERSION_STATE_{expected}")
    assert set(song.mixes) >= set(before.mixes)
    assert set(song.takes) == set(before.takes)
    for number, version in before.mixes.items():
        assert [a.party for a in song.mixes[number].approvals] == [a.party for a in version.approvals]
    assert song.advice == ()


def test_the_ways_back_are_these_seven_and_no_others(session: Any) -> None:
    """Every pair of stages is tried: only the seven edges exist."""
    assert len(EDGES) == len(TABLE)
    expected = {(pb.Stage.Value(f"STAGE_{a}"), pb.Stage.Value(f"STAGE_{b}")) for a, b, *_ in TABLE.values()}
    assert set(EDGES) == expected
    _to(session, "MIXING")
    for to in pb.Stage.values():
        if (session.song.stage, to) not in expected:
            with pytest.raises(NotNow) as refused:
                send_backs.send_back(session.song, PRODUCER, _back(to))
            assert refused.value.reason == "ILLEGAL_STAGE_EDGE"


@pytest.mark.parametrize("edge", ["B1", "B3"])
def test_takes_of_a_prior_arrangement_are_kept_marked_and_selected_no_longer(session: Any, edge: str) -> None:
    """The arrangement has to be approved again; after B3 the brief has to be agreed again, after B1 it stands."""
    _to(session, TABLE[edge][0])
    session.do(send_backs.send_back, PRODUCER, _back(pb.STAGE_PRE_PRODUCTION))
    take = session.song.takes["tk-1"]
    assert (take.prior_arrangement, session.song.selected_takes()) == (True, ())
    again = {"B1": ["ARRANGEMENT_NOT_APPROVED"], "B3": ["BRIEF_NOT_AGREED", "ARRANGEMENT_NOT_APPROVED"]}
    assert session.failing() == again[edge]


def test_a_send_back_needs_a_reason_and_a_note_that_is_not_settled(session: Any) -> None:
    """No reason, no note, an unknown note and a settled one are each refused, with the field that is wrong."""
    _to(session, "RECORDING")
    for wrong in ({"reason": 0}, {"notes": []}, {"reason": pb.SEND_BACK_REASON_OTHER}, {"notes": ["nt-1", "nt-1"]}):
        with pytest.raises(InvalidCommand):
            send_backs.send_back(session.song, PRODUCER, _back(pb.STAGE_PRE_PRODUCTION, **wrong))
    with pytest.raises(Unknown):
        send_backs.send_back(session.song, PRODUCER, _back(pb.STAGE_PRE_PRODUCTION, notes=["nt-9"]))
    session.do(notes.address_note, "nt-1", "done", None)
    session.do(notes.verify_note, "nt-1")
    with pytest.raises(NotNow) as refused:
        send_backs.send_back(session.song, PRODUCER, _back(pb.STAGE_PRE_PRODUCTION))
    assert refused.value.reason == "NOTE_SETTLED"


def test_a_creative_change_after_delivery_needs_the_artist(session: Any) -> None:
    """B7 without the artist's own request is refused; the label's request is not the artist's consent."""
    _to(session, "DELIVERED")
    wish = pb.SendBackAdvice(to=pb.STAGE_MIXING, reason=pb.SEND_BACK_REASON_CREATIVE_CHANGE)
    session.do(send_backs.advise, LABEL, wish)
    with pytest.raises(NotNow) as refused:
        send_backs.send_back(session.song, PRODUCER, _back(pb.STAGE_MIXING))
    assert refused.value.reason == "ARTIST_CONSENT_MISSING"
    session.do(send_backs.advise, ARTIST, wish)
    session.do(send_backs.send_back, PRODUCER, _back(pb.STAGE_MIXING))
    assert session.song.send_backs[-1].returned_delivery == "dlv-1"


def test_the_label_asks_after_delivery_alone(session: Any) -> None:
    """Before DELIVERED there is nothing the label could return."""
    _to(session, "MASTERING")
    wish = pb.SendBackAdvice(to=pb.STAGE_MIXING, reason=pb.SEND_BACK_REASON_MIX_MOVE)
    with pytest.raises(NotNow):
        send_backs.advise(session.song, LABEL, wish)


def test_a_returned_master_can_be_approved_again_as_it_is(session: Any) -> None:
    """After B6 the approvals of before count no longer; the same bytes may be approved anew, and delivered."""
    _to(session, "DELIVERED")
    session.do(send_backs.send_back, PRODUCER, _back(pb.STAGE_MASTERING))
    assert session.failing() == [
        "MASTER_NOT_APPROVED",
        "APPROVAL_INAPPLICABLE",
        "APPROVAL_INAPPLICABLE",
        "DELIVERY_NOT_PRECHECKED",
        "BLOCKER_NOTE_OPEN",
    ]
    session.approve(MASTER, 1)
    session.do(notes.address_note, "nt-1", "done", None)
    session.do(notes.verify_note, "nt-1")
    session.do(delivery.record_precheck, (), "dlv-2", 1)
    session.do(stages.advance, pb.STAGE_DELIVERED)
    assert (session.song.cycle, session.song.delivery) == (2, "dlv-2")


def test_a_song_is_put_away_when_the_label_accepted_and_two_stores_are_whole(session: Any) -> None:
    """T5: both conditions are named; one store is not enough; a package of before the return does not count."""
    session.to_delivered()
    assert session.failing() == ["DELIVERY_NOT_ACCEPTED", "FILES_NOT_VERIFIED"]
    assert not session.do(songs.record_acceptance, "dlv-9", "lou")
    session.do(songs.record_acceptance, "dlv-1", "lou")
    assert not session.do(songs.record_acceptance, "dlv-1", "lou")
    for stores in (1, 2):
        assert "FILES_NOT_VERIFIED" in session.failing()
        session.do(songs.record_verification, events_pb2.PackageVerified(delivery="dlv-1", stores=stores, files=5))
    assert session.failing() == []
    session.do(stages.advance, pb.STAGE_ARCHIVED)
    assert session.song.stage == pb.STAGE_ARCHIVED
    assert stages.next_stage(session.song.stage) is None


@pytest.mark.parametrize(("stage", "ends"), list(itertools.product(OPEN, [False, True])))
def test_an_open_song_rests_or_ends(session: Any, stage: int, ends: bool) -> None:
    """From any open stage a song can be put on hold and goes on there, or is given up for good."""
    reach = {1: session.create, 2: session.to_recording, 3: session.to_mixing, 4: session.to_mastering}
    reach[stage]()
    if ends:
        session.do(holds.cancel, "no money")
        assert session.song.stage == pb.STAGE_CANCELLED
    else:
        session.do(holds.put_on_hold, "on tour")
        assert (session.song.stage, session.song.held_stage) == (pb.STAGE_ON_HOLD, stage)
    for refused in (holds.put_on_hold, holds.cancel):
        with pytest.raises(NotNow):
            refused(session.song, "again")
    with pytest.raises(NotNow):
        recording.define_track(session.song, "drums", "Drums", required=True)
    with pytest.raises(NotNow):
        stages.advance(session.song, pb.STAGE_MIXING)
    if ends:
        with pytest.raises(NotNow):
            holds.resume(session.song)
    else:
        session.do(holds.resume)
        assert (session.song.stage, session.song.cycle) == (stage, 1)


def test_the_state_of_a_stage_follows_the_work(session: Any) -> None:
    """In progress, in review, approved: read from what the stage is about."""

    def state() -> str:
        failing = stages.open_conditions(session.song)
        return pb.StageState.Name(stages.stage_state(session.song, failing)).removeprefix("STAGE_STATE_")

    session.to_mixing()
    assert state() == "IN_PROGRESS"
    session.render(MIX, session.mix())
    session.approve(MIX, 1, ARTIST)
    assert state() == "IN_REVIEW"
    session.approve(MIX, 1, PRODUCER)
    assert state() == "APPROVED"
    session.do(holds.put_on_hold, "on tour")
    assert state() == "UNSPECIFIED"
