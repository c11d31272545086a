"""The desk commands as a person calls them: tables, JSON, exit codes, and errors without a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyloudnorm
import pytest
import soundfile
from tapelog_cli.main import main
from tapelog_desk import Rendered


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]
"""Runs a desk command with the words of a command line."""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]):
    """Return a function that runs a desk command with the words of a command line."""

    def run(*words: str | Path) -> Said:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def small_recipe(song: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recipe of two stems of the song, for commands that need not make all of it."""
    path = tmp_path_factory.mktemp("small") / "mix.yaml"
    stems = song / "stems"
    path.write_text(f"""
sample_rate_hz: 48000
tracks:
  - {{id: kick, source: "file:{stems / "01_kick.flac"}", gain_db: -6, tags: [drums]}}
  - {{id: lead-vox, source: "file:{stems / "12_lead-vox.flac"}", gain_db: -6, tags: [vocal]}}
""")
    return path


def test_help_of_master_lists_the_targets(call: Call):
    """Nobody should have to look a target's name up."""
    said = " ".join(call("master", "--help").out.replace("│", " ").split())
    for words in ("streaming (-14 LUFS, -1 dBTP)", "ebu-r128 (-23 LUFS, -1 dBTP)", "apple-music (-16 LUFS, -1 dBTP)"):
        assert words in said


def test_targets_of_ones_own(call: Call, mix: Rendered, tmp_path: Path):
    """They are listed beside the published ones, mastered to, and refused with what is wrong."""
    file, made = tmp_path / "my.toml", tmp_path / "club.wav"
    file.write_text(
        '[club]\ntitle = "Club"\nintegrated_lufs = -17.0\ntrue_peak_dbtp = -2.0\nbits = 24\nnormalisation = "down"\n'
        'status = "own"\nsource = "asked"\ndate = "2026-11"\n'
    )
    listed = json.loads(call("targets", "--targets", file, "--json").out)
    assert listed["club"]["true_peak_dbtp"] == -2.0
    assert "streaming" in listed
    assert "own, yours" in call("targets", "--targets", file).out
    source = mix.audio[0].path
    said = call("master", source, "-o", made, "--target", "club", "--targets", file, "--json")
    assert said.code == 0
    loudness = pyloudnorm.Meter(48_000).integrated_loudness(soundfile.read(made)[0])
    assert abs(loudness + 17.0) <= 0.3
    refused = call("master", source, "-o", tmp_path / "x.wav", "--target", "club", "--json")
    assert (refused.code, json.loads(refused.err)["error"]) == (2, "USAGE")
    judged = json.loads(call("check", made, "--targets", file, "--no-codec", "--json").out)
    assert "club" in [one["name"] for one in judged["platforms"]]
    file.write_text("[streaming]\n" + file.read_text().partition("\n")[2])
    refused = call("targets", "--targets", file, "--json")
    assert json.loads(refused.err)["error"] == "TARGETS_REFUSED"


def test_meter_prints_a_table(call: Call, mix: Rendered):
    """One row a file, with the format in studio shorthand."""
    said = call("meter", *(audio.path for audio in mix.audio[:2]))
    numbers = mix.analysis.measurements
    assert said.code == 0
    assert f"{numbers.integrated_lufs:.1f}" in said.out
    assert "WAV 32f/48 stereo" in said.out
    assert "WAV 24/48 stereo" in said.out


def test_meter_prints_json(call: Call, mix: Rendered):
    """What the render said is what the meter says, PLR on top."""
    said = call("meter", mix.audio[0].path, "--json")
    (row,) = json.loads(said.out)
    numbers = mix.analysis.measurements
    assert row["sample_digest"] == mix.audio[0].result.sample_digest
    assert row["measurements"]["integrated_lufs"] == pytest.approx(numbers.integrated_lufs, abs=5e-4)
    assert row["measurements"]["plr_lu"] == pytest.approx(numbers.true_peak_dbtp - numbers.integrated_lufs, abs=2e-3)


def test_meter_goes_on_after_a_bad_file(call: Call, song: Path, tmp_path: Path):
    """The bad file is named with what to do, the good one measured, and the exit code is 1."""
    (tmp_path / "notes.wav").write_text("these are notes, not audio, whatever the name says")
    said = call("meter", tmp_path / "notes.wav", song / "stems/01_kick.flac")
    assert said.code == 1
    assert "notes.wav is no audio file" in said.err
    assert "choose an audio file" in said.err
    assert "FLAC 16/48 stereo" in said.out


def test_mix_twice_is_the_same_file(call: Call, small_recipe: Path, tmp_path: Path):
    """Two calls, two byte-identical files; JSON names digests and timings."""
    first = call("mix", small_recipe, "-o", tmp_path / "a.wav", "-o", tmp_path / "a.flac", "--json")
    second = call("mix", small_recipe, "-o", tmp_path / "b.wav")
    assert (first.code, second.code) == (0, 0)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    made = json.loads(first.out)
    assert made["audio"][0]["sample_digest"] == made["audio"][1]["sample_digest"]
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac", "a.wav", "b.wav"]


def test_mix_makes_alternates(call: Call, song: Path, small_recipe: Path, tmp_path: Path):
    """The instrumental lacks the vocal and is as long as the mix."""
    alternate = song / "alternates/instrumental.yaml"
    said = call("mix", small_recipe, "-o", tmp_path / "i.wav", "--alternate", alternate, "--json")
    made = json.loads(said.out)["audio"][0]
    assert made["format"]["length_frames"] == 1_483_344
    kick = soundfile.read(song / "stems/01_kick.flac")[0]
    assert abs(soundfile.read(tmp_path / "i.wav")[0] - kick * 10 ** (-6 / 20)).max() < 2e-7


def test_master_with_reports(call: Call, mix: Rendered, tmp_path: Path):
    """A target by name, the recipe's chain, a page and its JSON twin."""
    words = ("master", mix.audio[0].path, "-o", tmp_path / "m.wav", "--target", "streaming")
    said = call(*words, "--report", tmp_path / "m.html")
    assert said.code == 0
    assert "Target reached: −14 LUFS, −1 dBTP (streaming)" in said.out
    assert "<svg" in (tmp_path / "m.html").read_text()
    again = call(*words, "--report", tmp_path / "m.json", "--json")
    assert json.loads(again.out)["verdict"]["reached"] is True
    assert json.loads((tmp_path / "m.json").read_text())["schema"] == "tapelog.report/1"


def test_master_says_when_a_target_is_out_of_reach(call: Call, mix: Rendered, tmp_path: Path):
    """Exit code 4 and how far one gets; with --best-effort the closest master and 0."""
    words = ("master", mix.audio[0].path, "-o", tmp_path / "m.wav", "--lufs", "-5")
    said = call(*words)
    assert said.code == 4
    assert "out of reach" in said.err
    assert "--best-effort" in said.err
    assert list(tmp_path.iterdir()) == []
    assert call(*words, "--best-effort").code == 0
    assert (tmp_path / "m.wav").exists()


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("mix", "{tmp}/none.yaml", "-o", "{tmp}/x.wav"), 1, "none.yaml cannot be read: No such file or directory"),
        (("mix", "{tmp}/wrong.yaml", "-o", "{tmp}/x.wav"), 1, "tracks[a].gain: there is no field 'gain' here"),
        (("mix", "{tmp}/lost.yaml", "-o", "{tmp}/x.wav"), 1, "lost.flac"),
        (("mix", "{tmp}/sound.wav", "-o", "{tmp}/x.wav"), 1, "sound.wav is no recipe: it is not text"),
        (("meter", "{tmp}"), 1, "name the files in it, such as {tmp}/*.wav"),
        (("repair", "{tmp}/lost.yaml", "-o", "{tmp}/x.wav"), 1, "lost.yaml is no audio file"),
        (("repair", "{tmp}/none.wav", "-o", "{tmp}/x.wav"), 2, "none.wav is not there"),
        (("album", "{tmp}/sound.wav", "-o", "{tmp}", "--target", "cd", "--lufs", "-9"), 2, "{tmp} has files already"),
        (("album", "{tmp}/sound.wav", "-o", "{tmp}/a", "--target", "x"), 2, "there is no target 'x'"),
        (("tags", "show", "{tmp}/none.wav"), 1, "none.wav is not there"),
        (("tags", "write", "{tmp}/sound.wav", "-o", "{tmp}/no/x.wav", "--take", "1"), 2, "the folder {tmp}/no is not"),
        (("import", "{tmp}/none.rpp", "-o", "{tmp}/song"), 1, "none.rpp is not there"),
        (("automix", "{tmp}/sound.wav", "-o", "{tmp}/no/x.yaml"), 2, "the folder {tmp}/no is not there"),
        (("mix", "{tmp}/lost.yaml", "-o", "{tmp}/x.mp3"), 2, "must end in .wav or .flac"),
        (("mix", "{tmp}/lost.yaml", "-o", "{tmp}/x.wav", "--bit-depth", "20"), 2, "must be 16, 24 or 32, got 20"),
        (("mix", "{tmp}/lost.yaml", "-o", "{tmp}/x.flac", "--bit-depth", "32"), 2, "FLAC holds no 32-bit float"),
        (("mix", "{tmp}/lost.yaml", "-o", "{tmp}/no/x.wav"), 2, "is not there"),
        (("mix", "{tmp}/lost.yaml", "-o", "{tmp}/x.wav", "-o", "{tmp}/x.wav"), 2, "named twice"),
        (("master", "{tmp}/none.wav", "-o", "{tmp}/x.wav", "--target", "streaming"), 1, "none.wav"),
        (("master", "{tmp}/none.wav", "-o", "{tmp}/x.wav"), 2, "no target is given"),
        (("master", "{tmp}/none.wav", "-o", "{tmp}/x.wav", "--target", "x"), 2, "there is no target 'x'"),
        (("master", "{tmp}/none.wav", "-o", "{tmp}/x.wav", "--target", "cd", "--report", "r.pdf"), 2, ".html or .json"),
        (("master", "{tmp}/none.wav", "-o", "{tmp}/x.wav", "--target", "cd", "--report", "no/r.html"), 2, "is not"),
        (("master", "{tmp}/none.wav", "-o", "{tmp}/x.wav", "--lufs", "-9", "--ceiling", "3"), 1, "ceiling_dbtp"),
    ],
    ids=["recipe missing", "field unknown", "stem missing", "audio as recipe", "folder as audio", "text repaired",
         "none repaired", "album folder", "album target", "tags of nothing", "tags folder", "session missing",
         "automix folder", "extension", "depth", "flac float", "folder", "twice", "mix missing", "no target",
         "target unknown", "report extension", "report folder", "ceiling"],
)  # fmt: skip
def test_errors_say_what_is_wrong_and_what_to_do(
    call: Call, tmp_path: Path, words: tuple[str, ...], code: int, problem: str
):
    """Each mistake: its exit code, the value in the message, a second line with the remedy, no traceback, no file."""
    (tmp_path / "wrong.yaml").write_text("sample_rate_hz: 48000\ntracks: [{id: a, gain: 1}]\n")
    (tmp_path / "lost.yaml").write_text('sample_rate_hz: 48000\ntracks: [{id: a, source: "file:lost.flac"}]\n')
    soundfile.write(tmp_path / "sound.wav", [0.5, -0.5] * 2_400, 48_000)
    before = sorted(tmp_path.iterdir())
    said = call(*(word.format(tmp=tmp_path) for word in words))
    assert said.code == code
    assert problem.format(tmp=tmp_path) in said.err
    assert len(said.err.strip().splitlines()) >= 2
    assert "Traceback" not in said.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["stem.wav", "hard.wav", "soft.wav"])
@pytest.mark.parametrize("command", ["mix", "master"])
def test_a_source_is_never_written_over(call: Call, tmp_path: Path, command: str, name: str):
    """An output that is the source, by its own name or through a link, is refused, and the recording stays."""
    stem = tmp_path / "stem.wav"
    soundfile.write(stem, [0.5, -0.5] * 24_000, 48_000)
    (tmp_path / "hard.wav").hardlink_to(stem)
    (tmp_path / "soft.wav").symlink_to(stem)
    (tmp_path / "mix.yaml").write_text('sample_rate_hz: 48000\ntracks: [{id: a, source: "file:stem.wav"}]\n')
    recorded = stem.read_bytes()
    words = ("mix", tmp_path / "mix.yaml") if command == "mix" else ("master", stem, "--target", "streaming")
    said = call(*words, "-o", tmp_path / "new.wav", "-o", tmp_path / name)
    assert said.code == 2
    assert f"{name} would be written over" in said.err
    assert stem.read_bytes() == recorded
    assert not (tmp_path / "new.wav").exists()


def test_a_recipe_is_never_written_over_by_a_report(call: Call, tmp_path: Path):
    """`--report` on the master's own recipe is refused before anything is made."""
    soundfile.write(tmp_path / "mix.wav", [0.5, -0.5] * 24_000, 48_000)
    recipe = tmp_path / "master.json"
    recipe.write_text('{"target": "streaming"}')
    said = call("master", tmp_path / "mix.wav", "-o", tmp_path / "m.wav", "--recipe", recipe, "--report", recipe)
    assert (said.code, recipe.read_text()) == (2, '{"target": "streaming"}')


def test_errors_as_json(call: Call, tmp_path: Path):
    """Programs get reason, message and hint."""
    said = call("mix", tmp_path / "none.yaml", "-o", tmp_path / "x.wav", "--json")
    assert json.loads(said.err) == {
        "error": "RECIPE_NOT_FOUND",
        "message": f"{tmp_path / 'none.yaml'} cannot be read: No such file or directory",
        "details": [],
        "hint": "check the path",
    }


def test_the_commands_start_light():
    """No desk command imports scipy, a broker or gRPC: they would double the time to the first sample."""
    script = (
        "import sys; import tapelog_cli.desk.meter, tapelog_cli.desk.mix, tapelog_cli.desk.master;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'scipy', 'grpc', 'nats', 'aiohttp'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ""}
    )
    assert found.stdout.strip() == "[]"
