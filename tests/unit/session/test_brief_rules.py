"""The further kinds of rules: passages, formats, alternates, and what no render measures yet."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import validate_mix
from tapelog_session.domain import songs
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.song import Brief
from tapelog_session.domain.versioning.versions import MIX
from tapelog_session.domain.vision import brief as session_brief
from tapelog_session.domain.vision.brief import check_brief
from tapelog_session.domain.vision.brief_check import check_recipe, check_signal

PASS, VIOLATION = brief_pb2.VERDICT_PASS, brief_pb2.VERDICT_VIOLATION
NOT_MEASURED, NOT_APPLICABLE = brief_pb2.VERDICT_NOT_MEASURED, brief_pb2.VERDICT_NOT_APPLICABLE
HOLD, LINEAR = recipe_pb2.AUTOMATION_CURVE_HOLD, recipe_pb2.AUTOMATION_CURVE_LINEAR
BRIDGE = (48_000, 96_000)


def _rule(**rule: Any) -> brief_pb2.Constraint:
    return brief_pb2.Constraint(id="rule", statement="so", **rule)


def _in_bridge(*tracks: str) -> brief_pb2.Constraint:
    passage = audio_pb2.FrameRange(start_frame=BRIDGE[0], end_frame=BRIDGE[1])
    scope = brief_pb2.SectionScope(
        selector=brief_pb2.TrackSelector(tracks=tracks),
        effects=["delay"],
        sections=[brief_pb2.Section(title="bars 49-64", range=passage)],
    )
    return _rule(section_scope=scope)


def _echoing(*points: tuple[int, float, int], pre_fader: bool = False, on_bus: bool = True) -> recipe_pb2.MixRecipe:
    """A voice, and the same voice for the bridge alone, with an echo and this fader automation."""  # noqa: D401
    source = recipe_pb2.RecipeSource(asset_sha256="a" * 64)
    echo = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300))
    bridge = recipe_pb2.RecipeTrack(
        id="vox-bridge",
        source=source,
        gain_automation=[recipe_pb2.GainPoint(frame=f, gain_db=g, curve=c) for f, g, c in points],
        sends=[recipe_pb2.RecipeSend(bus="echo", gain_db=-18, pre_fader=pre_fader)] if on_bus else [],
        chain=[] if on_bus else [echo],
    )
    voice = recipe_pb2.RecipeTrack(id="lead-vox", source=source)
    recipe = recipe_pb2.MixRecipe(
        sample_rate_hz=48_000, tracks=[voice, bridge], buses=[recipe_pb2.RecipeBus(id="echo", chain=[echo])]
    )
    assert validate_mix(recipe, services=True) == ()
    return recipe


def _check(rule: brief_pb2.Constraint, recipe: Any) -> brief_pb2.BriefVerdict:
    (verdict,) = check_recipe(Brief(1, "", (), (rule,)), recipe, {"a" * 64: frozenset({"lead-vox", "tk-1"})})
    return verdict


CLOSED_OUTSIDE = [(0, -96.0, HOLD), (48_000, 0.0, HOLD), (96_000, -96.0, HOLD)]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (CLOSED_OUTSIDE, PASS),
        ([(0, -96.0, LINEAR), (48_000, -96.0, LINEAR), (60_000, 0.0, LINEAR), (96_000, -96.0, LINEAR)], PASS),
        ([(0, -96.0, LINEAR), (60_000, 0.0, LINEAR), (96_000, -96.0, LINEAR)], VIOLATION),
        ([(0, -96.0, HOLD), (48_000, 0.0, HOLD)], VIOLATION),
        ([(0, -96.0, HOLD), (47_999, 0.0, HOLD), (96_000, -96.0, HOLD)], VIOLATION),
        ([(0, -96.0, HOLD), (48_000, 0.0, HOLD), (70_000, -3.0, HOLD), (96_000, -91.0, HOLD)], PASS),
        ([(100, 0.0, HOLD), (200, -96.0, HOLD)], VIOLATION),
        ([(0, -96.0, HOLD)], PASS),
        ([], VIOLATION),
    ],
    ids=["closed", "fades", "early-fade", "open-end", "a-frame-early", "steps", "open-start", "never", "none"],
)
@pytest.mark.parametrize("on_bus", [True, False])
def test_an_effect_is_heard_in_its_passage_alone(points: Any, expected: Any, on_bus: bool) -> None:
    """What feeds the effect has to be closed outside of the passage, wherever the effect is inserted."""
    verdict = _check(_in_bridge("lead-vox"), _echoing(*points, on_bus=on_bus))
    assert verdict.verdict == expected
    if expected == VIOLATION:
        place = "buses[echo].chain[0].delay" if on_bus else "tracks[vox-bridge].chain[0].delay"
        assert list(verdict.recipe_paths) == [place]


def test_a_send_before_the_fader_is_not_closed_by_it() -> None:
    """Automation is of the fader; what is tapped before it sounds everywhere."""
    verdict = _check(_in_bridge("lead-vox"), _echoing(*CLOSED_OUTSIDE, pre_fader=True))
    assert (verdict.verdict, "before the fader" in verdict.evidence) == (VIOLATION, True)


def test_a_passage_rule_speaks_of_what_uses_the_effect() -> None:
    """Nobody uses it: not applicable. Printed: not measured, since what is printed has no place in time."""
    recipe = _echoing(*CLOSED_OUTSIDE)
    assert _check(_in_bridge("drums"), recipe).verdict == NOT_APPLICABLE
    recipe.tracks[0].printed_effects.append("delay")
    assert _check(_in_bridge("lead-vox"), recipe).verdict == NOT_MEASURED


def test_a_take_that_must_stay_is_found_by_its_sound() -> None:
    """Take ids count as names of a sound; a muted or missing one breaks the rule."""
    keep = _rule(must_keep=brief_pb2.MustKeep(takes=["tk-1"]))
    recipe = _echoing(*CLOSED_OUTSIDE)
    assert _check(keep, recipe).verdict == PASS
    for track in recipe.tracks:
        track.mute = True
    assert _check(keep, recipe).verdict == VIOLATION
    assert _check(_rule(must_keep=brief_pb2.MustKeep(takes=["tk-9"])), recipe).verdict == VIOLATION


@pytest.mark.parametrize(
    "rule",
    [
        _rule(tempo_key_locked=brief_pb2.TempoKeyLocked(tempo_bpm=92, key="A minor")),
        _rule(arrangement_order=brief_pb2.ArrangementOrder(sections=["verse", "chorus"])),
    ],
    ids=["tempo", "order"],
)
def test_what_nothing_can_see_in_a_recipe_is_never_a_pass(rule: brief_pb2.Constraint) -> None:
    """Tempo, key and order of what was recorded are not in a recipe."""
    assert _check(rule, _echoing(*CLOSED_OUTSIDE)).verdict == NOT_MEASURED


@pytest.mark.parametrize(
    "rule",
    [
        _rule(vocal_presence=brief_pb2.VocalPresence(min_lu=-3, max_lu=3)),
        _rule(mono_compatible=brief_pb2.MonoCompatible(max_drop_lu=3)),
        _rule(width_max=brief_pb2.WidthMax(max_side_to_mid_db=-3)),
        _rule(noise_floor_max=brief_pb2.NoiseFloorMax(max_dbfs=-60)),
        _rule(no_clipping=brief_pb2.NoClipping()),
        _rule(format=brief_pb2.FormatRule(min_bit_depth=24)),
        _rule(true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-1)),
    ],
    ids=lambda rule: str(rule.WhichOneof("rule")),
)
def test_no_rule_over_the_signal_passes_without_a_measurement(rule: brief_pb2.Constraint) -> None:
    """An empty result is not measured, whatever the rule."""
    (verdict,) = check_signal(Brief(1, "", (), (rule,)), MIX, audio_pb2.AudioResult())
    assert verdict.verdict == NOT_MEASURED


@pytest.mark.parametrize(
    ("rule", "clipped", "expected"),
    [
        (_rule(no_clipping=brief_pb2.NoClipping()), 0, PASS),
        (_rule(no_clipping=brief_pb2.NoClipping()), 4, VIOLATION),
        (_rule(no_clipping=brief_pb2.NoClipping(applies_to=brief_pb2.APPLIES_TO_MASTER)), 4, NOT_APPLICABLE),
        (_rule(format=brief_pb2.FormatRule(sample_rate_hz=48_000, min_bit_depth=24)), 0, PASS),
        (_rule(format=brief_pb2.FormatRule(sample_rate_hz=96_000)), 0, VIOLATION),
        (_rule(format=brief_pb2.FormatRule(min_bit_depth=32)), 0, VIOLATION),
    ],
    ids=["no-clip", "clipped", "of-masters", "as-asked", "other-rate", "too-few-bits"],
)
def test_clipping_and_format_are_read_from_the_render(rule: Any, clipped: int, expected: Any) -> None:
    """Counted samples and the file's own format decide."""
    audio = audio_pb2.AudioResult(
        measurements=audio_pb2.Measurements(length_frames=100, clipped_samples=clipped),
        format=audio_pb2.AudioFormat(sample_rate_hz=48_000, bit_depth=24, length_frames=100),
    )
    (verdict,) = check_signal(Brief(1, "", (), (rule,)), MIX, audio)
    assert verdict.verdict == expected


def test_required_alternates_keep_the_gate_closed_until_they_are_rendered_from_that_mix(session: Any) -> None:
    """T3 asks for each by its id; one of another mix does not count."""
    session.to_mixing(_rule(version_required=brief_pb2.VersionRequired(alternates=["clean"])))
    session.render(MIX, session.mix())
    session.approve(MIX, 1)
    assert session.failing() == ["ALTERNATE_MISSING"]
    session.do(songs.request_alternates, 1, [recipe_pb2.Alternate(id="clean", mute=["vocal"])])
    assert session.failing() == ["ALTERNATE_MISSING"]
    made = audio_pb2.AudioResult(sha256="c" * 64)
    session.do(songs.record_alternate, 1, "clean", audio=made, render_job="job-1", error="")
    assert session.failing() == []
    session.render(MIX, session.mix())
    session.approve(MIX, 2)
    assert session.failing() == ["ALTERNATE_MISSING"]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"section_scope": brief_pb2.SectionScope(effects=["delay"])}, "sections"),
        ({"section_scope": brief_pb2.SectionScope(effects=["flutter"])}, "effects"),
        ({"tempo_key_locked": brief_pb2.TempoKeyLocked(tempo_bpm=2)}, "tempo_bpm"),
        ({"arrangement_order": brief_pb2.ArrangementOrder()}, "sections"),
        ({"vocal_presence": brief_pb2.VocalPresence(min_lu=3, max_lu=-3)}, "min_lu"),
        ({"mono_compatible": brief_pb2.MonoCompatible(max_drop_lu=-1)}, "max_drop_lu"),
        ({"noise_floor_max": brief_pb2.NoiseFloorMax(max_dbfs=3)}, "max_dbfs"),
        ({"format": brief_pb2.FormatRule()}, "format"),
        ({"version_required": brief_pb2.VersionRequired(alternates=["tv", "tv"])}, "alternates"),
        ({"must_keep": brief_pb2.MustKeep()}, "tracks"),
    ],
    ids=["no-passage", "no-effect", "tempo", "order", "voice", "mono", "noise", "format", "alternates", "keep"],
)
def test_a_rule_that_cannot_be_checked_is_refused_with_its_field(rule: dict[str, Any], field: str) -> None:
    """Every kind names the field that is wrong."""
    with pytest.raises(InvalidCommand) as refused:
        check_brief(brief_pb2.Brief(intent="x", constraints=[_rule(**rule)]), "", amends=False)
    assert any(wrong.field.endswith(field) for wrong in refused.value.fields)


def test_a_reference_says_what_of_it_is_meant(session: Any) -> None:
    """Title, aspects and asset are checked; what is agreed is kept."""
    for wrong in (
        brief_pb2.ReferenceTrack(title="Blue"),
        brief_pb2.ReferenceTrack(title="", aspects=[brief_pb2.REFERENCE_ASPECT_SPACE]),
        brief_pb2.ReferenceTrack(title="Blue", aspects=[99], asset_sha256="a" * 64),
        brief_pb2.ReferenceTrack(title="Blue", aspects=[1], asset_sha256="nope"),
    ):
        with pytest.raises(InvalidCommand):
            check_brief(brief_pb2.Brief(intent="x", references=[wrong]), "", amends=False)
    session.create()
    right = brief_pb2.ReferenceTrack(title="Blue", aspects=[brief_pb2.REFERENCE_ASPECT_VOCAL_LEVEL])
    brief = brief_pb2.Brief(intent="x", references=[right])
    check_brief(brief, "", amends=False)
    session.do(session_brief.propose_brief, brief, "")
    assert session.song.brief.references == (right,)
    assert session.song.stage == pb.STAGE_PRE_PRODUCTION
