"""The checks of `tapelog doctor`: each looks at one thing and says what to do when it is wrong."""

import asyncio
import importlib.metadata
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

PYTHON_MIN: Final = (3, 11)
DISK_BYTES_MIN: Final = 1024**3
"""The broker's store and the audio of a few songs."""
KEY_MODE: Final = 0o600


class Finding(NamedTuple):
    """What one check found; `advice` is empty when all is well."""

    check: str
    ok: bool
    found: str
    advice: str


def diagnose(data_dir: Path) -> list[Finding]:
    """Run every check; a check that cannot be made is a finding, not an error."""
    checks: tuple[tuple[str, Callable[[], tuple[bool, str]], str], ...] = (
        ("python", _python, f"use Python {'.'.join(map(str, PYTHON_MIN))} or newer"),
        ("packages", _packages, "run `make setup`"),
        ("dsp kernels", _kernels, "run `make setup`, which builds them and needs no system compiler"),
        ("nats-server", _nats_server, "run `make setup`, or set NATS_SERVER_BIN to a newer one"),
        ("loopback", _loopback, "let programs listen on 127.0.0.1"),
        ("disk", lambda: _disk(data_dir), f"free at least {DISK_BYTES_MIN // 1024**2} MiB"),
        ("data folder", lambda: _data_folder(data_dir), "make it yours and private: chown, then chmod -R go= on it"),
        ("running", lambda: _running(data_dir), "where no tapelog runs on the folder, remove its state.json"),
    )
    findings = []
    for name, check, advice in checks:
        try:
            ok, found = check()
        except Exception as error:  # noqa: BLE001 - whatever is broken here is what the command is asked to tell
            ok, found = False, f"{type(error).__name__}: {error}"
        findings.append(Finding(name, ok, found, "" if ok else advice))
    return findings


def _python() -> tuple[bool, str]:
    return sys.version_info[:2] >= PYTHON_MIN, sys.version.split()[0]


def _packages() -> tuple[bool, str]:
    """Look for every package that the distribution needs."""
    missing = []
    for line in importlib.metadata.requires("tapelog") or ():
        match = re.match(r"[A-Za-z0-9._-]+", line)
        if match is None or "extra ==" in line:
            continue
        try:
            importlib.metadata.version(match.group())
        except importlib.metadata.PackageNotFoundError:
            missing.append(match.group())
    found = f"missing: {', '.join(missing)}" if missing else f"tapelog {importlib.metadata.version('tapelog')}"
    return not missing, found


def _kernels() -> tuple[bool, str]:
    from tapelog_dsp.kernels.loader import ISA_ENVIRONMENT, open_library, runnable_levels

    levels = runnable_levels()
    open_library()
    return True, f"{os.environ.get(ISA_ENVIRONMENT) or levels[-1]} of {', '.join(levels)}"


def _nats_server() -> tuple[bool, str]:
    from tapelog_chassis.nats import binary

    path = binary.find()
    return True, f"{asyncio.run(binary.check_version(path))} at {path}"


def _loopback() -> tuple[bool, str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname(), timeout=1.0):
            return True, "127.0.0.1 listens and answers"


def _disk(data_dir: Path) -> tuple[bool, str]:
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free_bytes = shutil.disk_usage(place).free
    return free_bytes >= DISK_BYTES_MIN, f"{free_bytes / 1024**3:.1f} GiB free at {place}"


def _data_folder(data_dir: Path) -> tuple[bool, str]:
    """Look at who may read the folder and its key."""
    if not data_dir.exists():
        return True, f"{data_dir} is not there yet; `tapelog up` makes it"
    key = data_dir / "identity" / "issuer.ed25519.pem"
    if key.exists() and key.stat().st_mode & 0o777 != KEY_MODE:
        return False, f"{key} has mode {key.stat().st_mode & 0o777:04o}, not {KEY_MODE:04o}"
    writable = os.access(data_dir, os.W_OK)
    return writable, str(data_dir) if writable else f"{data_dir} cannot be written to"


def _running(data_dir: Path) -> tuple[bool, str]:
    from tapelog_client import StackNotRunning, StackState

    try:
        state = StackState.read(data_dir)
    except StackNotRunning as away:
        return True, str(away)
    return True, f"process {state.pid}: session {state.session}, render {state.render}, notify {state.notify}"
