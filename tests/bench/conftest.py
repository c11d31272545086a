"""The room in which programs race: stems, peers, and whole processes measured in turn.

``TAPELOG_PEERS`` names the folder with the peer programs and the generator of the stems, ``TAPELOG_PEERS_PYTHON`` the
interpreter that has the peers; without them there is nothing to compare with. ``TAPELOG_BENCH_SECONDS`` is the length
of the session (180 by default).

The four workloads run once with the best kernels of this processor, and once with those of one without AVX-512, NumPy
included: the peers use no AVX-512 anyway. Each row says which.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tapelog_dsp.kernels import loader

PAIRS = 3
LIMIT_S = 1_200
OURS = str(Path(__file__).with_name("ours.py"))


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds of a process, and the most memory it had."""

    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True)
class Race:
    """Runs programs in a room.

    ``ours`` and ``peer_python`` begin the commands of both sides; ``seconds`` is the length of the session; ``isa`` is
    that of the kernels, the best one where it is empty.
    """

    room: Path
    peer_python: str
    seconds: int
    pairs: int = PAIRS
    isa: str = ""

    @property
    def ours(self) -> list[str]:
        """Begin a command of ours."""
        return [sys.executable, OURS]

    def _fresh(self, command: Sequence[str]) -> list[str]:
        """Return a command whose word OUT is a file that nobody has written yet."""
        name = f"out-{len(list(self.room.glob('out-*')))}.wav"
        return [name if word == "OUT" else word for word in command]

    @property
    def level(self) -> str:
        """Name the instruction set that ours runs with."""
        return self.isa or loader.runnable_levels()[-1]

    def _environment(self) -> dict[str, str]:
        # Both sides start from compiled bytecode, as an installed program does; `python3` is the peers'.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PATH"] = f"{Path(self.peer_python).parent}{os.pathsep}{environment.get('PATH', '')}"
        if self.isa:
            wide = [
                name for name in np._core._multiarray_umath.__cpu_dispatch__ if "512" in name or name.endswith("_V4")
            ]
            environment |= {loader.ISA_ENVIRONMENT: self.isa, "NPY_DISABLE_CPU_FEATURES": " ".join(wide)}
        return environment

    def run(self, command: Sequence[str]) -> Cost:
        """Run a process to its end; it writes to OUT."""
        begun = time.perf_counter()
        with subprocess.Popen(
            self._fresh(command),
            cwd=self.room,
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        return Cost(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def ask(self, command: Sequence[str]) -> tuple[list[float], list[float]]:
        """Run a process that prints moments of the clock, then of its processor time; return both from its start on."""
        begun = time.monotonic()
        said = subprocess.run(
            self._fresh(command), cwd=self.room, env=self._environment(), capture_output=True, text=True, check=True
        )
        words = [float(word) for word in said.stdout.split()]
        half = len(words) // 2
        return [moment - begun for moment in words[:half]], words[half:]

    def compare(self, label: str, peer_name: str, ours: Sequence[str], peer: Sequence[str], pairs: int = 0) -> float:
        """Run both in turn, print the medians and return how many times less processor time ours took."""
        rows = []
        for _ in range(pairs or self.pairs):
            mine = self.run(ours)
            rows.append((mine, self.run(peer)))
        wall = statistics.median(theirs.wall_s / mine.wall_s for mine, theirs in rows)
        cpu = statistics.median(theirs.cpu_s / mine.cpu_s for mine, theirs in rows)
        own = [statistics.median(getattr(mine, name) for mine, _ in rows) for name in ("wall_s", "cpu_s", "peak_mib")]
        other = statistics.median(theirs.peak_mib for _, theirs in rows)
        sys.stdout.write(
            f"\n{label:24s} ours {own[0]:7.2f} s wall {own[1]:7.2f} s CPU {own[2]:5.0f} MiB; {peer_name}: "
            f"{wall:5.1f}x wall {cpu:5.1f}x CPU {other:5.0f} MiB "
            f"(kernels {self.level}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})"
        )
        return cpu

    def need(self, program: str) -> str:
        """Return a program of the system, or skip."""
        found = shutil.which(program)
        if found is None:
            pytest.skip(f"{program} is not installed")
        return found

    def need_module(self, module: str) -> None:
        """Skip where the peers' interpreter lacks a module."""
        if subprocess.run([self.peer_python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            pytest.skip(f"the peers' interpreter has no {module}")


@pytest.fixture(scope="session")
def race(tmp_path_factory: pytest.TempPathFactory) -> Race:
    """Return a room with the peer programs and 32 stems."""
    python, folder = os.environ.get("TAPELOG_PEERS_PYTHON"), os.environ.get("TAPELOG_PEERS")
    if not python or not folder:
        pytest.skip("TAPELOG_PEERS_PYTHON and TAPELOG_PEERS are not set: no peers to measure against")
    room = tmp_path_factory.mktemp("bench")
    for program in Path(folder).glob("*"):
        if program.is_file():
            shutil.copy(program, room)
    seconds = int(os.environ.get("TAPELOG_BENCH_SECONDS", "180"))
    subprocess.run([python, "gen.py", "data/s", "32", str(seconds), "both"], cwd=room, check=True, timeout=LIMIT_S)
    flac = room / "data" / "f"
    flac.mkdir()
    for stem in (room / "data" / "s").glob("*.flac"):
        # Under the name that the programs look for: what a file is, both sides take from its content.
        stem.rename(flac / f"{stem.stem}.wav")
    return Race(room, python, seconds)


@pytest.fixture(scope="session", params=["", "v3"], ids=["best", "v3"])
def level(race: Race, request: pytest.FixtureRequest) -> Race:
    """Return the room for each instruction set whose speed is asked for."""
    if request.param and request.param not in loader.runnable_levels()[:-1]:
        pytest.skip(f"{request.param} is the best that this processor runs, or more")
    return replace(race, isa=request.param)


@pytest.fixture(scope="session")
def mixed(race: Race) -> str:
    """Return a dense, loud stereo mix: the peer's own W1, clipped by its limiter."""
    made = race.room / "mixed.wav"
    race.run([race.peer_python, "peer_pedalboard_stream.py", "w1", "data/s", "32", str(race.seconds), made.name, "2"])
    return made.name
