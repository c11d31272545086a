"""The example clients of other languages, run as a person runs them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

CLIENTS: Final = Path(__file__).resolve().parents[2] / "examples" / "clients"
CALL_S_MAX: Final = 60.0
INSTALL_S_MAX: Final = 60.0


def run_client(runner: str, script: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run an example to its end."""
    return subprocess.run(
        [runner, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=CALL_S_MAX,
        env={**os.environ, **environment},
        check=False,
    )


def node_client(folder: Path) -> Path:
    """Install the Node example's packages into a copy of the project's files; return its script. Skips without them."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("needs Node 18 with npm")
    home = folder / "examples" / "clients"
    shutil.copytree(CLIENTS, home, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "protos").symlink_to(CLIENTS.parents[1] / "protos")
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--fetch-retries=0"]
    try:
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the Node example's packages did not come within a minute")
    if done.returncode != 0:
        pytest.skip(f"the Node example's packages cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return home / "song.mjs"
