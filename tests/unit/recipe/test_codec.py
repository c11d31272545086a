"""Plain values to messages: every mistake with its path, and the way back."""

import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import RecipeError, dump_recipe, load_alternate, load_master_recipe, load_mix_recipe

SONG = """
sample_rate_hz: 48000
pan_law: minus-3-db
tracks:
  - id: kick
    source: file:stems/kick.flac
    tags: [drums]
  - id: lead-vox
    source: {asset_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
    chain:
      - high_pass: {frequency_hz: 90}
      - eq: {bands: [{shape: bell, frequency_hz: 3000, gain_db: 2}, {shape: EQ_SHAPE_HIGH_SHELF, frequency_hz: 9e3}]}
      - delay: {time_ms: 250, feedback: 0.3}
        bypass: true
    sends: [{bus: plate, gain_db: -14}]
    gain_automation: [{frame: 0, gain_db: 0, curve: hold}]
buses:
  - id: plate
    chain: [{reverb: {}}]
"""


def test_a_recipe_is_read_by_field_name():
    """Short enum names, full enum names, the short form of a source and empty inserts are read."""
    recipe = load_mix_recipe(SONG)
    assert recipe.tracks[0].source.file == "stems/kick.flac"
    assert recipe.pan_law == pb.PAN_LAW_MINUS_3_DB
    lead = recipe.tracks[1]
    assert [processor.WhichOneof("kind") for processor in lead.chain] == ["high_pass", "eq", "delay"]
    assert lead.chain[2].bypass
    assert [band.shape for band in lead.chain[1].eq.bands] == [pb.EQ_SHAPE_BELL, pb.EQ_SHAPE_HIGH_SHELF]
    assert lead.gain_automation[0].curve == pb.AUTOMATION_CURVE_HOLD
    assert recipe.buses[0].chain[0].WhichOneof("kind") == "reverb"


@pytest.mark.parametrize("notation", ["yaml", "json"])
def test_what_is_dumped_loads_back_equal(notation: str):
    """Both notations carry everything."""
    recipe = load_mix_recipe(SONG)
    assert load_mix_recipe(dump_recipe(recipe, notation), notation) == recipe


def test_every_mistake_is_named_at_once_with_its_path():
    """One reading lists all wrong fields, and the closest known name of a misspelt one."""
    text = """
sample_rate_hz: 48000.5
tracks:
  - id: lead-vox
    gain: -3
    mute: yes
    pan: left
    chain:
      - dellay: {}
      - delay: {time: 100}
      - eq: {bands: [{shape: bel}]}
      - reverb:
      - compressor: {}
        eq: {}
    start_frame: 99999999999999999999
  - id: kick
    pan: .nan
    tags: drums
buses: {}
"""
    with pytest.raises(RecipeError) as caught:
        load_mix_recipe(text)
    assert {violation.path: violation.message for violation in caught.value.violations} == {
        "sample_rate_hz": "must be a whole number below 2**31, got 48000.5",
        "tracks[lead-vox].gain": "there is no field 'gain' here; did you mean 'gain_db'?",
        "tracks[lead-vox].mute": "must be true or false, got 'yes'",
        "tracks[lead-vox].pan": "must be a number, got 'left'",
        "tracks[lead-vox].chain[0].dellay": "there is no field 'dellay' here; did you mean 'delay'?",
        "tracks[lead-vox].chain[1].delay.time": "there is no field 'time' here; did you mean 'time_ms'?",
        "tracks[lead-vox].chain[2].eq.bands[0].shape": "'bel' is not known; did you mean 'bell'?",
        "tracks[lead-vox].chain[3].reverb": "must be a map of fields, got nothing (write {})",
        "tracks[lead-vox].chain[4]": "only one of eq, compressor may be written; one entry each",
        "tracks[lead-vox].start_frame": "must be a whole number below 2**63, got 99999999999999999999",
        "tracks[kick].pan": "must be a finite number, got nan",
        "tracks[kick].tags": "must be a list, got 'drums'",
        "buses": "must be a list, got a map",
    }


def test_repeated_ids_are_told_apart_by_index():
    """A path that would be ambiguous falls back to the place in the list."""
    with pytest.raises(RecipeError, match=r"tracks\[1\]\.gain: .*"):
        load_mix_recipe("tracks: [{id: a}, {id: a, gain: 1}]")


def test_a_source_without_a_known_word_is_refused():
    """The short form needs file: or asset:."""
    with pytest.raises(RecipeError, match="write 'file:NAME' or 'asset:SHA256'"):
        load_master_recipe("source: mix.wav")


def test_alternates_are_read_too():
    """An alternate has the same mapping."""
    alternate = load_alternate("id: vocal-up\ngain_offsets: [{target: vocal, gain_db: 1.5}]")
    assert alternate.gain_offsets[0].gain_db == 1.5
