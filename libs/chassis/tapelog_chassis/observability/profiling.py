"""
Profiles on demand: SIGUSR2 has a running process write down, for a few seconds, where its time goes.

Statistical: a thread looks at every thread's stack a hundred times a second and counts. What is written are folded
stacks (`a;b;c 12`, one a line), which speedscope, flamegraph.pl and every other viewer of flame graphs read.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

import structlog

SIGNAL: Final = signal.SIGUSR2
SECONDS: Final = 10.0
"""How long one profile takes."""
EVERY_S: Final = 0.01
DEPTH_MAX: Final = 128
"""Frames of one stack, from the innermost outwards."""
KEPT_MAX: Final = 20
"""Profiles of a folder; older ones are removed."""

_log = structlog.get_logger(__name__)


class Profiler:
    """
    Makes one profile at a time.

    Parameters
    ----------
    folder
        Where profiles are written, readable by this user alone.
    name
        What the process is, for the files' names.
    seconds
        How long one takes.
    """

    def __init__(self, folder: Path, name: str, *, seconds: float = SECONDS) -> None:
        self._folder = folder
        self._name = name
        self._seconds = seconds
        self._running: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"Profiler({self._folder}, {self._name})"

    def start(self) -> None:
        """Begin a profile; nothing if one is being made."""
        if self._running is not None and self._running.is_alive():
            _log.info("a profile is being made already")
            return
        # A daemon: a process that ends does not wait for its profile.
        self._running = threading.Thread(target=self._make, name="profiler", daemon=True)
        self._running.start()
        _log.info("making a profile", seconds=self._seconds)

    def _make(self) -> None:
        try:
            stacks = sample(self._seconds)
            path = self._write(stacks)
        except OSError as failure:
            _log.error("no profile was written", cause=str(failure))
        else:
            _log.info("profile written", path=str(path), samples=stacks.total())

    def _write(self, stacks: Counter[str]) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self._folder / f"{self._name}-{os.getpid()}-{stamp}.folded"
        partial = path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{stack} {count}\n" for stack, count in sorted(stacks.items()))
        partial.replace(path)
        kept = sorted(self._folder.glob("*.folded"), key=lambda found: found.stat().st_mtime)
        for old in kept[:-KEPT_MAX]:
            old.unlink(missing_ok=True)
        return path


def sample(seconds: float) -> Counter[str]:
    """Look at all threads but this one for so long; return how often each stack was seen, outermost frame first."""
    stacks: Counter[str] = Counter()
    own, end_s = threading.get_ident(), time.monotonic() + seconds
    while time.monotonic() < end_s:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():  # noqa: SLF001 - what the standard library has for this
            if ident != own:
                stacks[_folded(names.get(ident, "thread"), frame)] += 1
        time.sleep(EVERY_S)
    return stacks


def _folded(thread: str, frame: FrameType | None) -> str:
    frames: list[str] = []
    while frame is not None and len(frames) < DEPTH_MAX:
        frames.append(_named(frame.f_code))
        frame = frame.f_back
    return ";".join([thread.replace(";", ":"), *reversed(frames)])


def _named(code: CodeType) -> str:
    # Names of code alone: no line, no local, no value, nothing that a caller has sent.
    return f"{Path(code.co_filename).stem}.{code.co_qualname}".replace(";", ":").replace(" ", "_")


@contextmanager
def profiling_on_demand(folder: Path, name: str, *, seconds: float = SECONDS) -> Iterator[None]:
    """Make a profile of this process at each SIGUSR2 as long as the context lasts; inside a running loop."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(SIGNAL, Profiler(folder, name, seconds=seconds).start)
    try:
        yield
    finally:
        loop.remove_signal_handler(SIGNAL)
