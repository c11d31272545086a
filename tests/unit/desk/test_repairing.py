"""Repair of a file: damage is mended and reported, an undamaged take comes out as itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_desk import RecipeRefusedError
from tapelog_desk.repairing import render_repair
from tapelog_dsp.testing import programme

RATE_HZ = 48_000
DIGEST = "5a" * 32


def write(folder: Path, samples: np.ndarray) -> Path:
    """Write a 24-bit take."""
    path = folder / "take.wav"
    soundfile.write(path, samples.T, RATE_HZ, subtype="PCM_24")
    return path


def test_hum_is_removed_and_the_report_says_how_much(tmp_path: Path):
    """A take under 50 Hz hum loses it; the report names the tool, its evidence and the source."""
    clean = 0.2 * programme(6.0, sample_rate=RATE_HZ, seed=3)[:1]
    time_s = np.arange(clean.shape[1]) / RATE_HZ
    hum = sum(0.03 / n * np.sin(2 * np.pi * 50.0 * n * time_s) for n in (1, 2, 3))
    path = write(tmp_path, clean + hum)
    made = render_repair(path, tmp_path, digest=DIGEST, tools=["hum"])
    assert made.changed
    mended = soundfile.read(made.rendered.audio[0].path, always_2d=True)[0].T
    assert np.square(mended - clean).mean() < 0.1 * np.square(hum).mean()
    told = json.loads(made.rendered.files[0].path.read_text())
    assert [tool["tool"] for tool in told["tools"]] == ["hum"]
    assert told["tools"][0]["applied"]
    assert told["source_sha256"] != made.rendered.audio[0].result.sha256


def test_silence_is_told(tmp_path: Path):
    """A pause of a second is in the report, to 10 ms, and left as it is."""
    take = 0.2 * programme(3.0, sample_rate=RATE_HZ, seed=3)[:1]
    take[:, RATE_HZ : 2 * RATE_HZ] = 0.0
    made = render_repair(write(tmp_path, take), tmp_path, digest=DIGEST, tools=["dc"])
    (told,) = json.loads(made.rendered.files[0].path.read_text())["silences"]
    assert abs(told["start_frame"] - RATE_HZ) <= RATE_HZ // 100
    assert abs(told["length_frames"] - RATE_HZ) <= RATE_HZ // 50
    assert len(made.silences) == 1


def test_an_undamaged_take_is_its_own_repair(tmp_path: Path):
    """Nothing found: the result is the file that was given, and no audio is written."""
    path = write(tmp_path, 0.2 * programme(3.0, sample_rate=RATE_HZ, seed=3)[:1])
    made = render_repair(path, tmp_path, digest=DIGEST, tools=["dc", "clip", "dropout"])
    assert not made.changed
    assert made.rendered.audio[0].path == path
    assert sorted(file.name for file in tmp_path.iterdir()) == ["repaired.repair.json", "take.wav"]


def test_an_unknown_tool_is_refused(tmp_path: Path):
    """The refusal names the tools that there are."""
    path = write(tmp_path, 0.2 * programme(1.0, sample_rate=RATE_HZ, seed=3)[:1])
    with pytest.raises(RecipeRefusedError, match="plosive"):
        render_repair(path, tmp_path, digest=DIGEST, tools=["magic"])
