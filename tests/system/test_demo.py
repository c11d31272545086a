"""The demo as a person runs it, and the same production on the topology under test."""

import asyncio
import csv
import hashlib
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyloudnorm
import pytest
import soundfile
from tapelog_cli.demo.material import Material
from tapelog_cli.demo.people import PRODUCER
from tapelog_cli.demo.run import produce
from tapelog_cli.demo.show import Show

from .conftest import System, clean_environment

DEMO_S_MAX: Final = 110
TARGET_LUFS: Final = -14.0
TOLERANCE_LU: Final = 0.2
CEILING_DBTP: Final = -1.0
FILES: Final = (
    "master.wav",
    "master.flac",
    "mix-2.wav",
    "alternate-instrumental.wav",
    "alternate-a-cappella.wav",
    "alternate-vocal-up.wav",
    "report.html",
    "report.json",
    "manifest.json",
    "events.jsonl",
    "usage.csv",
)


@dataclass(frozen=True)
class Played:
    """What a demo left: its folder and its report."""

    out: Path
    report: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Run `tapelog demo` once for this module."""
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "tapelog_cli", "demo", "--json", "--out", str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEMO_S_MAX, check=False, env=clean_environment()
    )
    assert done.returncode == 0, done.stderr + (out / "demo.log").read_text()[-4000:]
    return Played(out, json.loads(done.stdout))


def test_every_promised_file_is_there(demo: Played) -> None:
    """The folder holds audio, reports, manifest, events and usage, none of them empty."""
    assert [name for name in FILES if not (demo.out / name).stat().st_size] == []


def test_files_have_the_digests_that_the_report_names(demo: Played) -> None:
    """Every audio file hashes to what the report says."""
    for name, audio in demo.report["files"].items():
        assert hashlib.sha256((demo.out / name).read_bytes()).hexdigest() == audio["sha256"], name


def test_the_master_is_a_24_bit_wav_and_the_flac_has_the_same_samples(demo: Played) -> None:
    """Both files decode to equal integers."""
    wav, flac = soundfile.info(demo.out / "master.wav"), soundfile.info(demo.out / "master.flac")
    assert (wav.subtype, flac.subtype) == ("PCM_24", "PCM_24")

    wav_samples, _ = soundfile.read(demo.out / "master.wav", dtype="int32")
    flac_samples, _ = soundfile.read(demo.out / "master.flac", dtype="int32")
    assert np.array_equal(wav_samples, flac_samples)


def test_the_master_meets_its_target_by_an_independent_meter(demo: Played) -> None:
    """Pyloudnorm finds the target within 0.2 LU, and band-limited interpolation finds no peak over the ceiling."""
    samples, rate_hz = soundfile.read(demo.out / "master.wav")
    integrated_lufs = pyloudnorm.Meter(rate_hz).integrated_loudness(samples)
    reported = demo.report["files"]["master.wav"]["measurements"]

    assert integrated_lufs == pytest.approx(TARGET_LUFS, abs=TOLERANCE_LU)
    assert reported["integrated_lufs"] == pytest.approx(integrated_lufs, abs=0.1)
    assert true_peak_dbtp(samples) <= CEILING_DBTP
    assert reported["true_peak_dbtp"] <= CEILING_DBTP


def test_three_subscribers_and_the_ledger_agree(demo: Played) -> None:
    """The demo compared them and says so; the events it wrote are as many as the public events it compared."""
    agreement = demo.report["agreement"]
    lines = (demo.out / "events.jsonl").read_text().splitlines()

    assert agreement["agree"] is True
    assert len(lines) == agreement["public_events"]
    assert agreement["received"]["alerts (gRPC stream)"] == len(lines)
    assert agreement["received"]["in-house tool (NATS)"] == len(lines)
    assert sum('"tapelog.song.' in line for line in lines) >= agreement["song_events"]


def test_each_render_is_billed_once(demo: Played) -> None:
    """Two mixes, one master and three alternates are six settled entries with six keys."""
    with (demo.out / "usage.csv").open() as file:
        settled = [row for row in csv.DictReader(file) if row["state"] == "SETTLED"]

    kinds = sorted(row["kind"] for row in settled)
    assert kinds == ["ALTERNATE", "ALTERNATE", "ALTERNATE", "MASTER", "MIX", "MIX"]
    assert len({row["usage_key"] for row in settled}) == 6
    assert all(int(row["quantity_ms"]) > 0 for row in settled)


def test_the_story_is_in_the_facts(demo: Played) -> None:
    """The violation was flagged before mix 1 was rendered, changes were asked for, and every stage was passed."""
    types = [json.loads(line)["type"] for line in (demo.out / "events.jsonl").read_text().splitlines()]
    flagged = types.index("tapelog.song.brief_violation_flagged.v1")

    assert flagged < types.index("tapelog.song.version_rendered.v1")
    assert "tapelog.song.changes_requested.v1" in types
    assert list(demo.report["stages_s"]) == ["PRE_PRODUCTION", "RECORDING", "MIXING", "MASTERING"]


def test_the_report_page_needs_nothing_else(demo: Played) -> None:
    """The page has waveform and loudness curve, the violation with its path, and asks no network for anything."""
    page = (demo.out / "report.html").read_text()

    assert page.count('class="wave"') == 2
    assert 'class="short-term"' in page
    assert "tracks[lead-vox]" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "<script" not in page


def test_the_desk_makes_the_same_mix_and_master(demo: Played, tmp_path: Path) -> None:
    """`tapelog mix` and `tapelog master`, without services, write the bytes that the workers wrote."""
    folder = Material.find().folder
    mix, master = tmp_path / "mix-2.wav", tmp_path / "master.wav"
    for words in (
        ("mix", folder / "mix-2.yaml", "--bit-depth", "32", "-o", mix),
        ("master", mix, "--recipe", folder / "master-streaming.yaml", "-o", master),
    ):
        command = [sys.executable, "-m", "tapelog_cli", *map(str, words)]
        subprocess.run(command, timeout=DEMO_S_MAX, check=True, env=clean_environment(), capture_output=True)

    for made in (mix, master):
        assert hashlib.sha256(made.read_bytes()).hexdigest() == demo.report["files"][made.name]["sha256"]


@pytest.mark.nightly  # as long as the demo itself; the mix is compared with the desk's in the commit tier
async def test_another_run_gives_the_same_audio(demo: Played, system: System, tmp_path: Path) -> None:
    """A second production, on the topology under test, gives byte-identical files."""
    async with asyncio.timeout(DEMO_S_MAX), system.api(PRODUCER) as api:
        result = await produce(api, Material.find(), Show(None), tmp_path)

    again = {name: audio.sha256 for name, audio in result.audio.items()}
    assert again == {name: audio["sha256"] for name, audio in demo.report["files"].items()}
    assert result.master.audio[0].sample_digest == demo.report["master_sample_digest"]


def true_peak_dbtp(
    samples: np.ndarray, *, factor: int = 8, block_frames: int = 65536, margin_frames: int = 2048
) -> float:
    """Return the highest peak between samples, by zero-padded FFTs of overlapping blocks."""
    padded = np.pad(samples, ((margin_frames, margin_frames + block_frames), (0, 0)))
    highest = 0.0
    for begin in range(0, len(samples), block_frames):
        block = padded[begin : begin + block_frames + 2 * margin_frames]
        spectrum = np.fft.rfft(block, axis=0)
        fine = np.fft.irfft(spectrum, n=len(block) * factor, axis=0) * factor
        inner = fine[margin_frames * factor : (margin_frames + block_frames) * factor]
        highest = max(highest, float(np.abs(inner).max()))
    return 20 * math.log10(highest)
