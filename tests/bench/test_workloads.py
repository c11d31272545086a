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

import pytest
from tapelog_dsp.kernels import loader

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_000)]

OURS = str(Path(__file__).with_name("ours.py"))
SECONDS = os.environ.get("TAPELOG_BENCH_SECONDS", "180")
PAIRS = 3
LIMIT_S = 600


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
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
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


def test_w2_master(peers: tuple[str, Path], room: Path) -> None:
    """The mastering chain on a finished mix."""
    source = "peer-W1-0.wav"
    ours = [sys.executable, OURS, "w2", source, "OUT"]
    assert compare("W2", "pedalboard", ours, [peers[0], "peer_pedalboard_stream.py", "w2", source, "OUT"], room) > 1.0


def test_w3_meter(room: Path) -> None:
    """Loudness, range and true peak of an hour."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    source = "long.wav"
    loops = str(3_600 // int(SECONDS) - 1)
    ffmpeg = str(shutil.which("ffmpeg"))
    looped = [ffmpeg, "-nostdin", "-v", "error", "-stream_loop", loops, "-i", "peer-W1-0.wav", "-c", "copy", source]
    subprocess.run(looped, cwd=room, check=True, timeout=LIMIT_S)
    theirs = ["ffmpeg", "-nostdin", "-i", source, "-af", "ebur128=peak=true", "-f", "null", "-"]
    assert compare("W3", "ffmpeg ebur128", [sys.executable, OURS, "w3", source], theirs, room) > 1.0


def test_w4_many_masters(peers: tuple[str, Path], room: Path) -> None:
    """Ten masters, two processes at a time."""

    def batch(command: Sequence[str], label: str) -> float:
        begun = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            jobs = [[word.replace("OUT", f"{label}-{n}.wav") for word in command] for n in range(10)]
            list(pool.map(lambda job: run(job, room), jobs))
        return time.perf_counter() - begun

    source = "peer-W1-0.wav"
    mine = batch([sys.executable, OURS, "w2", source, "OUT"], "w4-ours")
    theirs = batch([peers[0], "peer_pedalboard_stream.py", "w2", source, "OUT"], "w4-peer")
    sys.stdout.write(f"\n{'W4 (10 files)':24s} ours {mine:7.2f} s wall; pedalboard: {theirs / mine:5.1f}x wall")
    assert theirs > mine


@pytest.mark.parametrize("tracks", [1, 8, 32])
def test_cost_per_track(peers: tuple[str, Path], room: Path, tracks: int) -> None:
    """Processor time against the number of tracks."""
    ours = [sys.executable, OURS, "w1", "data/s", str(tracks), SECONDS, f"tracks-{tracks}.wav"]
    wall, cpu = run(ours, room)
    each = cpu / (tracks * int(SECONDS) * 48_000) * 1e9
    sys.stdout.write(f"\n{tracks:3d} tracks: {wall:6.2f} s wall {cpu:6.2f} s CPU, {each:6.1f} ns per track-sample")
    assert cpu < int(SECONDS)
