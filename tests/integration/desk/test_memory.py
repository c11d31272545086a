"""Memory does not grow with the song: a short and a long programme, each mixed and mastered in its own process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tapelog_desk.files.pcm import pack_integers
from tapelog_desk.files.writers import WavWriter

RATE_HZ = 48_000
GROWTH_MAX = 1.1
CHILD = Path(__file__).with_name("render_child.py")


def _rendered(folder: Path, minutes: int) -> dict[str, Any]:
    """Make a mono source of some minutes and return what the child says of mixing and mastering eight of it."""
    folder.mkdir()
    noise = np.random.default_rng(minutes).normal(0, 3_000, (1, RATE_HZ)).clip(-32_768, 32_767).astype(np.int32)
    writer = WavWriter(folder / "source.wav", sample_rate_hz=RATE_HZ, channels=1, bit_depth=16)
    for second in range(60 * minutes):
        writer.write(pack_integers(np.roll(noise, second * 997, axis=1) * (1 + second % 7) // 7, 2), None)
    writer.close()
    child = subprocess.run([sys.executable, str(CHILD), str(folder)], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    said: dict[str, Any] = json.loads(child.stdout)
    assert said["frames"] == (60 * minutes + 2) * RATE_HZ + 7 * 777
    for path in folder.iterdir():
        path.unlink()
    return said


def _compare(tmp_path: Path, long_minutes: int) -> None:
    short, long = _rendered(tmp_path / "short", 1), _rendered(tmp_path / "long", long_minutes)
    for stage in ("mix_kib", "both_kib"):
        print(f"{stage}: {short[stage] / 1024:.1f} MiB for 1 min, {long[stage] / 1024:.1f} MiB for {long_minutes} min")  # noqa: T201
        assert long[stage] <= GROWTH_MAX * short[stage]


def test_five_minutes_take_the_memory_of_one(tmp_path: Path):
    """Eight tracks with inserts, a group and a reverb, mixed and mastered."""
    _compare(tmp_path, 5)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_sixty_minutes_take_the_memory_of_one(tmp_path: Path):
    """The same for an hour."""
    _compare(tmp_path, 60)
