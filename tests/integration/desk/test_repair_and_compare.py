"""`tapelog repair` and `tapelog compare` on real audio."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_cli.main import main
from tapelog_dsp.repair.testing import sung_phrases

RATE_HZ = 48_000
EXAMPLE = Path(__file__).parents[3] / "examples" / "lithium"


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict:
    """Run a command with `--json` and return what it prints."""
    assert main([*map(str, words), "--json"]) == code
    printed = capsys.readouterr()
    return json.loads(printed.out if code == 0 else printed.err)


def test_an_offset_is_taken_out_and_a_sound_take_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """DC that was put in is gone from the output and named in the report; a clean take makes no file."""
    clean = sung_phrases(6.0, rate=RATE_HZ, channels=1)
    soundfile.write(tmp_path / "dc.wav", (clean + 0.05).T, RATE_HZ, subtype="PCM_24")
    soundfile.write(tmp_path / "clean.wav", clean.T, RATE_HZ, subtype="PCM_24")
    made = run(capsys, "repair", tmp_path / "dc.wav", "-o", tmp_path / "mended.wav", "--tool", "dc")
    assert [(tool["tool"], tool["applied"]) for tool in made["tools"]] == [("dc", True)]
    mended, _ = soundfile.read(tmp_path / "mended.wav")
    assert abs(mended.mean()) < 0.001
    assert np.abs(mended - clean[0]).max() < 0.01
    kept = run(capsys, "repair", tmp_path / "clean.wav", "-o", tmp_path / "none.wav")
    assert (kept["changed"], kept["output"]) == (False, None)
    assert not (tmp_path / "none.wav").exists()


def test_two_files_and_two_recipes_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """6 dB less is 6 LU less, and 6 dB makes them equal; a fader that moved is named by its path."""
    tone = 0.5 * np.sin(2 * np.pi * 997 * np.arange(RATE_HZ * 3) / RATE_HZ)
    for name, gain in (("a", 1.0), ("b", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", gain * tone, RATE_HZ, subtype="PCM_24")
    told = run(capsys, "compare", tmp_path / "a.wav", tmp_path / "b.wav")
    assert told["rows"][0]["change"] == pytest.approx(-6.02, abs=0.01)
    assert told["gain_to_match_db"] == pytest.approx(6.02, abs=0.01)
    recipe = (EXAMPLE / "mix-2.yaml").read_text()
    (tmp_path / "a.yaml").write_text(recipe)
    (tmp_path / "b.yaml").write_text(recipe.replace("tail_s: 2", "tail_s: 3"))
    assert recipe != (tmp_path / "b.yaml").read_text()
    told = run(capsys, "compare", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert [change["path"] for change in told["changes"]] == ["tail_s"]
    assert run(capsys, "compare", tmp_path / "a.wav", tmp_path / "a.yaml", code=2)["error"] == "USAGE"
