"""The brief over recipes and signals: every kind of rule, kept, broken, opaque and not about this version."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import load_mix_recipe, validate_mix
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.song import Brief
from tapelog_session.domain.vision.brief import check_brief
from tapelog_session.domain.vision.brief_check import check_recipe, check_signal

PASS, VIOLATION = brief_pb2.VERDICT_PASS, brief_pb2.VERDICT_VIOLATION
NOT_MEASURED, NOT_APPLICABLE = brief_pb2.VERDICT_NOT_MEASURED, brief_pb2.VERDICT_NOT_APPLICABLE

RECIPE = """
{"sample_rate_hz": 48000,
 "tracks": [
   {"id": "lead-vox", "tags": ["vocal"], "source": "asset:VOICE", "output_bus": "voices",
    "chain": [{"eq": {"bands": [{"frequency_hz": 3000}]}}, {"compressor": {"threshold_db": -18}}],
    "sends": [{"bus": "plate", "gain_db": -16}]},
   {"id": "drums", "source": "asset:DRUMS", "chain": [{"delay": {"time_ms": 120}, "bypass": true}]}],
 "buses": [
   {"id": "voices", "chain": [], "sends": [{"bus": "echo", "gain_db": -20}]},
   {"id": "echo", "chain": [{"delay": {"time_ms": 350}}], "output_bus": "plate"},
   {"id": "plate", "chain": [{"reverb": {}}]}],
 "mix_chain": [{"compressor": {"threshold_db": -10}}]}
""".replace("VOICE", "a" * 64).replace("DRUMS", "b" * 64)


def _recipe(**changes: Any) -> recipe_pb2.MixRecipe:
    recipe = load_mix_recipe(RECIPE, "json")
    if "mute" in changes:
        recipe.tracks[0].mute = changes["mute"]
    if "mute_bus" in changes:
        next(bus for bus in recipe.buses if bus.id == changes["mute_bus"]).mute = True
    if "without_bus" in changes:
        kept = [bus for bus in recipe.buses if bus.id != changes["without_bus"]]
        del recipe.buses[:]
        recipe.buses.extend(kept)
    if changes.get("plate") == "room":
        recipe.buses[2].chain[0].room.SetInParent()
    recipe.tracks[0].printed_effects.extend(changes.get("printed", []))
    if "rename" in changes:
        recipe.tracks[0].id = changes["rename"]
        del recipe.tracks[0].tags[:]
    assert validate_mix(recipe, services=True) == ()
    return recipe


def _check(rule: brief_pb2.Constraint, recipe: Any) -> brief_pb2.BriefVerdict:
    brief = Brief(3, "", (), (rule,))
    (verdict,) = check_recipe(brief, recipe, {"a" * 64: frozenset({"lead-vox"})})
    assert (verdict.brief_revision, verdict.statement) == (3, rule.statement)
    return verdict


def _forbid(*effects: str, tracks: tuple[str, ...] = ("lead-vox",)) -> brief_pb2.Constraint:
    selector = brief_pb2.TrackSelector(tracks=tracks)
    return brief_pb2.Constraint(
        id="r", statement="said", effect_forbidden=brief_pb2.EffectForbidden(selector=selector, effects=effects)
    )


def _allow(*effects: str, tracks: tuple[str, ...] = ("lead-vox",)) -> brief_pb2.Constraint:
    selector = brief_pb2.TrackSelector(tracks=tracks)
    return brief_pb2.Constraint(
        id="r", statement="said", effect_allowed_only=brief_pb2.EffectAllowedOnly(selector=selector, effects=effects)
    )


def _limit(effect: str, max_gain_db: float, track: str = "lead-vox") -> brief_pb2.Constraint:
    selector = brief_pb2.TrackSelector(tracks=[track])
    return brief_pb2.Constraint(
        id="r",
        statement="said",
        send_limit=brief_pb2.SendLimit(selector=selector, effect=effect, max_gain_db=max_gain_db),
    )


def _keep(*tracks: str) -> brief_pb2.Constraint:
    return brief_pb2.Constraint(id="r", statement="said", must_keep=brief_pb2.MustKeep(tracks=tracks))


CASES = [
    # An insert, on the track itself.
    (_forbid("compressor"), {}, VIOLATION, ["tracks[lead-vox].chain[1].compressor", "mix_chain[0].compressor"]),
    # Through a sub-group and its send: the echo reaches the voice.
    (_forbid("delay"), {}, VIOLATION, ["buses[echo].chain[0].delay"]),
    (_forbid("reverb", tracks=("vocal",)), {}, VIOLATION, ["buses[plate].chain[0].reverb"]),
    # A word for a family covers every kind of it; the kind itself covers no other.
    (_forbid("echo"), {}, VIOLATION, ["buses[echo].chain[0].delay"]),
    (_forbid("room", tracks=("vocal",)), {}, PASS, []),
    (_forbid("reverb"), {"plate": "room"}, VIOLATION, ["buses[plate].chain[0].room"]),
    (_forbid("plate"), {"plate": "room"}, PASS, []),
    (_allow("eq", "compressor", "reverb", "delay"), {"plate": "room"}, PASS, []),
    (_limit("reverb", -18), {"plate": "room"}, VIOLATION, ["tracks[lead-vox].sends[0]"]),
    # A muted bus makes no sound; a bypassed insert does not count.
    (_forbid("delay"), {"mute_bus": "echo"}, PASS, []),
    (_forbid("delay", tracks=("drums",)), {}, PASS, []),
    # The mix bus is on everybody's way.
    (_forbid("compressor", tracks=("drums",)), {}, VIOLATION, ["mix_chain[0].compressor"]),
    # Renaming the track does not free its sound from the rule.
    (_forbid("delay"), {"rename": "lv"}, VIOLATION, ["buses[echo].chain[0].delay"]),
    (_forbid("delay"), {"mute": True}, NOT_APPLICABLE, []),
    (_forbid("delay", tracks=("tuba",)), {}, NOT_APPLICABLE, []),
    # Printed: declared and forbidden is a violation; declared otherwise is opaque, and never a pass.
    (_forbid("width"), {"printed": ["width"]}, VIOLATION, ["tracks[lead-vox].printed_effects[0]"]),
    (_forbid("width"), {"printed": ["eq"]}, NOT_MEASURED, ["tracks[lead-vox].printed_effects[0]"]),
    (_allow("eq", "compressor", "reverb"), {}, VIOLATION, ["buses[echo].chain[0].delay"]),
    (_allow("eq", "compressor", "reverb", "delay"), {}, PASS, []),
    # The mix bus is not the voice's own processing, but it is the mix's.
    (_allow("eq", "reverb", "delay"), {"mute_bus": "voices"}, VIOLATION, ["tracks[lead-vox].chain[1].compressor"]),
    (_allow("eq", "reverb", "delay", tracks=()), {}, VIOLATION, None),
    # The loudest way to the plate is the direct send; the echo's own way is 20 dB down.
    (_limit("reverb", -14), {}, PASS, []),
    (_limit("reverb", -18), {}, VIOLATION, ["tracks[lead-vox].sends[0]"]),
    (_limit("delay", -20), {}, PASS, []),
    (_limit("delay", -20.5), {}, VIOLATION, ["buses[voices].sends[0]"]),
    (_limit("width", -20), {}, NOT_APPLICABLE, []),
    (_keep("lead-vox", "drums"), {}, PASS, []),
    (_keep("lead-vox"), {"mute": True}, VIOLATION, ["tracks[lead-vox].mute"]),
    (_keep("lead-vox"), {"mute_bus": "voices"}, VIOLATION, ["buses[voices].mute"]),
    (_keep("tuba"), {}, VIOLATION, []),
]


@pytest.mark.parametrize(("rule", "changes", "verdict", "paths"), CASES, ids=range(len(CASES)))
def test_a_rule_over_a_mix_gives_its_verdict_with_recipe_paths(
    rule: brief_pb2.Constraint, changes: dict[str, Any], verdict: int, paths: list[str] | None
) -> None:
    """Verdict and evidence are those that reading the recipe by hand gives."""
    found = _check(rule, _recipe(**changes))
    assert found.verdict == verdict, found.evidence
    if paths is not None:
        assert sorted(found.recipe_paths) == sorted(paths)
    assert found.evidence


def test_many_ways_through_buses_are_followed_in_bounded_time() -> None:
    """Sixty-four buses that each feed the next twice have 2^63 ways; the check sees each bus once."""
    recipe = _recipe()
    del recipe.buses[:]
    for number in range(64):
        bus = recipe.buses.add(id=f"b{number}")
        if number < 63:
            bus.output_bus = f"b{number + 1}"
            bus.sends.add(bus=f"b{number + 1}", gain_db=1)
    recipe.buses[63].chain.add().reverb.SetInParent()
    recipe.tracks[0].output_bus = "b0"
    del recipe.tracks[0].sends[:]
    found = _check(_limit("reverb", 0), recipe)
    assert (found.verdict, list(found.recipe_paths)) == (VIOLATION, ["buses[b62].sends[0]"])
    assert "63 dB" in found.evidence


MASTER = recipe_pb2.MasterRecipe(chain=[recipe_pb2.Processor(reverb=recipe_pb2.Reverb())])


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (_forbid("reverb"), VIOLATION),
        (_forbid("delay"), PASS),
        (_allow("eq", tracks=()), VIOLATION),
        (_allow("eq"), NOT_APPLICABLE),
        (_limit("reverb", -10), NOT_APPLICABLE),
        (_keep("lead-vox"), NOT_APPLICABLE),
    ],
    ids=range(6),
)
def test_a_master_is_checked_by_its_chain(rule: brief_pb2.Constraint, verdict: int) -> None:
    """What a master inserts, every track passes; rules about single tracks do not apply."""
    assert _check(rule, MASTER).verdict == verdict


def _bounds(**values: Any) -> brief_pb2.Constraint:
    return brief_pb2.Constraint(id="r", statement="said", loudness_bounds=brief_pb2.LoudnessBounds(**values))


def _peak(max_dbtp: float, applies_to: int = 0) -> brief_pb2.Constraint:
    rule = brief_pb2.TruePeakMax(max_dbtp=max_dbtp, applies_to=applies_to)
    return brief_pb2.Constraint(id="r", statement="said", true_peak_max=rule)


@pytest.mark.parametrize(
    ("rule", "measured", "verdict"),
    [
        (_bounds(min_integrated_lufs=-16, max_integrated_lufs=-9), {"integrated_lufs": -14}, PASS),
        (_bounds(min_integrated_lufs=-14), {"integrated_lufs": -14}, PASS),
        (_bounds(min_integrated_lufs=-14), {"integrated_lufs": -14.01}, VIOLATION),
        (_bounds(max_integrated_lufs=0), {"integrated_lufs": -14}, PASS),
        (_bounds(min_loudness_range_lu=5), {"integrated_lufs": -14, "loudness_range_lu": 4.9}, VIOLATION),
        (_bounds(min_loudness_range_lu=5), {"integrated_lufs": -14}, NOT_MEASURED),
        (_bounds(max_integrated_lufs=-9, applies_to=brief_pb2.APPLIES_TO_MASTER), {}, NOT_APPLICABLE),
        (_peak(-1), {"true_peak_dbtp": -1.0}, PASS),
        (_peak(-1), {"true_peak_dbtp": -0.9}, VIOLATION),
        (_peak(-1), {}, NOT_MEASURED),
        (_peak(-1, brief_pb2.APPLIES_TO_MASTER), {"true_peak_dbtp": 3}, NOT_APPLICABLE),
        (_peak(-1, 999), {"true_peak_dbtp": 3}, NOT_APPLICABLE),  # of a newer version
    ],
    ids=range(12),
)
def test_a_rule_over_the_signal_compares_with_its_limits(
    rule: brief_pb2.Constraint, measured: dict[str, float], verdict: int
) -> None:
    """On the limit is inside; what was not measured never passes; a rule for masters is not for mixes."""
    found = check_signal(Brief(1, "", (), (rule,)), pb.VERSION_KIND_MIX, _audio(**measured))
    assert [one.verdict for one in found] == [verdict]


def test_a_brief_that_cannot_be_checked_is_refused_with_everything_wrong() -> None:
    """Unknown effects, contradictory bounds, a rule without content, ids twice: all named at once."""
    brief = brief_pb2.Brief(
        intent=" ",
        constraints=[
            _forbid("flanger"),
            brief_pb2.Constraint(id="r", statement="twice and empty"),
            _bounds(min_integrated_lufs=-9, max_integrated_lufs=-16),
            _limit("reverb", float("nan")),
            _peak(-1, 999),
            brief_pb2.Constraint(id="Bad Id", statement="", must_keep=brief_pb2.MustKeep()),
        ],
    )
    with pytest.raises(InvalidCommand) as refused:
        check_brief(brief, "", amends=True)
    fields = [field.field for field in refused.value.fields]
    assert "brief.intent" in fields
    assert "reason" in fields
    assert "brief.constraints" in fields
    assert "brief.constraints[r].effect_forbidden.effects" in fields
    assert "brief.constraints[r].loudness_bounds.min_integrated_lufs" in fields
    assert "brief.constraints[r].send_limit.max_gain_db" in fields
    assert "brief.constraints[r].true_peak_max.applies_to" in fields
    assert "brief.constraints[Bad Id].must_keep.tracks" in fields
    assert "brief.constraints[r]" in fields


def _audio(**measured: Any) -> audio_pb2.AudioResult:
    return audio_pb2.AudioResult(measurements=audio_pb2.Measurements(**measured))
