"""How far W1 is from what the machine can do at most: operations and bytes against measured ceilings."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1_200)]

RATE_HZ: Final = 48_000
CHANNELS, TRACKS = 48, 32

SECTION = 9
"""A second-order section: 5 products, 4 sums."""

DETECTOR = 20 + 18 + 16
"""Of a compressor, per linked pair: log2, exp2, curve and smoothing, counted in the kernels."""

FADER = 20
"""Of a fader that moves, per track: its line and an exp2."""

GRID = 7
"""Of each side of a track: what leaves the fader, and what goes into the send, held and rounded to the grid."""

STRIP = 5 * SECTION + 12
"""Per channel: five sections; makeup, fader, pan, send, sums, rounding to float32."""

MASTER = 2 * 18 * SECTION + 4 * DETECTOR + 8 + 80 + 48 + 60 + 40
"""Per frame: equaliser and crossovers, four compressors, sums, reverb, loudness, limiter without its search, dither."""

OPERATIONS = CHANNELS * STRIP + TRACKS * (2 * GRID + DETECTOR + FADER) + MASTER
BYTES = 3 * CHANNELS + 2 * 8 + 6
"""Per frame: 24-bit stems in, a float32 spill written and read, a 24-bit master out. Blocks stay in the caches."""


def test_w1_against_the_ceilings(race: Any) -> None:
    """Print operations and bytes per second of W1 beside multiply-add and copy of the same machine."""
    said = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("limits.py"))], capture_output=True, text=True, check=True
    )
    ceilings = [[float(word) for word in line.split()] for line in said.stdout.splitlines()]
    for threads, single, double, copied in ceilings:
        sys.stdout.write(
            f"\n{threads:.0f} threads: multiply-add {single:.0f} GFLOP/s float32, {double:.0f} float64; "
            f"copy {copied:.1f} GB/s"
        )
    start_s = race.run([*race.ours, "w1", "data/s", "1", "1", "OUT"]).cpu_s
    used_s = min(race.run([*race.ours, "w1", "data/s", str(TRACKS), str(race.seconds), "OUT"]).cpu_s for _ in range(3))
    frames = race.seconds * RATE_HZ
    done, moved = OPERATIONS * frames / used_s / 1e9, BYTES * frames / used_s / 1e9
    _, _, double, copied = ceilings[0]
    sys.stdout.write(
        f"\nW1: {OPERATIONS} operations and {BYTES} bytes a frame; {done:.1f} GFLOP per processor second, "
        f"{200 * done / double:.0f} % of multiply and add unfused; {moved:.2f} GB, {100 * moved / copied:.0f} % of "
        f"copying; of {used_s:.2f} s {start_s:.2f} s are start-up"
    )
    assert done < double
