"""The invariants of a song that this version has, each by its own test."""

import hashlib
from typing import Any

import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.application.aggregates import EVENTS
from tapelog_session.domain import songs
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.evolve import ON, evolve
from tapelog_session.domain.gates import stages
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk import notes
from tapelog_session.domain.tracking import recording, take_checks
from tapelog_session.domain.versioning import reviews, versions
from tapelog_session.domain.versioning.versions import MASTER, MIX
from tapelog_session.domain.vision import brief

ARTIST = Actor("ana", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)
DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300))
DRY = brief_pb2.Constraint(
    id="dry",
    statement="No echo.",
    effect_forbidden=brief_pb2.EffectForbidden(
        selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
    ),
)


def test_folding_twice_gives_equal_state_and_a_prefix_the_state_of_then(session: Any) -> None:
    """Invariant 1: the fold is a function of the events; every prefix is what the song was."""
    prefixes = [Song()]
    session.to_delivered()
    state = Song()
    for event, time in session.events:
        state = evolve(state, event, time)
        prefixes.append(state)
    assert state == session.song
    again = Song()
    for k, (event, time) in enumerate(session.events):
        assert again == prefixes[k]
        again = evolve(again, event, time)


def test_only_the_next_stage_can_be_entered(session: Any) -> None:
    """Invariant 3: no skip, no way back, none beyond the last."""
    session.to_mixing()
    for stage in pb.Stage.values():
        if stage != pb.STAGE_MASTERING:
            with pytest.raises(NotNow) as refused:
                stages.advance(session.song, stage)
            assert refused.value.reason == "ILLEGAL_STAGE_EDGE"
    with pytest.raises(NotNow):
        stages.advance(session.song, 99)


def test_a_stage_is_entered_only_behind_a_passed_evaluation(session: Any) -> None:
    """Invariant 4: StageAdvanced follows a StageGateEvaluated that passed; a closed gate records its evaluation."""
    session.to_delivered()
    messages = [event for event, _ in session.events]
    for number, message in enumerate(messages):
        if isinstance(message, events_pb2.StageAdvanced):
            evaluation = messages[number - 1]
            assert isinstance(evaluation, events_pb2.StageGateEvaluated)
            assert evaluation.passed
    other = type(session)()
    other.to_mixing()
    evaluation, refused = other.do(stages.advance, pb.STAGE_MASTERING)
    assert list(refused.codes) == list(dict.fromkeys(c.code for c in evaluation.conditions if not c.passed))
    assert (evaluation.passed, other.song.stage) == (False, pb.STAGE_MIXING)
    refusal = stages.refusal_of(other.song, evaluation)
    assert [c.code for c in refusal.conditions] == [c.code for c in evaluation.conditions if not c.passed]


def test_a_version_never_changes_what_it_is(session: Any) -> None:
    """Invariant 5: recipe, digest and audio stay; a second render of a version is not taken."""
    session.to_mixing()
    session.mix()
    session.render(MIX, 1)
    before = session.song.mixes[1]
    assert not session.do(
        versions.record_render, MIX, 1, audio=[], attachments=[], render_job="job-2", engine_version="2"
    )
    session.approve(MIX, 1)
    after = session.song.mixes[1]
    assert (after.recipe, after.recipe_digest, after.audio) == (before.recipe, before.recipe_digest, before.audio)


def test_at_most_one_mix_is_approved_and_the_new_one_supersedes(session: Any) -> None:
    """Invariant 6: approving mix 2 supersedes the approved mix 1 and every other."""
    session.to_mixing()
    for number in (1, 2, 3):
        session.mix()
        session.render(MIX, number)
    session.approve(MIX, 1)
    assert [session.song.mixes[n].is_superseded for n in (1, 2, 3)] == [False, True, True]
    session.mix()
    session.render(MIX, 4)
    session.approve(MIX, 4)
    states = [session.song.mixes[n].state for n in (1, 4)]
    assert states == [pb.VERSION_STATE_SUPERSEDED, pb.VERSION_STATE_APPROVED]


def test_a_master_ends_with_its_mix(session: Any) -> None:
    """Invariant 9: when another mix is approved, masters of the old one are superseded."""
    session.to_mastering()
    session.master()
    rejected = session.song.masters[1]
    assert rejected.mix_number == 1
    session.record([events_pb2.MixVersionProposed(number=2, recipe=recipe_pb2.MixRecipe(), proposed_by="mia")])
    session.render(MIX, 2)
    session.record([events_pb2.VersionSubmittedForReview(kind=MIX, number=2)])
    session.approve(MIX, 2)
    assert session.song.masters[1].is_superseded
    assert "MASTER_NOT_APPROVED" in session.failing()


def test_a_failed_technical_check_cannot_be_waived_or_selected(session: Any) -> None:
    """Invariant 8: clipping, silence, NaN, another rate: the take is unusable for everybody."""
    session.to_recording()
    session.add_take("lead-vox", "tk-1", clipped_samples=3, silent_channels=[0], non_finite_samples=1)
    take = session.song.takes["tk-1"]
    assert [finding.split(":")[0] for finding in take.findings] == ["NON_FINITE", "SILENCE", "CLIPPING"]
    with pytest.raises(NotNow, match="nobody can waive"):
        recording.select_take(session.song, "lead-vox", "tk-1")
    assert "TRACK_WITHOUT_TAKE" in session.failing()


@pytest.mark.parametrize(
    ("rate_hz", "length", "finding"), [(44100, 44100, "SAMPLE_RATE"), (48000, 0, "LENGTH"), (48000, 48000**2, "LENGTH")]
)
def test_rate_and_length_are_checked_on_arrival(session: Any, rate_hz: int, length: int, finding: str) -> None:
    """A take of another rate, without samples, or longer than can be rendered is not fit for use."""
    session.to_recording()
    form = recording.audio_pb2.AudioFormat(sample_rate_hz=rate_hz, channels=1, length_frames=length)
    checks = take_checks.checks_of(session.song, recording.audio_pb2.Measurements(), form)
    assert [line.split(":")[0] for line in take_checks.findings_of(checks)] == [finding]
    assert not take_checks.is_fit(checks)


def test_approvals_bind_bytes_recipe_and_brief(session: Any) -> None:
    """Other bytes and a brief that moved on are refused together; an amendment reopens what was approved."""
    session.to_mixing(DRY)
    session.mix()
    digest = session.render(MIX, 1)
    session.do(versions.submit, MIX, 1)
    with pytest.raises(NotNow) as refused:
        reviews.approve(session.song, ARTIST, MIX, 1, sample_digest="0" * 64, brief_revision=7)
    assert [c.code for c in refused.value.conditions] == ["SAMPLES_DIFFER", "BRIEF_MOVED_ON"]
    session.approve(MIX, 1)
    assert session.failing() == []
    session.agree(reason="softer")
    mix = session.song.mixes[1]
    assert (mix.state, len(mix.approvals), mix.applicable(2)) == (pb.VERSION_STATE_IN_REVIEW, 2, ())
    assert session.failing() == ["MIX_NOT_APPROVED", "APPROVAL_INAPPLICABLE", "APPROVAL_INAPPLICABLE"]
    for actor in (ARTIST, PRODUCER):
        session.do(reviews.approve, actor, MIX, 1, sample_digest=digest, brief_revision=2)
    assert session.failing() == []


def test_a_violation_flags_and_closes_the_gate_but_never_a_proposal(session: Any) -> None:
    """The mix with a delay is taken, rendered and approved; T3 stays closed until the brief or the mix changes."""
    session.to_mixing(DRY)
    session.mix(DELAY)
    flags = [event for event, _ in session.events if isinstance(event, events_pb2.BriefViolationFlagged)]
    assert [list(flag.verdict.recipe_paths) for flag in flags] == [["tracks[lead-vox].chain[0].delay"]]
    session.render(MIX, 1)
    session.approve(MIX, 1)
    assert session.failing() == ["BRIEF_VIOLATED"]
    session.agree(reason="the echo stays")
    session.approve(MIX, 1)
    assert session.failing() == []


def test_nobody_approves_their_own_version_nor_twice_in_one_role(session: Any) -> None:
    """Who proposed cannot approve; a role approves once; a version must be in review."""
    session.to_mixing()
    session.do(versions.propose_mix, Actor("pia", pb.ROLE_STUDIO_PRODUCER), _recipe(), "")
    digest = session.render(MIX, 1)
    values = {"sample_digest": digest, "brief_revision": 0}
    with pytest.raises(NotNow, match="submit it first"):
        reviews.approve(session.song, ARTIST, MIX, 1, **values)
    session.do(versions.submit, MIX, 1)
    with pytest.raises(NotNow) as refused:
        reviews.approve(session.song, PRODUCER, MIX, 1, **values)
    assert refused.value.reason == "SELF_APPROVAL"
    session.do(reviews.approve, ARTIST, MIX, 1, **values)
    with pytest.raises(NotNow) as refused:
        reviews.approve(session.song, ARTIST, MIX, 1, **values)
    assert refused.value.reason == "ALREADY_GIVEN"


def _recipe() -> recipe_pb2.MixRecipe:
    source = recipe_pb2.RecipeSource(asset_sha256=hashlib.sha256(b"drums").hexdigest())
    return recipe_pb2.MixRecipe(sample_rate_hz=48000, tracks=[recipe_pb2.RecipeTrack(id="drums", source=source)])


def test_alternates_differ_from_their_mix_in_mutes_and_offsets_only(session: Any) -> None:
    """Invariant 10: an alternate names tracks of the recipe; ids are unique; a failed one may be asked for again."""
    session.to_mixing()
    session.mix()
    instrumental = recipe_pb2.Alternate(id="instrumental", mute=["vocal"])
    session.do(songs.request_alternates, 1, [instrumental])
    for wrong in ([recipe_pb2.Alternate(id="tv", mute=["tuba"])], [instrumental], [], [instrumental] * 17):
        with pytest.raises(InvalidCommand):
            songs.request_alternates(session.song, 1, wrong)
    session.do(songs.record_alternate, 1, "instrumental", audio=None, render_job="job-1", error="DISK_FULL")
    assert not session.do(songs.record_alternate, 1, "instrumental", audio=None, render_job="job-1", error="again")
    session.do(songs.request_alternates, 1, [instrumental])
    assert session.song.alternates[1, "instrumental"].is_pending


def test_a_blocker_note_holds_every_gate_until_it_is_verified(session: Any) -> None:
    """Addressed is the engineer's word; verified is the artist's or the producer's."""
    session.to_mixing()
    session.mix()
    session.render(MIX, 1)
    session.approve(MIX, 1)
    session.note("nt-1")
    session.note("nt-2", pb.NOTE_SEVERITY_NICE)
    assert session.failing() == ["BLOCKER_NOTE_OPEN"]
    with pytest.raises(NotNow):
        notes.verify_note(session.song, "nt-1")
    session.do(notes.address_note, "nt-1", "lower", notes.parse_version(session.song.name.version(MIX, 1), "version"))
    assert session.failing() == ["BLOCKER_NOTE_OPEN"]
    session.do(notes.verify_note, "nt-1")
    assert session.failing() == []


def test_the_last_gate_reads_target_isrc_and_precheck_of_the_approved_master(session: Any) -> None:
    """T4: every condition is named; a precheck of another master does not count."""
    session.to_mastering()
    assert session.failing() == [
        "MASTER_NOT_APPROVED",
        "LOUDNESS_OFF_TARGET",
        "TRUE_PEAK_OVER_CEILING",
        "ISRC_MISSING",
        "DELIVERY_NOT_PRECHECKED",
    ]
    session.approve(MASTER, session.master(integrated_lufs=-14.3, true_peak_dbtp=-0.9))
    assert session.failing()[:2] == ["LOUDNESS_OFF_TARGET", "TRUE_PEAK_OVER_CEILING"]
    session.approve(MASTER, session.master())
    session.do(songs.set_catalogue_ids, "qz-abc-25-00001")
    session.record([events_pb2.DeliveryPrechecked(passed=True, delivery="dlv-1", master_number=1)])
    assert session.failing() == ["DELIVERY_NOT_PRECHECKED"]
    session.record([events_pb2.DeliveryPrechecked(passed=True, delivery="dlv-2", master_number=2)])
    assert session.failing() == []


def test_a_late_render_does_not_undo_a_decision(session: Any) -> None:
    """Audio that arrives after changes were requested is kept; the version stays sent back."""
    session.to_mixing()
    session.mix()
    session.do(reviews.request_changes, MIX, 1, "no", [])
    session.render(MIX, 1)
    version = session.song.mixes[1]
    assert (version.state, version.is_rendered) == (pb.VERSION_STATE_CHANGES_REQUESTED, True)
    session.mix()
    assert session.song.mixes[1].is_superseded


def test_every_event_of_the_vocabulary_has_its_fold() -> None:
    """No event message of a song is without a fold, and none of another aggregate is a song's."""
    others = {m.DESCRIPTOR.name for type_, m in EVENTS.types.items() if not type_.startswith("tapelog.song.")}
    names = {message.DESCRIPTOR.name for message in ON}
    assert not names & others
    assert names | others == set(events_pb2.DESCRIPTOR.message_types_by_name)


@pytest.mark.parametrize(
    "decide",
    [
        lambda song: notes.verify_note(song, "nt-9"),
        lambda song: versions.submit(song, MIX, 9),
        lambda song: recording.require_track(song, "tuba"),
        lambda song: songs.record_alternate(song, 1, "tv", audio=None, render_job="", error=""),
        lambda song: recording.record_check_failure(song, "tk-9", "gone"),
        lambda song: reviews.request_changes(song, MIX, 1, "no", ["nt-9"]),
    ],
    ids=["note", "version", "track", "alternate", "take", "note-of-changes"],
)
def test_what_does_not_exist_is_unknown(session: Any, decide: Any) -> None:
    """Notes, versions, tracks, takes and alternates that are not there are named as such."""
    session.to_mixing()
    session.mix()
    with pytest.raises(Unknown):
        decide(session.song)


def test_a_brief_is_agreed_to_in_its_revision_only(session: Any) -> None:
    """Agreeing to another revision than the one in force is refused; a second time in a role too."""
    session.create()
    with pytest.raises(NotNow):
        brief.agree_brief(session.song, ARTIST, 1)
    session.agree()
    for revision, reason in ((2, "BRIEF_REVISION_NOT_IN_FORCE"), (1, "ALREADY_GIVEN")):
        with pytest.raises(NotNow) as refused:
            brief.agree_brief(session.song, ARTIST, revision)
        assert refused.value.reason == reason
