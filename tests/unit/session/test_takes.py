"""Comps, rejected and cleaned takes, requests for another one, on a song in memory."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.gates import stages
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.tracking import comps, recording, takes
from tapelog_session.domain.versioning import versions
from tapelog_session.domain.vision.brief_check import tracks_of

ENGINEER = Actor("rex", pb.ROLE_RECORDING_ENGINEER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)


def _another(session: Any, take: str, track: str = "lead-vox", **measured: Any) -> None:
    """Record and check a further take of a track."""
    session.do(recording.record_take, take, track, take[-1] * 64, "rex")
    form = audio_pb2.AudioFormat(sample_rate_hz=48_000, channels=1, length_frames=48_000)
    session.do(recording.record_check, take, audio_pb2.Measurements(length_frames=48_000, **measured), form)


def _two_takes(session: Any) -> None:
    session.to_recording()
    session.add_take("lead-vox", "tk-1")
    _another(session, "tk-2")


def _region(take: str, start: int, end: int, crossfade_ms: float = 0.0) -> pb.CompRegion:
    passage = audio_pb2.FrameRange(start_frame=start, end_frame=end)
    return pb.CompRegion(take=take, range=passage, crossfade_ms=crossfade_ms)


def test_a_comp_stands_in_for_a_selected_take(session: Any) -> None:
    """Its takes may be mixed; selecting a take sets it aside, setting it again sets the selection aside."""
    _two_takes(session)
    regions = [_region("tk-1", 0, 20_000), _region("tk-2", 20_000, 48_000, 10)]
    session.do(takes.set_comp, ENGINEER, "lead-vox", regions)
    assert [take.id for take in session.song.selected_takes()] == ["tk-1", "tk-2"]
    assert session.failing() == []
    session.do(recording.select_take, "lead-vox", "tk-2")
    assert session.song.tracks["lead-vox"].comp is None
    session.do(takes.set_comp, ENGINEER, "lead-vox", regions)
    assert session.song.tracks["lead-vox"].selected_take == ""


def test_a_rendered_comp_may_be_mixed(session: Any) -> None:
    """Its recording is kept with its passages: set aside and set again it is there; of other passages it is not."""
    _two_takes(session)
    regions = [_region("tk-1", 0, 20_000), _region("tk-2", 20_000, 48_000, 10)]
    session.do(takes.set_comp, ENGINEER, "lead-vox", regions)
    track = session.song.tracks["lead-vox"]
    passages = comps.passages_digest(track.comp)
    audio = audio_pb2.AudioResult(sha256="c" * 64, format=audio_pb2.AudioFormat(length_frames=48_000))
    session.do(comps.record_comp_render, "lead-vox", passages, audio=audio, render_job="job-1", error="")
    assert session.song.tracks["lead-vox"].comp.audio == audio
    assert tracks_of(session.song)["c" * 64] == {"lead-vox", "tk-1", "tk-2"}
    again = comps.record_comp_render(session.song, "lead-vox", passages, audio=audio, render_job="job-1", error="")
    assert list(again) == []
    session.do(takes.set_comp, ENGINEER, "lead-vox", regions[:1])
    assert not session.song.tracks["lead-vox"].comp.HasField("audio")
    assert "c" * 64 not in comps.comp_recordings(session.song)
    session.do(takes.set_comp, ENGINEER, "lead-vox", regions)
    assert session.song.tracks["lead-vox"].comp.audio == audio


def test_a_comp_that_could_not_be_rendered_says_why(session: Any) -> None:
    """The reason stands with the comp, and the takes can still be mixed."""
    _two_takes(session)
    session.do(takes.set_comp, ENGINEER, "lead-vox", [_region("tk-1", 0, 48_000)])
    passages = comps.passages_digest(session.song.tracks["lead-vox"].comp)
    session.do(comps.record_comp_render, "lead-vox", passages, audio=None, render_job="job-1", error="RATES: differ")
    assert session.song.tracks["lead-vox"].comp.render_error == "RATES: differ"
    assert [take.id for take in session.song.selected_takes()] == ["tk-1"]


@pytest.mark.parametrize(
    "regions",
    [
        [],
        [_region("tk-1", 0, 20_000), _region("tk-2", 20_001, 48_000)],
        [_region("tk-1", 0, 20_000), _region("tk-2", 19_999, 48_000)],
        [_region("tk-1", 0, 48_001)],
        [_region("tk-1", 100, 100)],
        [_region("tk-9", 0, 100)],
        [_region("tk-3", 0, 100)],
        [_region("tk-1", 0, 20_000, 5)],
        [_region("tk-1", 0, 20_000), _region("tk-2", 20_000, 20_048, 2)],
        [_region("tk-1", 0, 20_000), _region("tk-2", 20_000, 48_000, -1)],
    ],
    ids=["none", "gap", "overlap", "too-long", "empty", "unknown", "other-track", "first-fades", "fade", "negative"],
)
def test_a_comp_that_cannot_be_played_is_refused(session: Any, regions: list[pb.CompRegion]) -> None:
    """Gaps, overlaps, passages behind the end, foreign takes and impossible fades name their field."""
    _two_takes(session)
    session.add_take("drums", "tk-3")
    with pytest.raises(InvalidCommand):
        takes.set_comp(session.song, ENGINEER, "lead-vox", regions)


def test_what_failed_or_was_rejected_is_in_no_comp(session: Any) -> None:
    """Both are named at once."""
    _two_takes(session)
    _another(session, "tk-3", clipped_samples=9)
    session.do(takes.reject_take, "tk-2", "out of tune")
    regions = [_region("tk-2", 0, 100), _region("tk-3", 100, 200)]
    with pytest.raises(NotNow) as refused:
        takes.set_comp(session.song, ENGINEER, "lead-vox", regions)
    assert [c.subject for c in refused.value.conditions] == ["tk-2", "tk-3"]


def test_a_rejected_take_is_kept_and_selected_no_longer(session: Any) -> None:
    """It stays with its reason; it can neither be selected nor rejected again."""
    _two_takes(session)
    session.do(takes.reject_take, "tk-1", "a cough")
    assert session.song.takes["tk-1"].reject_reason == "a cough"
    assert session.failing() == ["NOTHING_SELECTED", "TRACK_WITHOUT_TAKE"]
    with pytest.raises(NotNow):
        recording.select_take(session.song, "lead-vox", "tk-1")
    with pytest.raises(NotNow):
        takes.reject_take(session.song, "tk-1", "again")


def test_a_cleaned_take_names_its_parent_and_leaves_it_untouched(session: Any) -> None:
    """It is checked like any other; in MIXING it may be used wherever its parent is selected."""
    _two_takes(session)
    session.do(stages.advance, pb.STAGE_MIXING)
    parent = session.song.takes["tk-1"]
    clean = {"asset_sha256": "c" * 64, "treatments": ["hum 50 Hz removed"]}
    session.do(takes.clean_take, MIXER, "tk-c", "tk-1", **clean)
    cleaned = session.song.takes["tk-c"]
    assert (cleaned.parent, cleaned.track, cleaned.recorded_by) == ("tk-1", "lead-vox", "mia")
    assert session.song.takes["tk-1"] == parent
    recipe = versions.recipe_pb2.MixRecipe(sample_rate_hz=48_000)
    recipe.tracks.add(id="lead-vox").source.asset_sha256 = "c" * 64
    with pytest.raises(InvalidCommand):
        versions.propose_mix(session.song, MIXER, recipe, "")
    form = audio_pb2.AudioFormat(sample_rate_hz=48_000, channels=1, length_frames=48_000)
    session.do(recording.record_check, "tk-c", audio_pb2.Measurements(), form)
    session.do(versions.propose_mix, MIXER, recipe, "")
    with pytest.raises(InvalidCommand):
        takes.clean_take(session.song, MIXER, "tk-d", "tk-1", asset_sha256=parent.asset_sha256, treatments=["x"])
    with pytest.raises(Unknown):
        takes.clean_take(session.song, MIXER, "tk-d", "tk-9", **clean)


def test_a_cleaned_take_of_one_that_is_not_selected_may_not_be_mixed(session: Any) -> None:
    """Cleaning is no way around the choice of takes."""
    _two_takes(session)
    session.do(stages.advance, pb.STAGE_MIXING)
    session.do(takes.clean_take, MIXER, "tk-c", "tk-2", asset_sha256="c" * 64, treatments=["clicks"])
    assert "tk-c" not in {take.id for take in session.song.usable_takes()}


def test_a_new_take_answers_the_requests_for_it(session: Any) -> None:
    """Who asked and why stays until somebody records; the log keeps it."""
    _two_takes(session)
    session.do(takes.request_take, MIXER, "lead-vox", "less breath")
    (wanted,) = session.song.tracks["lead-vox"].take_requests
    assert (wanted.requested_by, wanted.reason) == ("mia", "less breath")
    _another(session, "tk-4")
    assert session.song.tracks["lead-vox"].take_requests == ()


def test_a_track_whose_part_fell_away_is_made_optional_and_the_gate_opens(session: Any) -> None:
    """Required without a take it closes the gate for ever; made optional, with a reason, it does not; and back."""
    session.to_recording()
    session.add_take("lead-vox", "tk-1")
    session.do(recording.define_track, "strings", "Strings", required=True)
    assert session.failing() == ["TRACK_WITHOUT_TAKE"]
    with pytest.raises(InvalidCommand):
        recording.set_requirement(session.song, "strings", "", required=False)
    with pytest.raises(Unknown):
        recording.set_requirement(session.song, "harp", "no harp", required=False)
    session.do(recording.set_requirement, "strings", "the part fell away", required=False)
    assert session.failing() == []
    assert not recording.set_requirement(session.song, "strings", "again", required=False)
    session.do(recording.set_requirement, "strings", "it is back", required=True)
    assert session.failing() == ["TRACK_WITHOUT_TAKE"]
