"""
Backups that `tapelog up` has made by itself, each by a process of its own: taking an archive apart needs the processor.

What came of the last one is in a file of the data folder, which `tapelog status` reads; a failure is logged as an error
and tried again soon.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import structlog

from tapelog_cli.backup.manifest import write_private

STATE_FILE: Final = "backup.json"
FIRST_S: Final = 30.0
"""After the start, which needs the processor for itself."""
AGAIN_S: Final = 60.0
"""After a failure, or the usual time where that is shorter."""
STOP_S: Final = 20.0
"""How long a run may take to stop; one that is cut leaves the last backup valid."""
NICENESS: Final = 5
SPARE_S: Final = 300.0
"""How long a run may take before the backup counts as late."""
TOLD_CHARACTERS: Final = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """
    What is backed up, where to, and how often.

    Attributes
    ----------
    data_dir, to
        From which folder into which.
    every_s
        From the begin of one run to that of the next.
    key
        File of the key that seals the backup; None leaves it readable.
    """

    data_dir: Path
    to: Path
    every_s: float
    key: Path | None = None

    @property
    def command(self) -> list[str]:
        """What makes one backup."""
        words = ["-m", "tapelog_cli", "backup", "--data-dir", str(self.data_dir), "--to", str(self.to), "--json"]
        return [sys.executable, *words, *(["--key", str(self.key)] if self.key is not None else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupState:
    """
    What came of the backups.

    Attributes
    ----------
    to, every_s
        As in `Schedule`.
    made, took_s, events, written_bytes
        Of the last one that stands; empty and 0 before the first. `made` is RFC 3339.
    since
        When it was begun to make backups.
    running_since
        When the one that runs now began; empty if none does.
    failures, failure
        How many failed since then, and why the last of them did.
    """

    to: str
    every_s: float
    since: str
    made: str = ""
    took_s: float = 0.0
    events: int = 0
    written_bytes: int = 0
    running_since: str = ""
    failures: int = 0
    failure: str = ""

    @classmethod
    def read(cls, data_dir: Path) -> Self | None:
        """Return it; None where nobody makes backups."""
        try:
            return cls(**json.loads((data_dir / STATE_FILE).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, data_dir: Path) -> None:
        """Keep it."""
        write_private(data_dir / STATE_FILE, json.dumps(asdict(self), indent=1).encode())

    def wrong(self, now: datetime) -> str:
        """Say what is wrong; empty if nothing is."""
        if self.failures:
            return f"failed {self.failures} times: {self.failure}"
        last = datetime.fromisoformat(self.made or self.since)
        if now - last > timedelta(seconds=2 * self.every_s + SPARE_S):
            return f"late: the last one is of {self.made}" if self.made else "late: there is none yet"
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.asynccontextmanager
async def keeping_backups(schedule: Schedule | None) -> AsyncIterator[None]:
    """Have backups made beside the block; None makes none."""
    if schedule is None:
        yield
        return
    task = asyncio.create_task(_keep(schedule), name="backups")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        (schedule.data_dir / STATE_FILE).unlink(missing_ok=True)


async def _keep(schedule: Schedule) -> None:
    state = BackupState(to=str(schedule.to), every_s=schedule.every_s, since=_now())
    state.write(schedule.data_dir)
    await asyncio.sleep(min(FIRST_S, schedule.every_s))
    while True:
        begun_s = time.monotonic()
        replace(state, running_since=_now()).write(schedule.data_dir)
        state = await _run(schedule, state)
        state.write(schedule.data_dir)
        wait_s = min(AGAIN_S, schedule.every_s) if state.failures else schedule.every_s
        await asyncio.sleep(max(0.0, begun_s + wait_s - time.monotonic()))


async def _run(schedule: Schedule, state: BackupState) -> BackupState:
    """Make one backup; return what came of it."""
    process = await asyncio.create_subprocess_exec(
        *schedule.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        out, said = await process.communicate()
    finally:
        await _ended(process)
    if process.returncode:
        failure = _told(said) or f"it ended with {process.returncode}"
        _log.error("backup failed", to=state.to, failures=state.failures + 1, why=failure)
        return replace(state, failures=state.failures + 1, failure=failure)
    made: dict[str, Any] = json.loads(out)
    events = sum(int(head["events"]) for head in made["heads"].values())
    done = replace(
        state, made=made["made"], took_s=made["took_s"], events=events, failures=0, failure="",
        written_bytes=made["stream_bytes"] + made["object_bytes_copied"],
    )  # fmt: skip
    _log.info("backup made", to=done.to, events=events, took_s=done.took_s, written_bytes=done.written_bytes)
    return done


async def _ended(process: asyncio.subprocess.Process) -> None:
    """See to it that a run is over."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _told(said: bytes) -> str:
    """Return the reason out of what a command says on standard error: its line of JSON, or its last line."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)["message"])[:TOLD_CHARACTERS]
    return lines[-1][:TOLD_CHARACTERS] if lines else ""
