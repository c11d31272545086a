"""What the application needs from outside: the queue, progress ticks, the engine."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from tapelog.render.v1.resources_pb2 import PriorityClass, RenderJob, RenderKind, RenderResult

STAGES: Final = ("fetch", "render", "store")
"""What an attempt does, in order."""


class JobKey(NamedTuple):
    """Names a job."""

    tenant: str
    job: str


class QueueFull(Exception):  # noqa: N818 - named after the state it reports
    """The queue refused a job because its store is full."""


class QueueUnavailable(Exception):  # noqa: N818 - named after the state it reports
    """The queue did not answer; whether it did what was asked is unknown."""


class JobQueue(Protocol):
    """The service's side of the work queue. A job is in it once or not at all."""

    async def publish(self, key: JobKey, kind: RenderKind.ValueType, class_: PriorityClass.ValueType) -> bool:
        """Queue a job; False if it is queued or being worked on already.

        Raises
        ------
        QueueFull, QueueUnavailable
        """
        ...

    async def keep_lanes(self, lanes: Collection[tuple[PriorityClass.ValueType, str]]) -> None:
        """Make sure that workers can find the jobs of these classes and tenants. Raises `QueueUnavailable`."""
        ...

    async def remove(self, key: JobKey) -> None:
        """Take a job out of the queue; nothing if it is not there. Raises `QueueUnavailable`."""
        ...

    async def depth(self) -> int:
        """Return how many jobs wait or are being worked on. Raises `QueueUnavailable`."""
        ...

    async def queued(self) -> Collection[JobKey]:
        """Return the jobs that wait or are being worked on. Raises `QueueUnavailable`."""
        ...

    async def discard(self, key: JobKey) -> None:
        """Take out what lies there under a name that may be no job's. Raises `QueueUnavailable`."""
        ...

    async def stop_running(self, key: JobKey) -> None:
        """Tell whoever works on a job, right now and best effort, that it is cancelled."""
        ...


class Lease(Protocol):
    """A job handed to a worker: it is the worker's for as long as it says so in time."""

    @property
    def key(self) -> JobKey:
        """Which job."""
        ...

    async def heartbeat(self) -> None:
        """Keep the job for another lease."""
        ...

    async def done(self) -> None:
        """Take the job off the queue, and wait until the queue knows."""
        ...

    async def give_back(self, *, delay_s: float = 0.0) -> None:
        """Hand the job to the next worker after a delay."""
        ...

    async def refuse(self, reason: str) -> None:
        """Never hand it out again: it is no job."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running attempt is; best effort, never stored.

    Attributes
    ----------
    fence : int
        Of the attempt.
    percent : float
        0 to 100.
    seconds_left : float
        By the speed so far; 0 while unknown.
    stage : str
        What it does: one of `STAGES`.
    stage_seconds : dict of str to float
        What the stages have taken that are over.
    """

    fence: int
    percent: float
    seconds_left: float
    stage: str = ""
    stage_seconds: dict[str, float] = field(default_factory=dict)


class WorkSignals(Protocol):
    """A worker's side of what is not a fact."""

    async def report(self, key: JobKey, progress: Progress) -> None:
        """Tell whoever watches; best effort."""
        ...

    def cancelled(self, key: JobKey) -> AbstractAsyncContextManager[asyncio.Event]:
        """Return an event that is set when the job is said to be cancelled; best effort."""
        ...


class ProgressBoard(Protocol):
    """The last progress of running jobs."""

    def progress_of(self, key: JobKey) -> Progress | None:
        """Return the last progress heard of a job."""
        ...


@dataclass(frozen=True, slots=True)
class RenderOrder:
    """What the engine is asked to do.

    Attributes
    ----------
    job : RenderJob
        Kind and spec.
    sources : dict[str, Path]
        The file of every asset it needs, by SHA-256.
    folder : Path
        Empty, for results; the caller's to delete.
    """

    job: RenderJob
    sources: dict[str, Path]
    folder: Path


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that is not audio, made by the engine."""

    role: str
    path: Path
    media_type: str


@dataclass(frozen=True, slots=True)
class Made:
    """What the engine made: a result without its further files, and where everything lies.

    Attributes
    ----------
    audio : tuple[Path | None, ...]
        The file of each `result.audio`; None for a source, which is stored already.
    """

    result: RenderResult
    audio: tuple[Path | None, ...]
    files: tuple[MadeFile, ...]


class EngineFailure(Exception):  # noqa: N818 - a fact about an attempt
    """The engine did not make the result.

    Attributes
    ----------
    reason : str
        Stable code.
    message : str
        What is wrong, and what to do.
    is_final : bool
        Another attempt would fail in the same way.
    """

    def __init__(self, reason: str, message: str, *, is_final: bool) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.is_final = is_final


class Engine(Protocol):
    """Makes results in a process of its own; one at a time."""

    @property
    def version(self) -> str:
        """The engine's version, part of every render digest."""
        ...

    async def render(self, order: RenderOrder, on_progress: Callable[[float], None]) -> Made:
        """Make a result; cancelling this call kills the work.

        Parameters
        ----------
        on_progress : Callable[[float], None]
            Told the share that is done, 0 to 1.

        Raises
        ------
        EngineFailure
        """
        ...
