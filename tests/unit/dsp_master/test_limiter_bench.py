"""The limiter beside others: ``pytest -m bench -s tests/unit/dsp_master/test_limiter_bench.py`` prints the table.

Needs ``TAPELOG_CORPUS``. Peers: ffmpeg where it is on the PATH, the others where ``TAPELOG_PEERS_PYTHON`` names an
interpreter that has them. Loudness is compared at equal true peak: each peer's ceiling is lowered until its worst file
fits -1 dBTP on the 16-fold meter. A limiter with more than -60 dB of harmonics at 50 Hz, 1 dB over, wins as a clipper.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_dsp import Audio, Meter, TruePeakLimiter, TruePeakMeter, limit_blocks
from tapelog_dsp.units import db_to_gain

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_800)]

CEILING_DBTP = -1.0
DRIVES_DB = (3.0, 6.0, 9.0, 12.0)
SECONDS = 15
ROUNDS_MAX = 4
Run = Callable[[Audio, int, float], Audio]


def masters() -> list[tuple[str, int, Audio]]:
    """Return the start of every master of the corpus, its true peak at the ceiling."""
    folder = os.environ.get("TAPELOG_CORPUS")
    if not folder:
        pytest.skip("TAPELOG_CORPUS names no folder")
    found = []
    for path in sorted(Path(folder, "masters").iterdir()):
        read, rate = soundfile.read(path, always_2d=True)
        samples = np.ascontiguousarray(np.tile(read[: SECONDS * rate].T, (2 // read.shape[1], 1)))
        meter = TruePeakMeter(rate, 2)
        meter.add(samples)
        found.append((path.stem, rate, samples * db_to_gain(CEILING_DBTP - meter.result().max_dbtp)))
    return found


def ours(samples: Audio, rate: int, ceiling_dbtp: float) -> Audio:
    """Limit by the core."""
    limiter = TruePeakLimiter(ceiling_dbtp)
    return np.concatenate(list(limit_blocks([samples], sample_rate=rate, limiter=limiter)), axis=1)


def ffmpeg(samples: Audio, rate: int, ceiling_dbtp: float, *, oversampled: bool = False) -> Audio:
    """Limit by ``alimiter`` with its defaults but for the level that it would add afterwards."""
    chain = f"alimiter=limit={db_to_gain(ceiling_dbtp):.6f}:level=0"
    if oversampled:
        resample = "aresample={}:resampler=soxr:precision=28"
        chain = ",".join((resample.format(192_000), chain, resample.format(rate)))
    raw = ["-f", "f64le", "-ar", str(rate), "-ac", "2"]
    command = ["ffmpeg", "-v", "error", *raw, "-i", "-", "-af", chain, "-c:a", "pcm_f64le", "-f", "f64le", "-"]
    done = subprocess.run(command, input=np.ascontiguousarray(samples.T).tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout).reshape(-1, 2).T


def peer(name: str, samples: Audio, rate: int, ceiling_dbtp: float) -> Audio:
    """Limit by another package in its own interpreter."""
    script = Path(__file__).with_name("peer_limiters.py")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.npy"), Path(folder, "out.npy")
        np.save(source, samples)
        command = [os.environ["TAPELOG_PEERS_PYTHON"], script, name, str(ceiling_dbtp), str(rate), source, target]
        subprocess.run(command, check=True)
        result: Audio = np.load(target)
        return result


def runs() -> dict[str, Run]:
    """Return every limiter that can be run here."""
    found: dict[str, Run] = {"tapelog": ours}
    if shutil.which("ffmpeg"):
        found["ffmpeg alimiter"] = ffmpeg
        found["ffmpeg alimiter at 192 kHz"] = functools.partial(ffmpeg, oversampled=True)
    if os.environ.get("TAPELOG_PEERS_PYTHON"):
        for name in ("pedalboard-brickwall", "pedalboard-true-peak", "libsonare-true-peak"):
            found[name] = functools.partial(peer, name)
    return found


def harmonics_db(run: Run) -> float:
    """Return the harmonics of 50 Hz, 1 dB over, in the second second."""
    rate = 48_000
    wave = np.tile(np.sin(2.0 * np.pi * 50.0 / rate * np.arange(3 * rate)), (2, 1))
    spectrum = np.abs(np.fft.rfft(run(wave, rate, CEILING_DBTP)[0, rate : 2 * rate] * np.hanning(rate)))
    power = sum(spectrum[50 * k - 2 : 50 * k + 3].max() ** 2 for k in range(2, 40))
    return float(10.0 * np.log10(power / spectrum[48:53].max() ** 2))


def table(run: Run, ceiling_dbtp: float) -> tuple[dict[str, float], float, float]:
    """Return the loudness of every file and drive, and the worst 16-fold and standard readings over the ceiling."""
    loudness, long_over, standard_over = {}, -99.0, -99.0
    for name, rate, samples in masters():
        for drive_db in DRIVES_DB:
            meter = Meter(rate, 2)
            meter.add(np.ascontiguousarray(run(samples * db_to_gain(drive_db), rate, ceiling_dbtp)))
            reading = meter.result()
            peaks = reading.true_peak
            loudness[f"{name} {drive_db:+g} dB"] = reading.loudness.integrated_lufs
            long_over = max(long_over, peaks.long_dbtp - CEILING_DBTP)
            standard_over = max(standard_over, peaks.itu48_dbtp - CEILING_DBTP, peaks.hann49_dbtp - CEILING_DBTP)
    return loudness, long_over, standard_over


def test_loudness_kept_at_equal_true_peak():
    """No other limiter keeps more loudness of any master at the same 16-fold true peak."""
    kept: dict[str, dict[str, float]] = {}
    sys.stdout.write("\nlimiter                       over 16x  over 48/49-tap  ceiling used  LUFS (mean)  THD 50 Hz\n")
    for name, run in runs().items():
        ceiling_dbtp, first = CEILING_DBTP, ""
        for _ in range(ROUNDS_MAX):
            loudness, long_over, standard_over = table(run, ceiling_dbtp)
            first = first or f"{long_over:+8.3f}  {standard_over:+14.3f}"
            if long_over <= 0.01:
                break
            ceiling_dbtp -= long_over + 0.003
        kept[name] = loudness
        mean = np.mean(list(loudness.values()))
        sys.stdout.write(f"{name:28s}  {first}  {ceiling_dbtp:12.3f}  {mean:11.3f}  {harmonics_db(run):8.1f} dB\n")
    for name, loudness in kept.items():
        for row, value in loudness.items():
            assert kept["tapelog"][row] >= value, f"{name} keeps more of {row}"
    assert harmonics_db(ours) < -60.0
