"""The example song: its files are what they say, and its mixes are good by numbers."""

import hashlib
import json
from pathlib import Path

import numpy as np
import soundfile
import tapelog_dsp as dsp
import yaml
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import Rendered, analyze_file, beside, mix_blocks
from tapelog_recipe import (
    inserts,
    load_alternate,
    load_master_recipe,
    load_mix_recipe,
    resolved,
    validate_master,
    validate_mix,
)

FOLDER_MAX_BYTES = 12_000_000


def _files(song: Path) -> list[Path]:
    return [path for path in song.rglob("*") if path.is_file() and "out" not in path.relative_to(song).parts]


def test_the_stems_are_those_of_the_manifest(song: Path):
    """Every stem has the checksum, length and format that the manifest gives, and is heard."""
    manifest = json.loads((song / "manifest.json").read_text())
    assert {entry["file"] for entry in manifest["files"]} == {
        str(path.relative_to(song)) for path in (song / "stems").iterdir()
    }
    assert manifest["licence"] == "CC0-1.0"
    for entry in manifest["files"]:
        path = song / entry["file"]
        analysis = analyze_file(path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"] == analysis.audio.sha256
        assert analysis.measurements.length_frames == entry["length_frames"]
        assert analysis.audio.format.channels == entry["channels"]
        assert analysis.measurements.max_momentary_lufs > -30, path
        assert not analysis.measurements.silent_channels


def test_the_folder_stays_small(song: Path):
    """A clone should not wait for an example."""
    assert sum(path.stat().st_size for path in _files(song)) < FOLDER_MAX_BYTES


def test_recipes_and_session_sheet_name_the_same_tracks(song: Path):
    """Every track of the sheet is in both mixes with its file and tags; all recipes are valid."""
    sheet = yaml.safe_load((song / "song.yaml").read_text())
    named = [(track["id"], track["file"], track["tags"]) for track in sheet["tracks"]]
    for name in ("mix-1.yaml", "mix-2.yaml"):
        recipe = load_mix_recipe((song / name).read_text())
        assert validate_mix(recipe, services=False) == ()
        assert [(track.id, track.source.file, list(track.tags)) for track in recipe.tracks] == named
    assert validate_master(load_master_recipe((song / "master-streaming.yaml").read_text()), services=False) == ()
    for path in (song / "alternates").iterdir():
        assert load_alternate(path.read_text()).id == path.stem


def test_mix_1_breaks_the_brief_and_mix_2_keeps_it(song: Path):
    """A delay on the lead in the first; none, and at most -14 dB of reverb, in the second."""
    first, second = (load_mix_recipe((song / name).read_text()) for name in ("mix-1.yaml", "mix-2.yaml"))
    assert [insert.path for insert in inserts(first) if insert.kind == "delay"] == ["tracks[lead-vox].chain[4].delay"]
    assert not [insert for insert in inserts(second) if insert.kind == "delay"]
    leads = [next(track for track in recipe.tracks if "lead" in track.tags) for recipe in (first, second)]
    assert leads[0].sends[0].gain_db > -14
    assert leads[1].sends[0].gain_db <= -14


def test_mix_2_leaves_headroom(mix: Rendered):
    """About -18 to -14 LUFS, no peak above -1 dBTP, nothing clipped."""
    numbers = mix.analysis.measurements
    assert -18 <= numbers.integrated_lufs <= -14
    assert numbers.true_peak_dbtp < -1
    assert numbers.clipped_samples == 0
    assert mix.remarks == ()


def _group_lufs(recipe: pb.MixRecipe, song: Path, tags: set[str], start: int, stop: int) -> float:
    """Return the loudness, before the mix bus's inserts, of only the tracks of some tags."""
    part = resolved(recipe)
    part.ClearField("mix_chain")
    for track in part.tracks:
        track.mute = not tags.intersection(track.tags)
    blocks = [block.mix for block in mix_blocks(part, beside(song))]
    meter = dsp.LoudnessMeter(part.sample_rate_hz, 2)
    meter.add(np.ascontiguousarray(np.concatenate(blocks, axis=1)[:, start:stop]))
    return meter.result().integrated_lufs


def test_the_vocals_sit_in_the_mix(song: Path, mix_recipe: pb.MixRecipe):
    """In the part with the lead the vocals are within 3 LU below and 1 LU above what accompanies them."""
    start, stop = 7 * 92_903, 16 * 92_903
    vocals = _group_lufs(mix_recipe, song, {"vocal"}, start, stop)
    backing = _group_lufs(mix_recipe, song, {"drums", "music"}, start, stop)
    assert -3 <= vocals - backing <= 1


def test_the_spectrum_is_sane(mix: Rendered):
    """No third of the audible range is missing or runs away: bass, middle and treble within usual bounds."""
    samples, rate = soundfile.read(mix.audio[0].path, always_2d=True)
    power = np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    bands = [(20, 40), (40, 250), (250, 2_000), (2_000, 6_000), (6_000, 20_000)]
    shares = [10 * np.log10(power[(hertz >= low) & (hertz < high)].sum() / power.sum()) for low, high in bands]
    assert shares[0] < -12
    assert -10 < shares[1] < -1
    assert -6 < shares[2] < -1
    assert -16 < shares[3] < -5
    assert -22 < shares[4] < -8
