"""`tapelog up` as a process: one a folder, one a port, and a good end."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_client.local import STATE_FILE

from .conftest import System, clean_environment

UP_S_MAX: Final = 60


def _tapelog(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tapelog_cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=UP_S_MAX, check=False, env=clean_environment()
    )


def test_status_shows_every_service(system: System) -> None:
    """All three serve, and the answer is also there for programs."""
    done = _tapelog("status", "--json", "--data-dir", str(system.data_dir))

    assert done.returncode == ExitCode.OK, done.stderr
    services = json.loads(done.stdout)["services"]
    assert {name: service["health"] for name, service in services.items()} == {
        "session": "SERVING",
        "render": "SERVING",
        "notify": "SERVING",
    }


def test_a_second_up_on_the_folder_names_folder_and_process(system: System) -> None:
    """The second one ends with 78, changes nothing, and says whom to stop."""
    before = (system.data_dir / STATE_FILE).read_bytes()

    done = _tapelog("up", "--data-dir", str(system.data_dir))

    assert done.returncode == ExitCode.CONFIG
    assert str(system.data_dir) in done.stderr
    assert str(json.loads(before)["pid"]) in done.stderr
    assert "Traceback" not in done.stderr
    assert (system.data_dir / STATE_FILE).read_bytes() == before


@pytest.mark.parametrize("part", ["session", "render", "notify", "nats"])
def test_a_port_in_use_is_named(part: str, tmp_path: Path) -> None:
    """Starting on a taken port ends with 78 and names the port; nothing stays behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _tapelog("up", "--data-dir", str(tmp_path / "data"), f"--{part}-port", str(port))

    assert done.returncode == ExitCode.CONFIG, done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / STATE_FILE).exists()


def test_the_key_and_the_state_are_private(system: System) -> None:
    """Nobody else can read the issuer's key, the state, or the services' credentials."""
    secret = [
        system.data_dir / "identity" / "issuer.ed25519.pem",
        system.data_dir / STATE_FILE,
        *(system.data_dir / "creds").iterdir(),
    ]
    assert [path for path in secret if path.stat().st_mode & 0o077] == []
