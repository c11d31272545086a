"""The brief: read, obeyed, and judged as the services judge it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2 as pb
from tapelog_desk.automix import BriefError, Limits, load_brief
from tapelog_recipe import PROCESSOR_KINDS
from tapelog_session.domain.song import Brief
from tapelog_session.domain.vision.brief_check import VIOLATION, check_recipe

LEAD = ("lead-vox", "vocal", "lead")


def test_a_brief_is_read_by_field_names():
    """A brief as people write it becomes the message that the services hold."""
    brief = load_brief("""
intent: Close and human.
constraints:
  - id: dry-lead
    statement: No reverb on my voice.
    effect_forbidden: {selector: {tracks: [lead]}, effects: [reverb]}
""")
    refusal = Limits(brief).refuses(LEAD, "high_pass", "reverb")
    assert refusal is not None
    assert (refusal.constraint, refusal.statement) == ("dry-lead", "No reverb on my voice.")
    assert Limits(brief).refuses(LEAD, "eq") is None
    assert Limits(brief).refuses(("kick", "drums"), "reverb") is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("constraints: [{id: a, effect_forbiden: {}}]", "effect_forbidden"),
        ("constraints: [{id: a}]", "has no rule"),
        ("constraints: [{id: a, effect_forbidden: {effects: [flutter]}}]", "'flutter'"),
        ("constraints: [{id: a, send_limit: {effect: hall, max_gain_db: -10}}]", "'hall'"),
        ("just words", "map"),
    ],
)
def test_a_brief_that_cannot_be_meant_is_refused(text: str, word: str):
    """What is misspelt or empty is named; nothing of a brief is passed over."""
    with pytest.raises(BriefError) as refused:
        load_brief(text)
    assert refused.value.reason == "BRIEF_INVALID"
    assert word in refused.value.problem


def test_the_tightest_limit_counts():
    """Of two limits on one send, and of two loudness bounds, the stricter one holds."""
    brief = load_brief("""
constraints:
  - {id: a, send_limit: {selector: {tracks: [lead]}, effect: reverb, max_gain_db: -14}}
  - {id: b, send_limit: {effect: reverb, max_gain_db: -20}}
  - {id: c, loudness_bounds: {min_integrated_lufs: -24, max_integrated_lufs: -16}}
  - {id: d, loudness_bounds: {max_integrated_lufs: -18, applies_to: mix}}
  - {id: e, loudness_bounds: {max_integrated_lufs: -30, applies_to: master}}
  - {id: f, true_peak_max: {max_dbtp: -3}}
""")
    limits = Limits(brief)
    highest, by = limits.send_max_db(LEAD, ("high_pass", "reverb"))
    assert (highest, by and by.constraint) == (-20.0, "b")
    assert limits.loudness() == (-24.0, -18.0)
    assert limits.true_peak_max() == -3.0


WORDS = st.sampled_from(["lead", "vocal", "drums", "lead-vox", "kick", "nobody"])
SELECTORS = st.one_of(st.just([]), st.lists(WORDS, min_size=1, max_size=2))
EFFECTS = st.lists(st.sampled_from(PROCESSOR_KINDS), min_size=1, max_size=3)


@st.composite
def constraints(draw: st.DrawFn) -> pb.Constraint:
    """Return a constraint over the recipe."""
    selector = pb.TrackSelector(tracks=draw(SELECTORS))
    kind = draw(st.sampled_from(["forbidden", "allowed", "send", "keep"]))
    if kind == "forbidden":
        return pb.Constraint(id="f", effect_forbidden=pb.EffectForbidden(selector=selector, effects=draw(EFFECTS)))
    if kind == "allowed":
        return pb.Constraint(id="a", effect_allowed_only=pb.EffectAllowedOnly(selector=selector, effects=draw(EFFECTS)))
    if kind == "send":
        limit = pb.SendLimit(selector=selector, effect="reverb", max_gain_db=draw(st.sampled_from([-30, -14, 0])))
        return pb.Constraint(id="s", send_limit=limit)
    return pb.Constraint(id="k", must_keep=pb.MustKeep(tracks=draw(st.lists(WORDS, min_size=1, max_size=2))))


@st.composite
def recipes(draw: st.DrawFn) -> recipe_pb2.MixRecipe:
    """Return a recipe of the shape that a first mix has."""
    recipe = recipe_pb2.MixRecipe(sample_rate_hz=48_000)
    for name, tags in (("lead-vox", ("vocal", "lead")), ("kick", ("drums",))):
        track = recipe.tracks.add(id=name, tags=tags, output_bus="group")
        for kind in draw(st.lists(st.sampled_from(["high_pass", "eq", "compressor"]), max_size=3)):
            getattr(track.chain.add(), kind).SetInParent()
        if draw(st.booleans()):
            track.sends.add(bus="plate", gain_db=draw(st.sampled_from([-25.0, -18.0, -10.0])))
    recipe.buses.add(id="group")
    plate = recipe.buses.add(id="plate")
    plate.chain.add().high_pass.frequency_hz = 250
    plate.chain.add().reverb.SetInParent()
    if draw(st.booleans()):
        recipe.mix_chain.add().compressor.SetInParent()
    return recipe


@settings(max_examples=300, deadline=None)
@given(recipe=recipes(), rules=st.lists(constraints(), min_size=1, max_size=3))
def test_the_desk_judges_a_recipe_as_the_services_do(recipe: recipe_pb2.MixRecipe, rules: list[pb.Constraint]):
    """Whatever the brief and the recipe: the desk finds it broken exactly when the session service flags it."""
    verdicts = check_recipe(Brief(1, "", (), tuple(rules)), recipe, {})
    flagged = any(verdict.verdict == VIOLATION for verdict in verdicts)
    assert bool(Limits(pb.Brief(constraints=rules)).broken(recipe)) == flagged
