"""The workloads W1, W2 and W4 against their peers, whole processes in turn: ``make bench`` prints the ratios."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_000)]

RATE = 48_000

MASTERS = 100
MASTER_S, MIX_S = 30, 240
"""W4 masters so many excerpts of so many seconds, W2 a mix of four minutes."""

PEER_W2 = """
import sys, peer_pedalboard_stream as peer
for source, out in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    peer.W2(source, out)
"""


def test_w1_mix_and_master(level: Any) -> None:
    """32 tracks with full strips, four buses, a reverb, a mastering chain, 24-bit files in and out."""
    session = ["data/s", "32", str(level.seconds), "OUT"]
    theirs = [level.peer_python, "peer_pedalboard_stream.py", "w1", *session, "2"]
    assert level.compare("W1", "pedalboard, streamed", [*level.ours, "w1", *session], theirs) > 1.0


def test_w1_as_the_product_does_it(race: Any) -> None:
    """The same through `render_mix` and `render_master`: with digests, measurements and the search of the loudness."""
    session = ["data/s", "32", str(race.seconds), "OUT"]
    theirs = [race.peer_python, "peer_pedalboard_stream.py", "w1", *session, "2"]
    assert race.compare("W1 by mix and master", "pedalboard, streamed", [*race.ours, "product", *session], theirs) > 1.0


@pytest.fixture(scope="module")
def own_mix(race: Any) -> npt.NDArray[np.float64]:
    """Return four minutes of a dense stereo mix, the session's own, looped."""
    race.run([*race.ours, "w1", "data/s", "32", str(race.seconds), "own-mix.wav"])
    samples, _ = soundfile.read(race.room / "own-mix.wav")
    frames = MIX_S * RATE
    return np.tile(samples, (-(-frames // len(samples)), 1))[:frames]


def test_w2_master(level: Any, own_mix: npt.NDArray[np.float64]) -> None:
    """The mastering chain on a finished mix of four minutes."""
    soundfile.write(level.room / "w2.wav", own_mix, RATE, subtype="PCM_24")
    theirs = [level.peer_python, "-c", PEER_W2, "w2.wav", "OUT"]
    assert level.compare("W2", "pedalboard", [*level.ours, "w2", "w2.wav", "OUT"], theirs) > 1.0


def test_w4_many_masters(level: Any, own_mix: npt.NDArray[np.float64]) -> None:
    """A hundred masters of half a minute, over two processes that each do fifty in turn."""
    for k in range(MASTERS):
        start = k * 97 % (MIX_S - MASTER_S) * RATE
        soundfile.write(level.room / f"w4-{k}.wav", own_mix[start : start + MASTER_S * RATE], RATE, subtype="PCM_24")

    def batch(command: Sequence[str], label: str) -> tuple[float, float]:
        begun = time.perf_counter()
        jobs = []
        for half in (0, 1):
            files = [(f"w4-{k}.wav", f"{label}-{k}.wav") for k in range(half, MASTERS, 2)]
            jobs.append([*command, *(name for pair in files for name in pair)])
        with ThreadPoolExecutor(2) as pool:
            used = sum(cost.cpu_s for cost in pool.map(level.run, jobs))
        for made in level.room.glob(f"{label}-*.wav"):
            made.unlink()
        return time.perf_counter() - begun, used

    mine = batch([*level.ours, "w2"], "w4-ours")
    theirs = batch([level.peer_python, "-c", PEER_W2], "w4-peer")
    wall, cpu = theirs[0] / mine[0], theirs[1] / mine[1]
    sys.stdout.write(
        f"\n{f'W4 ({MASTERS} files)':24s} ours {mine[0]:7.2f} s wall {mine[1]:7.2f} s CPU; pedalboard: {wall:5.1f}x"
        f" wall {cpu:5.1f}x CPU (kernels {level.level})"
    )
    assert cpu > 1.0
