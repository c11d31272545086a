"""What the repairs win on the damaged recordings of the corpus, beside the tools that happen to be installed here."""

import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tapelog_dsp.audio import Audio
from tapelog_dsp.repair import TOOLS, clean
from tapelog_dsp.repair.testing import sdr_db, with_plosives, with_rumble

pytestmark = pytest.mark.bench

AIMS_DB = {
    "rumble": 10.0,
    "plosives": 3.0,
    "hum": 10.0,
    "clicks": 6.0,
    "crackle": 6.0,
    "clip": 4.0,
    "hiss": 4.0,
    "white": 4.0,
    "dc": 20.0,
}
FFMPEG_FILTERS = ("adeclick", "adeclip", "afftdn", "highpass=f=30", "highpass=f=80")
FFMPEG_TIMEOUT_S = 120
DELAYS_FRAMES = (0, 1_102, 1_103, 1_200)  # afftdn is late by 25 ms and does not say so


def corpus_folder() -> Path:
    """Return the folder of damaged recordings, or skip."""
    folder = os.environ.get("TAPELOG_CORPUS")
    if not folder:
        pytest.skip("TAPELOG_CORPUS is not set: real damaged recordings are looked for there")
    return Path(folder) / "restoration"


def read(path: Path) -> tuple[Audio, int]:
    """Return a recording ``[channels, frames]`` and its rate."""
    samples, sample_rate = soundfile.read(path, always_2d=True)
    return np.ascontiguousarray(samples.T), int(sample_rate)


def best_aligned_db(original: Audio, other: Audio) -> float:
    """Return the ratio at the delay that suits the other best."""
    frames = original.shape[1]
    padded = np.pad(other, ((0, 0), (0, frames)))
    return max(sdr_db(original, padded[:, delay : delay + frames]) for delay in DELAYS_FRAMES)


def ffmpeg_peer(name: str, folder: Path) -> Callable[[Path], Audio]:
    """Return a filter of ffmpeg at its defaults."""

    def run(path: Path) -> Audio:
        target = folder / "peer.wav"
        command = ["ffmpeg", "-y", "-v", "error", "-i", str(path), "-af", name, "-c:a", "pcm_f32le", str(target)]
        subprocess.run(command, check=True, timeout=FFMPEG_TIMEOUT_S)
        return read(target)[0]

    return run


def python_peers() -> dict[str, Callable[[Path], Audio]]:
    """Return libsonare's and noisereduce's defaults, where they are installed (they are no dependency)."""
    peers: dict[str, Callable[[Path], Audio]] = {}

    def per_channel(function: Any) -> Callable[[Path], Audio]:
        def run(path: Path) -> Audio:
            samples, sample_rate = read(path)
            return np.stack([np.asarray(function(row.astype(np.float32), sample_rate), float) for row in samples])

        return run

    if importlib.util.find_spec("libsonare"):
        sonare = importlib.import_module("libsonare")
        for tool in ("declick", "decrackle", "declip", "dehum", "denoise_classical"):
            peers[f"libsonare {tool}"] = per_channel(getattr(sonare, f"mastering_repair_{tool}"))
    if importlib.util.find_spec("noisereduce"):
        reduce_noise = importlib.import_module("noisereduce").reduce_noise
        peers["noisereduce"] = per_channel(lambda row, sample_rate: reduce_noise(y=row, sr=sample_rate))
    return peers


MADE: dict[str, tuple[str, Callable[..., Audio]]] = {
    "strings__rumble": ("strings__clean.flac", with_rumble),
    "trumpet__rumble": ("trumpet__clean.flac", with_rumble),
    "singing__plosives": ("singing__clean.flac", with_plosives),
    "popvocal__plosives": ("popvocal__clean.flac", with_plosives),
}
"""Defects that the corpus has no recording of, put into its clean ones."""


def cases(folder: Path, made: Path) -> Iterator[tuple[str, str, Path, Path]]:
    """Yield defect class, name, damaged recording and original."""
    for entry in json.loads((folder / "truth.json").read_text()):
        if entry["role"] != "clean":
            yield (
                entry["truth"]["kind"].rstrip("0123456789"),
                entry["file"],
                folder / entry["file"],
                folder / entry["clean"],
            )
    for name, (clean_name, damage) in MADE.items():
        original, sample_rate = read(folder / clean_name)
        path = made / f"{name}.wav"
        soundfile.write(path, damage(original, rate=sample_rate).T, sample_rate, subtype="DOUBLE")
        yield name.partition("__")[2], name, path, folder / clean_name


@pytest.mark.timeout(1_800)
def test_gain_against_peers(tmp_path: Path):
    """No tool of ours makes a recording worse, and `clean` is nowhere behind the best tool installed here."""
    folder = corpus_folder()
    peers = python_peers()
    if shutil.which("ffmpeg"):
        peers |= {f"ffmpeg {name}": ffmpeg_peer(name, tmp_path) for name in FFMPEG_FILTERS}
    lines, behind, classes = [], [], []
    for kind, name, path, clean_path in cases(folder, tmp_path):
        (damaged, sample_rate), (original, _) = read(path), read(clean_path)
        before_db = sdr_db(original, damaged)
        row: dict[str, float] = {}
        for tool in TOOLS:
            result = clean(damaged, sample_rate, tools=[tool])
            if result.changed:
                row[tool] = sdr_db(original, result.audio) - before_db
        start = time.process_time()
        result = clean(damaged, sample_rate)
        cost_s = time.process_time() - start
        ours_db = sdr_db(original, result.audio) - before_db
        theirs = {one: best_aligned_db(original, peer(path)) - before_db for one, peer in peers.items()}
        speed = damaged.shape[1] / sample_rate / cost_s
        lines.append(f"{name:26} in {before_db:6.2f}  clean {ours_db:+6.2f} dB ({speed:5.1f} x real time, CPU)")
        lines.append("    ours alone: " + (", ".join(f"{k} {v:+.2f}" for k, v in row.items()) or "nothing found"))
        lines.append("    peers:      " + (", ".join(f"{k} {v:+.2f}" for k, v in theirs.items()) or "none installed"))
        best = max([0.0, *theirs.values()])
        worst_alone = min([0.0, *row.values()])
        if ours_db < best or worst_alone < 0.0:
            behind.append((name, ours_db, best, row))
        aim = next((aim_db for word, aim_db in AIMS_DB.items() if word in name), None)
        if aim is not None and ours_db < aim:
            lines.append(f"    aim of {aim:+.0f} dB not reached")
        leader = max(theirs, key=lambda one: theirs[one], default="none")
        classes.append(f"{kind:10} {name:26} {before_db:7.2f} {ours_db:+7.2f} {theirs.get(leader, 0.0):+7.2f} {leader}")
    lines += ["", "defect     recording                       in    ours    best public tool"]
    lines += sorted(classes)
    print("\n" + "\n".join(lines))  # noqa: T201 - a bench prints
    assert behind == []
