"""How fast the core is: ``pytest -m bench -s tests/unit/dsp/test_speed.py`` prints the figures."""

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal
from tapelog_dsp import (
    Audio,
    Bell,
    BusSpec,
    Compressor,
    GainPoint,
    HighPass,
    HighShelf,
    LowShelf,
    Meter,
    MixGraph,
    MixSpec,
    ParametricEq,
    PlateReverb,
    SendSpec,
    TrackSpec,
    limit_blocks,
    render,
)
from tapelog_dsp.kernels import build, dynamics, loader, recursion
from tapelog_dsp.kernels.twins import dynamics as plain_dynamics
from tapelog_dsp.kernels.twins import recursion as plain_recursion
from tapelog_dsp.testing import programme

pytestmark = pytest.mark.bench

RATE = 48_000
SECONDS = 30


class Loop:
    """A recording of a given length out of one second of noise."""

    def __init__(self, channels: int, frames: int, seed: int) -> None:
        self._left = frames
        self._samples = np.random.default_rng(seed).uniform(-0.3, 0.3, (channels, RATE))

    def read(self, frames: int) -> Audio:
        """Return the next frames."""
        frames = min(frames, self._left)
        self._left -= frames
        return self._samples[:, :frames]


def timed(label: str, work: Callable[[], object], *, runs: int = 3, per_frame: int = 0) -> float:
    """Print and return the best wall time of a few runs."""
    best = min(_once(work) for _ in range(runs))
    figure = f"{best / per_frame * 1e9:9.2f} ns per channel and frame" if per_frame else f"{best:9.3f} s"
    sys.stdout.write(f"\n{label:60s} {figure} (kernels {loader.runnable_levels()[-1]})")
    return best


def _once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.parametrize("tracks", [16, 32])
def test_mix(tracks: int) -> None:
    """Full strips, four groups, a plate on a send, gain automation every second; one thread."""
    chain = (
        HighPass(60.0),
        ParametricEq((LowShelf(120.0, 1.0), Bell(400.0, -2.0), Bell(3_000.0, 2.0), HighShelf(9_000.0, 1.0))),
        Compressor(-24.0, 3.0),
    )
    points = tuple(GainPoint(second * RATE, float(second % 3) - 1.0) for second in range(SECONDS))
    strips = tuple(
        TrackSpec(
            f"t{k}", 1 + k % 2, -9.0, 0.1 * (k % 5), processors=chain, sends=(SendSpec("plate", -12.0),),
            output_bus=f"group{k % 4}", gain_automation=points,
        )
        for k in range(tracks)
    )  # fmt: skip
    buses = (*(BusSpec(f"group{k}") for k in range(4)), BusSpec("plate", processors=(PlateReverb(),)))
    spec = MixSpec(RATE, strips, buses)

    def work() -> None:
        readers = {strip.id: Loop(strip.channels, SECONDS * RATE, k) for k, strip in enumerate(strips)}
        for _ in render(MixGraph(spec), readers):
            pass

    assert timed(f"mix of {tracks} tracks x {SECONDS} s", work) < SECONDS


def test_master_parts() -> None:
    """The limiter and the meter on a dense stereo master."""
    samples = programme(SECONDS)
    blocks = [np.ascontiguousarray(samples[:, start : start + 8_192]) for start in range(0, samples.shape[1], 8_192)]

    def meter() -> None:
        measuring = Meter(RATE, 2)
        for block in blocks:
            measuring.add(block)
        measuring.result()

    assert timed(f"limiter, 9 dB over, {SECONDS} s", lambda: list(_limited(blocks))) < SECONDS
    assert timed(f"meter with true peak, {SECONDS} s", meter) < SECONDS


def _limited(blocks: list[Audio]) -> list[Audio]:
    return list(limit_blocks(blocks, sample_rate=RATE, drive_db=9.0))


def test_kernels_against_numpy_and_scipy() -> None:
    """Five biquads and one compressor on stereo blocks of 8,192 frames."""
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 8_192))
    sections = ParametricEq(tuple(Bell(100.0 * 2**k, 3.0) for k in range(5))).sections(RATE)
    state = recursion.sos_state(5, 2)
    with_a0, memory = np.insert(sections, 3, 1.0, axis=1), np.zeros((5, 2, 2))
    settings = dynamics.CompressorSettings(-24.0, 6.0, 0.67, 0.002, 0.0002, 0.0, 1.0, 0.0).array()
    held = np.zeros(dynamics.COMPRESSOR_STATE)
    frames = samples.size
    fast = timed("5 biquads, kernel", lambda: recursion.sos(sections, state, samples), runs=50, per_frame=frames)
    timed("5 biquads, scipy", lambda: signal.sosfilt(with_a0, samples, zi=memory), runs=50, per_frame=frames)
    slow = timed("5 biquads, twin", lambda: plain_recursion.sos(sections, state, samples), runs=2, per_frame=frames)
    assert fast < slow
    fast = timed("compressor, kernel", lambda: dynamics.compress(settings, held, samples), runs=50, per_frame=frames)
    slow = timed("compressor, twin", lambda: plain_dynamics.compress(settings, held, samples), per_frame=frames)
    assert fast < slow


def test_build_and_import() -> None:
    """Building every library from sources, and importing the package in a fresh process."""
    timed("build all kernels", lambda: build.build(force=True), runs=2)
    timed("import in a fresh process", lambda: subprocess.run([sys.executable, "-c", "import tapelog_dsp"], check=True))
