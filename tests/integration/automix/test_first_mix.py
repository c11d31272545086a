"""A first mix from files to a recipe: what it promises, on a song whose stems are known."""

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.session.v1 import brief_pb2
from tapelog_desk import beside, render_mix
from tapelog_desk.automix import BriefError, FirstMix, SheetError, first_mix, load_brief, read_stems
from tapelog_desk.automix.masking import CUT_MAX_DB, CUTS_MAX
from tapelog_desk.automix.rulebook import RULES
from tapelog_desk.automix.sheet import Stem
from tapelog_desk.automix.testing import RATE, kick, tone, voice, write_song
from tapelog_desk.errors import SourceError
from tapelog_recipe import load_mix_recipe, recipe_digest, validate_mix
from tapelog_session.domain.song import Brief
from tapelog_session.domain.vision.brief_check import VIOLATION, check_recipe

DIGEST_OF = """
import sys
from pathlib import Path
from tapelog_desk.automix import first_mix, read_stems
from tapelog_recipe import recipe_digest
paths = [Path(word) for word in sys.argv[1:]]
print(recipe_digest(first_mix(read_stems(paths), paths[0].parent).recipe))
"""


def test_the_rendered_mix_is_what_was_promised(mixed: FirstMix, song: list[Path], tmp_path: Path):
    """The desk's own render has the promised loudness and peak, under the headroom."""
    rendered = render_mix(mixed.recipe, beside(song[0].parent), [], tmp_path).audio[0].result.measurements
    assert rendered.integrated_lufs == pytest.approx(mixed.integrated_lufs, abs=0.05)
    assert rendered.true_peak_dbtp == pytest.approx(mixed.true_peak_dbtp, abs=0.05)
    assert rendered.true_peak_dbtp <= -6.0
    assert -23.0 <= rendered.integrated_lufs <= -19.9


def test_the_recipe_is_valid_and_its_text_loads_back(mixed: FirstMix):
    """The comments change nothing: the text is the recipe."""
    assert validate_mix(mixed.recipe, services=False) == ()
    assert load_mix_recipe(mixed.to_yaml()) == mixed.recipe


def test_every_setting_has_its_reason_in_the_text_and_in_json(mixed: FirstMix):
    """Every fader, pan, insert and send stands with its move, its rule and the rule's source."""
    text, told = mixed.to_yaml(), mixed.to_json()["moves"]
    for track in mixed.recipe.tracks:
        about = [move for move in told if move["target"] == track.id]
        rules = {move["rule"].partition(".")[0] for move in about}
        assert {"role", "level"} <= rules
        kinds = {str(insert.WhichOneof("kind")) for insert in track.chain}
        needed = {"high_pass": "highpass", "eq": "eq", "compressor": "comp"}
        assert {needed[kind] for kind in kinds} <= rules
        assert ("send" in rules) == bool(track.sends)
        assert ("pan" in rules) or not track.pan
    assert all(move["source"] and move["statement"] and move["reason"] for move in told)
    assert all(f"[{move.rule}]" in text or move.rule in RULES for move in mixed.moves)
    assert text.count("[level.role]") >= len(mixed.recipe.tracks)


def test_moves_stay_within_their_bounds(mixed: FirstMix):
    """No cut is deeper than 4 dB, none boosts, and the foundation is in the middle."""
    for track in mixed.recipe.tracks:
        bands = [band for insert in track.chain for band in insert.eq.bands]
        assert len(bands) <= CUTS_MAX
        assert all(-CUT_MAX_DB <= band.gain_db < 0.0 for band in bands)
    pans = {track.id: track.pan for track in mixed.recipe.tracks}
    assert pans["kick"] == pans["bass"] == pans["lead-vox"] == pans["snare"] == 0.0


def test_the_order_of_the_stems_changes_no_setting(mixed: FirstMix, song: list[Path]):
    """The same stems the other way round get the same settings."""
    turned = first_mix(read_stems(song[::-1]), song[0].parent)
    assert {track.id: track for track in turned.recipe.tracks} == {track.id: track for track in mixed.recipe.tracks}


def test_recording_levels_do_not_change_the_balance(mixed: FirstMix, tmp_path: Path):
    """Stems recorded louder or softer get faders that take exactly that back, and the same filters and cuts."""
    levels = {"kick": -12.0, "lead-vox": 4.0, "keys": -20.0, "bass": -3.0}
    other = first_mix(read_stems(write_song(tmp_path, gains_db=levels)), tmp_path)
    for one, two in zip(mixed.recipe.tracks, other.recipe.tracks, strict=True):
        assert two.gain_db == pytest.approx(one.gain_db - levels.get(one.id, 0.0), abs=0.15)
        assert [insert.WhichOneof("kind") for insert in two.chain] == [i.WhichOneof("kind") for i in one.chain]
        assert (two.pan, list(two.sends)) == (one.pan, list(one.sends))
    assert other.integrated_lufs == pytest.approx(mixed.integrated_lufs, abs=0.2)


def test_every_machine_makes_the_same_recipe(mixed: FirstMix, song: list[Path]):
    """Without the newer instructions of the CPU, in another process: the same digest."""
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
                                "TAPELOG_KERNEL_ISA": "v2"}  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-c", DIGEST_OF, *map(str, song)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=100)
    assert run.stdout.strip() == recipe_digest(mixed.recipe)


DRY_LEAD = "{id: dry-lead, statement: Dry., effect_forbidden: {selector: {tracks: [lead]}, effects: [reverb]}}"
LOW_SENDS = "{id: hint, statement: A hint., send_limit: {effect: reverb, max_gain_db: -25}}"
NO_SQUEEZE = "{id: open, statement: Open., effect_forbidden: {effects: [compressor]}}"
PLAIN_KEYS = "{id: plain, statement: As it is., effect_allowed_only: {selector: {tracks: [keys]}, effects: []}}"
QUIET = "{id: quiet, statement: Quiet., loudness_bounds: {max_integrated_lufs: -26, applies_to: mix}}"
LOW_PEAK = "{id: peak, statement: Room., true_peak_max: {max_dbtp: -12}}"
KEEP = "{id: keep, statement: Mine., must_keep: {tracks: [lead-vox]}}"
RULES_OF_A_BRIEF = (DRY_LEAD, LOW_SENDS, NO_SQUEEZE, PLAIN_KEYS, QUIET, LOW_PEAK, KEEP)


def brief_of(*rules: str) -> brief_pb2.Brief:
    """Return a brief with these constraints."""
    return load_brief("constraints:\n" + "".join(f"  - {rule}\n" for rule in rules))


@pytest.mark.parametrize("rules", [*itertools.combinations(RULES_OF_A_BRIEF, 1), RULES_OF_A_BRIEF])
def test_no_rule_of_a_brief_is_broken(rules: tuple[str, ...], song: list[Path]):
    """Each kind of rule alone, and all together: the session service's own check finds nothing."""
    brief = brief_of(*rules)
    made = first_mix(read_stems(song), song[0].parent, brief=brief)
    verdicts = check_recipe(Brief(1, "", (), tuple(brief.constraints)), made.recipe, {})
    assert not [verdict for verdict in verdicts if verdict.verdict == VIOLATION]
    if QUIET in rules:
        assert made.integrated_lufs <= -26.0
    if LOW_PEAK in rules:
        assert made.true_peak_dbtp <= -12.0


def test_a_refused_move_is_told_with_the_artists_words(song: list[Path]):
    """A lead without reverb says whose rule it was."""
    made = first_mix(read_stems(song), song[0].parent, brief=brief_of(DRY_LEAD))
    lead = next(track for track in made.recipe.tracks if track.id == "lead-vox")
    assert not lead.sends
    assert any(move.rule == "brief.forbids" and "dry-lead: Dry." in move.reason for move in made.moves)


@pytest.mark.parametrize(
    "rules",
    [
        ("{id: a, must_keep: {tracks: [theremin]}}",),
        ("{id: a, loudness_bounds: {min_integrated_lufs: -6}}", "{id: b, true_peak_max: {max_dbtp: -6}}"),
        ("{id: a, loudness_bounds: {min_loudness_range_lu: 50}}",),
    ],
)
def test_a_brief_that_cannot_be_met_is_an_error(rules: tuple[str, ...], song: list[Path]):
    """Nothing is made that breaks the brief; the error says what is asked and what was found."""
    with pytest.raises(BriefError) as refused:
        first_mix(read_stems(song), song[0].parent, brief=brief_of(*rules))
    assert refused.value.reason == "BRIEF_UNMET"


def test_a_brief_may_ask_for_more_than_the_house_headroom(song: list[Path]):
    """A loud rough mix is made where the brief wants one: its loudness goes before -6 dBTP."""
    brief = brief_of("{id: loud, loudness_bounds: {min_integrated_lufs: -18.5}}")
    made = first_mix(read_stems(song), song[0].parent, brief=brief)
    assert made.integrated_lufs >= -18.5
    assert made.true_peak_dbtp <= -1.0


def test_stems_without_names_are_told_by_ear(song: list[Path], tmp_path: Path):
    """Files that are called nothing get their roles from their sound, each marked as a guess."""
    stems = [Stem(f"audio-{number}", path) for number, path in enumerate(song)]
    made = first_mix(stems, tmp_path, by_ear=True)
    assert [strip.role.name for strip in made.strips] == [
        "kick",
        "snare",
        "cymbals",
        "bass",
        "instrument",
        "lead vocal",
    ]
    assert all(0.0 < strip.confidence < 1.0 for strip in made.strips)


def test_silence_other_rates_and_one_shots_are_taken(tmp_path: Path):
    """A silent stem, one at another rate and one of 50 ms make no trouble; what is silent stays as it is."""
    soundfile.write(tmp_path / "vox.wav", voice(seconds=4.0).T, RATE)
    soundfile.write(tmp_path / "kick.wav", kick(seconds=4.0, rate=44_100).T, 44_100)
    soundfile.write(tmp_path / "fx.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "clap.wav", tone(500.0, seconds=0.05).T, RATE)
    made = first_mix(read_stems(sorted(tmp_path.glob("*.wav"))), tmp_path)
    faders = {track.id: track.gain_db for track in made.recipe.tracks}
    assert made.recipe.sample_rate_hz == RATE
    assert faders["fx"] == 0.0
    assert faders["clap"] != 0.0
    assert math.isfinite(made.integrated_lufs)


def test_what_cannot_be_mixed_is_refused(tmp_path: Path):
    """No sound at all, and a file that is not there, are errors that say so."""
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    with pytest.raises(SheetError, match="silent"):
        first_mix(read_stems([tmp_path / "a.wav"]), tmp_path)
    with pytest.raises(SourceError):
        first_mix(read_stems([tmp_path / "b.wav"]), tmp_path)


def test_a_track_called_like_a_bus_does_not_collide(tmp_path: Path):
    """Stems called drums, bass and plate leave the sub-groups other names."""
    for name, samples in (("drums", kick()), ("plate", voice()), ("vocals", voice())):
        soundfile.write(tmp_path / f"{name}.wav", samples.T, RATE)
    made = first_mix(read_stems(sorted(tmp_path.glob("*.wav"))), tmp_path)
    ids = [track.id for track in made.recipe.tracks] + [bus.id for bus in made.recipe.buses]
    assert len(ids) == len(set(ids))
