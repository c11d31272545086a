"""Alternates differ in stated mutes and fader offsets only."""

import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import RecipeError, apply_alternate, inserts, load_alternate, load_mix_recipe, matches

RECIPE = load_mix_recipe("""
sample_rate_hz: 48000
tracks:
  - {id: kick, source: "file:k.wav", tags: [drums]}
  - {id: lead, source: "file:l.wav", tags: [vocal, lead], gain_db: -2, chain: [{delay: {time_ms: 90}}]}
  - {id: choir, source: "file:c.wav", tags: [vocal], mute: true}
buses: [{id: plate, chain: [{reverb: {}}]}]
mix_chain: [{width: {}}]
""")


def _mutes(alternate: str) -> list[bool]:
    return [track.mute for track in apply_alternate(RECIPE, load_alternate(alternate)).tracks]


def test_mute_silences_by_tag_and_by_id():
    """An instrumental mutes the vocals; what was muted stays muted."""
    assert _mutes("{id: instrumental, mute: [vocal]}") == [False, True, True]
    assert _mutes("{id: no-kick, mute: [kick]}") == [True, False, True]


def test_solo_silences_the_others():
    """An a cappella keeps the vocals alone."""
    assert _mutes("{id: a-cappella, solo: [vocal]}") == [True, False, True]


def test_offsets_move_faders_and_nothing_else():
    """Only the named faders move, by the sum of their offsets; the original is untouched."""
    alternate = load_alternate("{id: up, gain_offsets: [{target: vocal, gain_db: 1.5}, {target: lead, gain_db: 0.5}]}")
    variant = apply_alternate(RECIPE, alternate)
    assert [track.gain_db for track in variant.tracks] == [0, 0, 1.5]
    assert RECIPE.tracks[1].gain_db == -2
    for track, original in zip(variant.tracks, RECIPE.tracks, strict=True):
        track.gain_db = original.gain_db
    assert variant == RECIPE


@pytest.mark.parametrize(
    ("alternate", "path"),
    [
        ("{id: x, mute: [vocals]}", "mute[0]"),
        ("{id: X, mute: [vocal]}", "id"),
        ("{id: x, gain_offsets: [{target: kick, gain_db: 25}]}", "gain_offsets[0].gain_db"),
        ("{id: x, gain_offsets: [{target: kick, gain_db: 20}, {target: drums, gain_db: 20}]}", "tracks[kick].gain_db"),
    ],
)
def test_alternates_that_cannot_be_made_are_refused(alternate: str, path: str):
    """A selector without tracks and a fader out of range are errors, not silence."""
    with pytest.raises(RecipeError) as caught:
        apply_alternate(RECIPE, load_alternate(alternate))
    assert path in [violation.path for violation in caught.value.violations]


def test_selectors_match_ids_and_tags():
    """No selector selects nothing."""
    lead = RECIPE.tracks[1]
    assert matches(lead, ["lead"])
    assert matches(lead, ["x", "vocal"])
    assert not matches(lead, ["drums"])
    assert not matches(lead, [])


def test_inserts_are_listed_with_their_paths():
    """Tracks, buses and the mix bus, in order, named as verdicts name them."""
    assert [insert.path for insert in inserts(RECIPE)] == [
        "tracks[lead].chain[0].delay",
        "buses[plate].chain[0].reverb",
        "mix_chain[0].width",
    ]
    assert next(inserts(RECIPE)).kind == "delay"
    assert next(inserts(pb.MixRecipe(mix_chain=[pb.Processor()]))).path == "mix_chain[0]"
