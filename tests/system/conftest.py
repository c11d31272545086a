"""The same suite on two topologies: everything in one `tapelog up`, or each service in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest
from tapelog_client import StackNotRunning, StackState, Tapelog
from tapelog_client.local import STATE_FILE

START_S: Final = 60.0
STOP_S: Final = 60.0
POLL_S: Final = 0.02
TOPOLOGIES: Final = ("embedded", "processes")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--topology`."""
    parser.addoption("--topology", choices=TOPOLOGIES, default="embedded", help="where the services run")


@dataclass
class System:
    """A running Tapelog.

    Attributes
    ----------
    data_dir : Path
    process : Popen
        `tapelog up`, or the parent of the services' processes.
    topology : str
    """

    data_dir: Path
    process: "subprocess.Popen[bytes]"
    topology: str

    def api(self, party: str, *, tenant_roles: tuple[str, ...] = ()) -> Tapelog:
        """Return a client as a party."""
        return Tapelog.local(self.data_dir, party=party, tenant_roles=tenant_roles)

    def pid(self, name: str) -> int:
        """Return the process of a service, or of `nats`; only where it has one of its own."""
        return int(json.loads((self.data_dir / "pids.json").read_text())[name])

    def workers(self) -> list[psutil.Process]:
        """Return the render workers, whoever started them."""
        everyone = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in everyone if _is_worker(process)]


@pytest.fixture(scope="session")
def topology(request: pytest.FixtureRequest) -> str:
    """Return where the services run."""
    return str(request.config.getoption("topology", "embedded"))


@pytest.fixture(scope="module")
def system(topology: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a stack for a module's tests; it must stop well, with exit code 0."""
    started = start_system(tmp_path_factory.mktemp("system") / "data", topology)
    try:
        yield started
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(STOP_S) == 0
        assert not (started.data_dir / STATE_FILE).exists()
    finally:
        kill_tree(started.process)
        shutil.rmtree(started.data_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run the services as processes of their own, whatever the topology asked for."""
    started = start_system(tmp_path_factory.mktemp("processes") / "data", "processes")
    try:
        yield started
    finally:
        started.process.send_signal(signal.SIGTERM)
        try:
            started.process.wait(STOP_S)
        finally:
            kill_tree(started.process)
            shutil.rmtree(started.data_dir, ignore_errors=True)


def start_system(data_dir: Path, topology: str) -> System:
    """Start a stack and wait until clients can find it."""
    command = {
        "embedded": [sys.executable, "-m", "tapelog_cli", "up", "--data-dir", str(data_dir)],
        "processes": [sys.executable, str(Path(__file__).with_name("processes.py")), str(data_dir)],
    }[topology]
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir.parent / f"{data_dir.name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment())

    def is_up() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{topology} stack exited with {process.returncode}:\n{log_path.read_text()[-4000:]}")
        try:
            StackState.read(data_dir)
        except StackNotRunning:
            return False
        return True

    try:
        eventually(is_up, timeout_s=START_S)
    except BaseException:
        kill_tree(process)
        raise
    return System(data_dir, process, topology)


def clean_environment() -> dict[str, str]:
    """Return the environment without settings of Tapelog that a developer may have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TAPELOG_")}


def eventually(condition: Callable[[], bool], *, timeout_s: float) -> None:
    """Wait until a condition holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"{condition} did not hold within {timeout_s} s"
        time.sleep(POLL_S)


def kill_tree(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of a stack behind."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(STOP_S)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "tapelog_render.worker" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
