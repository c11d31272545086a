"""Files brought to the engine's child as a worker brings them: checked on arrival, their cost taken from the kernel."""

import asyncio
import contextlib
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from tapelog.render.v1.resources_pb2 import AnalysisSpec, RenderJob, RenderKind
from tapelog_render.adapters.engine_process import EngineProcess
from tapelog_render.application.ports import EngineFailure, RenderOrder

MIB: Final = 2**20
SHA256: Final = "a" * 64
PEAK_MAX_MIB: Final = 256
"""Of the engine's child, whatever file it is given."""
SECONDS_MAX: Final = 5.0
"""Of processor time for one file: the clock counts the work of others too."""
HANG_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a file ended: read with `frames`, or refused for a `reason`; what it cost its child."""

    frames: int | None
    reason: str
    message: str
    is_final: bool
    cpu_s: float
    peak_mib: float

    @property
    def complaint(self) -> str:
        """What no file may do, or nothing: end the child, fail without a reason of its own, cost too much."""
        if self.frames is None and not (self.reason.startswith("SOURCE_") and self.is_final):
            return f"{self.reason}: {self.message}"
        return self.excess

    @property
    def excess(self) -> str:
        """What it cost beyond its limits, or nothing."""
        if self.peak_mib > PEAK_MAX_MIB:
            return f"its child grew to {self.peak_mib:.0f} MiB"
        return f"it took {self.cpu_s:.1f} s of processor time" if self.cpu_s > SECONDS_MAX else ""


@dataclass
class ArrivalDesk:
    """One engine that checks file after file and is replaced when it dies; `deaths` says how often it did."""

    engine: EngineProcess
    folder: Path
    deaths: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def check(self, path: Path) -> Arrival:
        """Check a file."""
        order = self.folder / f"order-{next(self._numbers)}"
        order.mkdir()
        job = RenderJob(
            kind=RenderKind.RENDER_KIND_ANALYSIS, analysis=AnalysisSpec(asset_sha256=SHA256), recipe_digest=SHA256
        )
        await self.engine.start()
        child = psutil.Process(self.engine.pid)
        before_s = _cpu_s(child)
        _forget_peak(child.pid)
        try:
            made = await self.engine.render(RenderOrder(job, {SHA256: path}, order), lambda _share: None)
            frames, failure = made.result.audio[0].measurements.length_frames, None
        except EngineFailure as refused:
            frames, failure = None, refused
        finally:
            await asyncio.to_thread(shutil.rmtree, order)
        if failure is not None and not failure.is_final:
            self.deaths += 1
            return Arrival(frames, failure.reason, failure.message, is_final=False, cpu_s=0.0, peak_mib=0.0)
        cost = {"cpu_s": _cpu_s(child) - before_s, "peak_mib": peak_mib(child.pid)}
        reason, message = (failure.reason, failure.message) if failure is not None else ("", "")
        return Arrival(frames, reason, message, is_final=True, **cost)


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _forget_peak(pid: int) -> None:
    """Begin a process's highest memory anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had, by the kernel's account."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


@contextlib.asynccontextmanager
async def arrival_desk(folder: Path, *, read: Sequence[Path] = ()) -> AsyncIterator[ArrivalDesk]:
    """Run an engine under a worker's limits, which may read what lies in `folder` and in `read`."""
    engine = EngineProcess(memory_limit_bytes=2_048 * MIB, time_limit_s=HANG_S, read=(folder, *read), write=(folder,))
    try:
        yield ArrivalDesk(engine, folder)
    finally:
        await engine.close()


@dataclass
class Tally:
    """What a run of many files came to."""

    files: int = 0
    refused: int = 0
    cpu_s: float = 0.0
    peak_mib: float = 0.0
    slowest_s: float = 0.0
    begun_s: float = field(default_factory=time.monotonic)

    def add(self, arrival: Arrival) -> None:
        """Count one."""
        self.files += 1
        self.refused += arrival.frames is None
        self.cpu_s += arrival.cpu_s
        self.peak_mib = max(self.peak_mib, arrival.peak_mib)
        self.slowest_s = max(self.slowest_s, arrival.cpu_s)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.begun_s
        return (
            f"{self.files} files, {self.files - self.refused} read, {self.refused} refused; "
            f"slowest {self.slowest_s:.2f} s CPU, {self.cpu_s:.0f} s CPU in all, {seconds:.0f} s; "
            f"child at most {self.peak_mib:.0f} MiB"
        )
