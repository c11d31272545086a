"""The loudness solver on every master of the corpus: the target within 0.1 LU, or what stands in the way."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_dsp import Measurement, TruePeakLimiter, limit_blocks, measure, solve_drive

SECONDS = 12
CEILING_DBTP = -1.0
NAMES = (
    "ambient_nebula48k", "hires_96k24", "metal_chaosland", "mono_techno_tt1", "quiet_psymongN5", "rock_david05",
    "score_hell", "strings_hungarian_dance",
)  # fmt: skip


def master(name: str) -> tuple[np.ndarray, int]:
    """Return the start of a master ``[channels, frames]`` and its rate."""
    folder = os.environ.get("TAPELOG_CORPUS")
    if not folder:
        pytest.skip("TAPELOG_CORPUS names no folder")
    (path,) = Path(folder, "masters").glob(f"{name}.*")
    read, rate = soundfile.read(path, always_2d=True)
    return np.ascontiguousarray(read[: SECONDS * rate].T), rate


@pytest.mark.parametrize("target_lufs", [-23.0, -14.0, -9.0])
@pytest.mark.parametrize("name", NAMES)
def test_target_is_reached_or_its_floor_named(name: str, target_lufs: float):
    """Within 0.1 LU under the ceiling on all meters; where 12 dB of limiting are too few, the reason and the floor."""
    samples, rate = master(name)
    limiter = TruePeakLimiter(CEILING_DBTP)
    solution = solve_drive(lambda: iter([samples]), sample_rate=rate, target_lufs=target_lufs, limiter=limiter)
    result = np.concatenate(
        list(limit_blocks([samples], sample_rate=rate, drive_db=solution.drive_db, limiter=limiter)), axis=1
    )
    got: Measurement = measure(result, rate, threads=2)
    assert got.true_peak.max_dbtp <= CEILING_DBTP + 0.05
    if solution.feasible:
        assert abs(got.loudness.integrated_lufs - target_lufs) <= 0.1
        assert solution.limit == ""
    else:
        assert got.loudness.integrated_lufs < target_lufs
        assert f"{got.loudness.integrated_lufs:.2f} LUFS" in solution.limit
        assert solution.telemetry["gain_reduction_max_db"] == pytest.approx(12.0, abs=0.5)
