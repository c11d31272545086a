"""The CPU seconds that the estimates are made of: `pytest -m bench -s tests/bench/test_service_times.py`."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_desk import analyze_file, beside, render_master, render_mix
from tapelog_recipe import load_master_recipe, load_mix_recipe
from tapelog_render.application.asking import sizing

pytestmark = pytest.mark.bench

EXAMPLE = Path(__file__).parents[2] / "examples" / "lithium" / "stems"
MINUTES = 5
RATE_HZ = 48_000


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return five minutes of a stem of the example, looped."""
    path = tmp_path_factory.mktemp("music") / "music.wav"
    samples, _ = soundfile.read(min(EXAMPLE.glob("*piano*")), always_2d=True)
    frames = MINUTES * 60 * RATE_HZ
    soundfile.write(path, np.tile(samples, (-(-frames // len(samples)), 1))[:frames], RATE_HZ, subtype="PCM_24")
    return path


def _cpu_s(work: Callable[[], object]) -> float:
    begun_s = time.process_time()
    work()
    return time.process_time() - begun_s


def test_service_times(music: Path, tmp_path: Path) -> None:
    """Prints what five minutes take beside the model; the model is not off by more than three times."""
    mix = load_mix_recipe('{sample_rate_hz: 48000, tracks: [{id: a, source: "file:music.wav"}]}', "yaml")
    master = load_master_recipe('{source: "file:music.wav", target: {name: streaming}}', "yaml")
    folders = iter([tmp_path / name for name in ("a", "b", "c", "d")])

    def made(render: Callable[[Path], object]) -> float:
        folder = next(folders)
        folder.mkdir()
        return _cpu_s(lambda: render(folder))

    rows = {
        "mix of one track": (
            [made(lambda out: render_mix(mix, beside(music.parent), (), out, threads=1)) for _ in range(2)][-1],
            sizing.START_S + MINUTES * (sizing.MIX_S_PER_MINUTE + sizing.TRACK_S_PER_MINUTE),
        ),
        "master": (
            [made(lambda out: render_master(master, beside(music.parent), out)) for _ in range(2)][-1],
            sizing.START_S + MINUTES * sizing.MASTER_S_PER_MINUTE,
        ),
        "analysis": (
            [_cpu_s(lambda: analyze_file(music)) for _ in range(2)][-1],
            sizing.START_S + sizing.ANALYSIS_START_S + MINUTES * sizing.ANALYSIS_S_PER_MINUTE,
        ),
    }
    for name, (measured_s, model_s) in rows.items():
        sys.stdout.write(f"\n{name}, {MINUTES} minutes: {measured_s:.2f} s CPU, model {model_s:.2f} s")
        assert model_s / 3 < measured_s < 3 * model_s
