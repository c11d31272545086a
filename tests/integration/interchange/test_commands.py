"""`tapelog import`, `export` and `tags` as a person runs them, on real audio."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

EXAMPLE = Path(__file__).parents[3] / "examples" / "lithium" / "mix-2.yaml"


def tapelog(*words: object, code: int = 0) -> dict:
    """Run a command with `--json` and return what it prints."""
    command = [sys.executable, "-m", "tapelog_cli", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout if code == 0 else done.stderr)


def test_the_example_travels_and_sounds_the_same(tmp_path: Path):
    """Exported as DAWproject and imported again, the example mixes to the same samples but for its tail."""
    notes = tmp_path / "notes.json"
    notes.write_text(json.dumps([{"start_frame": 96_000, "text": "vocal up", "sample_rate_hz": 48_000}]))
    made = tapelog("export", EXAMPLE, "-o", tmp_path / "a.dawproject", "--notes", notes)
    assert any("tail" in loss["what"] for loss in made["losses"])
    again = tapelog("export", EXAMPLE, "-o", tmp_path / "b.dawproject", "--notes", notes)
    assert again["bytes"] == made["bytes"]
    assert (tmp_path / "a.dawproject").read_bytes() == (tmp_path / "b.dawproject").read_bytes().replace(
        b"b.dawproject", b""
    )
    read = tapelog("import", tmp_path / "a.dawproject", "-o", tmp_path / "song")
    assert (read["losses"], len(read["tracks"])) == ([], 12)
    assert [marker["name"] for marker in read["markers"]] == ["vocal up"]
    mixed = tapelog("mix", tmp_path / "song" / "recipe.yaml", "-o", tmp_path / "there.wav", "--bit-depth", 32)
    assert mixed
    tapelog("mix", EXAMPLE, "-o", tmp_path / "here.wav", "--bit-depth", 32)
    there, _ = soundfile.read(tmp_path / "there.wav")
    here, _ = soundfile.read(tmp_path / "here.wav")
    assert len(there) < len(here)
    assert np.array_equal(there, here[: len(there)])


def test_a_trimmed_item_is_cut_out(tmp_path: Path):
    """A Reaper item that begins inside its file plays exactly that piece."""
    media = tmp_path / "media"
    media.mkdir()
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, 96_000).astype(np.float32)
    soundfile.write(media / "vox.wav", samples, 48_000, subtype="FLOAT")
    project = tmp_path / "song.rpp"
    project.write_text(
        "<REAPER_PROJECT 0.1 7.0 1\n  SAMPLERATE 48000 0 0\n  <TRACK\n    NAME Vox\n    <ITEM\n      POSITION 0.25\n"
        '      LENGTH 1\n      SOFFS 0.5\n      <SOURCE WAVE\n        FILE "media/vox.wav"\n      >\n    >\n  >\n>\n'
    )
    tapelog("import", project, "-o", tmp_path / "song")
    piece, _ = soundfile.read(tmp_path / "song" / "audio" / "vox-2.wav", dtype="float32")
    assert np.array_equal(piece, samples[24_000:72_000])
    assert "start_frame: 12000" in (tmp_path / "song" / "recipe.yaml").read_text()


def test_tags_with_measured_loudness(tmp_path: Path):
    """The loudness that is written is the one that the meter shows."""
    path = tmp_path / "a.wav"
    tone = 0.25 * np.sin(2 * np.pi * 997 * np.arange(48_000 * 4) / 48_000)
    soundfile.write(path, np.stack([tone, tone], axis=1), 48_000, subtype="PCM_24")
    shown = tapelog("tags", "write", path, "-o", path, "--originator", "Tapelog", "--time-reference", 480, "--loudness")
    assert shown["bext"]["time_reference_frames"] == 480
    assert shown["bext"]["integrated_lufs"] == pytest.approx(
        20 * np.log10(0.25), abs=0.03
    )  # a stereo sine reads its peak
    assert tapelog("tags", "show", path) == shown


@pytest.mark.parametrize(
    "words", [("import", "missing.rpp", "-o", "x"), ("export", "missing.yaml", "-o", "a.dawproject")]
)
def test_mistakes_are_told(words: tuple[str, ...], tmp_path: Path):
    """A wrong path is one line of what is wrong and one of what to do."""
    done = subprocess.run([sys.executable, "-m", "tapelog_cli", *words], capture_output=True, text=True, timeout=60,
                          cwd=tmp_path, check=False)  # fmt: skip
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error:")
    assert "Traceback" not in done.stderr


def test_a_hostile_file_is_told(tmp_path: Path):
    """An archive that is none ends with its reason."""
    (tmp_path / "a.dawproject").write_bytes(b"PK\x03\x04 nothing")
    assert tapelog("import", tmp_path / "a.dawproject", "-o", tmp_path / "x", code=1)["error"] == "ARCHIVE_REFUSED"
