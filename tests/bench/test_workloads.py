"""The workloads W1 to W4 against their peers, whole processes in turn: ``make bench`` prints the ratios.

``TAPELOG_PEERS`` names the folder with the peer programs and the generator of the stems, ``TAPELOG_PEERS_PYTHON`` the
interpreter that has the peers; without them there is nothing to compare with. ``TAPELOG_BENCH_SECONDS`` is the length
of the session (180 by default).
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from tapelog_dsp.kernels import loader

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_000)]

OURS = str(Path(__file__).with_name("ours.py"))
SECONDS = os.environ.get("TAPELOG_BENCH_SECONDS", "180")
PAIRS = 3
RATE = 48_000
LIMIT_S = 600
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Programs run as they are installed, with their bytecode beside them."""

MASTERS = 100
MASTER_S, MIX_S = 30, 240
"""W4 masters so many excerpts of so many seconds, W2 a mix of four minutes."""

PEER_W2 = """
import sys, peer_pedalboard_stream as peer
for source, out in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    peer.W2(source, out)
"""


@pytest.fixture(scope="module")
def peers() -> tuple[str, Path]:
    """Return the peers' interpreter and programs."""
    python, folder = os.environ.get("TAPELOG_PEERS_PYTHON"), os.environ.get("TAPELOG_PEERS")
    if not python or not folder:
        pytest.skip("TAPELOG_PEERS_PYTHON and TAPELOG_PEERS are not set: no peers to measure against")
    return python, Path(folder)


@pytest.fixture(scope="module")
def room(peers: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the peer programs and the stems."""
    python, folder = peers
    room = tmp_path_factory.mktemp("bench")
    for program in folder.glob("*"):
        if program.is_file():
            shutil.copy(program, room)
    subprocess.run([python, "gen.py", "data/s", "32", SECONDS], cwd=room, check=True, timeout=LIMIT_S)
    return room


def run(command: Sequence[str], cwd: Path) -> tuple[float, float]:
    """Run a process to its end and return its wall and processor seconds."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime


def compare(label: str, peer_name: str, ours: Sequence[str], peer: Sequence[str], cwd: Path) -> float:
    """Run both in turn, print the medians and return how many times less processor time ours took."""
    rows = []
    for pair in range(PAIRS):
        mine = run([word.replace("OUT", f"ours-{label}-{pair}.wav") for word in ours], cwd)
        rows.append((mine, run([word.replace("OUT", f"peer-{label}-{pair}.wav") for word in peer], cwd)))
    wall, cpu = (statistics.median(row[1][k] / row[0][k] for row in rows) for k in (0, 1))
    mine = tuple(statistics.median(row[0][k] for row in rows) for k in (0, 1))
    load, isa = os.getloadavg()[0], loader.runnable_levels()[-1]
    sys.stdout.write(
        f"\n{label:24s} ours {mine[0]:7.2f} s wall {mine[1]:7.2f} s CPU; {peer_name}: {wall:5.1f}x wall {cpu:5.1f}x CPU"
        f" (kernels {isa}, {os.cpu_count()} cores, load {load:.1f})"
    )
    return cpu


def test_w1_mix_and_master(peers: tuple[str, Path], room: Path) -> None:
    """32 tracks with full strips, four buses, a reverb, a mastering chain, 24-bit files in and out."""
    ours = [sys.executable, OURS, "w1", "data/s", "32", SECONDS, "OUT"]
    theirs = [peers[0], "peer_pedalboard_stream.py", "w1", "data/s", "32", SECONDS, "OUT", "2"]
    assert compare("W1", "pedalboard, streamed", ours, theirs, room) > 1.0


def test_w1_as_the_product_does_it(peers: tuple[str, Path], room: Path) -> None:
    """The same through `render_mix` and `render_master`: with digests, measurements and the search of the loudness."""
    ours = [sys.executable, OURS, "product", "data/s", "32", SECONDS, "OUT"]
    theirs = [peers[0], "peer_pedalboard_stream.py", "w1", "data/s", "32", SECONDS, "OUT", "2"]
    assert compare("W1 by mix and master", "pedalboard, streamed", ours, theirs, room) > 1.0


@pytest.fixture(scope="module")
def mixed(room: Path) -> npt.NDArray[np.float64]:
    """Return four minutes of a dense stereo mix, the session's own, looped."""
    run([sys.executable, OURS, "w1", "data/s", "32", SECONDS, "mixed.wav"], room)
    samples, _ = soundfile.read(room / "mixed.wav")
    frames = MIX_S * RATE
    return np.tile(samples, (-(-frames // len(samples)), 1))[:frames]


def test_w2_master(peers: tuple[str, Path], room: Path, mixed: npt.NDArray[np.float64]) -> None:
    """The mastering chain on a finished mix of four minutes."""
    soundfile.write(room / "w2.wav", mixed, RATE, subtype="PCM_24")
    ours = [sys.executable, OURS, "w2", "w2.wav", "OUT"]
    assert compare("W2", "pedalboard", ours, [peers[0], "-c", PEER_W2, "w2.wav", "OUT"], room) > 1.0


def test_w4_many_masters(peers: tuple[str, Path], room: Path, mixed: npt.NDArray[np.float64]) -> None:
    """A hundred masters of half a minute, over two processes that each do fifty in turn."""
    for k in range(MASTERS):
        start = k * 97 % (MIX_S - MASTER_S) * RATE
        soundfile.write(room / f"w4-{k}.wav", mixed[start : start + MASTER_S * RATE], RATE, subtype="PCM_24")

    def batch(command: Sequence[str], label: str) -> tuple[float, float]:
        begun = time.perf_counter()
        jobs = []
        for half in (0, 1):
            files = [(f"w4-{k}.wav", f"{label}-{k}.wav") for k in range(half, MASTERS, 2)]
            jobs.append([*command, *(name for pair in files for name in pair)])
        with ThreadPoolExecutor(2) as pool:
            used = sum(cpu for _, cpu in pool.map(lambda job: run(job, room), jobs))
        for made in room.glob(f"{label}-*.wav"):
            made.unlink()
        return time.perf_counter() - begun, used

    mine = batch([sys.executable, OURS, "w2"], "w4-ours")
    theirs = batch([peers[0], "-c", PEER_W2], "w4-peer")
    wall, cpu = theirs[0] / mine[0], theirs[1] / mine[1]
    sys.stdout.write(
        f"\n{f'W4 ({MASTERS} files)':24s} ours {mine[0]:7.2f} s wall {mine[1]:7.2f} s CPU; pedalboard: {wall:5.1f}x"
        f" wall {cpu:5.1f}x CPU"
    )
    assert cpu > 1.0
