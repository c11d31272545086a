"""Worker processes as children of the service: started, replaced when they die, drained at the end."""

import asyncio
import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from tapelog_chassis import failpoints
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.lifecycle import EXIT_CONFIG

from tapelog_render import telemetry
from tapelog_render.adapters.processes import worker_id

BACKOFF_S: Final = (0.2, 5.0)
"""First and longest wait before a worker is started again; doubled while it does not stay up."""
STEADY_S: Final = 10.0
"""A worker that ran this long starts the waits anew."""
KILL_AFTER_S: Final = 5.0
"""How long beyond its own drain a worker may take to end."""

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerPoolStatistics:
    """How the pool is.

    Attributes
    ----------
    pids : tuple[int, ...]
        Of the workers that run.
    restarts : int
        Workers started again since the start.
    """

    pids: tuple[int, ...]
    restarts: int


class WorkerPool:
    """Keeps a number of worker processes running.

    Parameters
    ----------
    count : int
        How many.
    environment : Mapping[str, str]
        Their settings, as environment variables.
    drain_s : float
        How long a worker may finish its job at the end.
    on_death : Callable[[str], Awaitable[None]]
        Told the id of a worker that ended without being asked to, before another takes its place.
    """

    def __init__(
        self,
        count: int,
        environment: Mapping[str, str],
        *,
        drain_s: float,
        on_death: Callable[[str], Awaitable[None]],
    ) -> None:
        self._count = count
        self._on_death = on_death
        self._environment = dict(environment)
        self._drain_s = drain_s
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._restarts = 0

    @property
    def statistics(self) -> WorkerPoolStatistics:
        """How the pool is now."""
        pids = tuple(process.pid for process in self._running.values() if process.returncode is None)
        return WorkerPoolStatistics(pids, self._restarts)

    async def run(self, stop: asyncio.Event) -> None:
        """Run the workers until `stop` is set, then let each finish or give back its job.

        Raises
        ------
        ConfigRefusal
            A worker refused its set-up: it would refuse it again, however often it is started.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._keep(number, stop), name=f"worker {number}")

    async def _keep(self, number: int, stop: asyncio.Event) -> None:
        backoff_s, longest_s = BACKOFF_S
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                start_s = time.monotonic()
                process = await self._spawn()
                self._running[number] = process
                ended = asyncio.create_task(process.wait())
                try:
                    await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await self._end(process)
                    await ended
                if stop.is_set():
                    return
                if process.returncode == EXIT_CONFIG:
                    raise ConfigRefusal(
                        "a render worker refuses its set-up (exit code 78); the line it logged says why: "
                        "mend that, then start again"
                    )
                if time.monotonic() - start_s >= STEADY_S:
                    backoff_s = BACKOFF_S[0]
                _log.warning("worker died", worker_pid=process.pid, code=process.returncode, restart_in_s=backoff_s)
                await self._on_death(worker_id(process.pid))
                await asyncio.wait([stopping], timeout=backoff_s)
                backoff_s = min(2 * backoff_s, longest_s)
                self._restarts += 1
                telemetry.WORKER_RESTARTS.inc()
        finally:
            stopping.cancel()

    async def _spawn(self) -> asyncio.subprocess.Process:
        kept = (key for key in os.environ if key == failpoints.VARIABLE or not key.startswith("TAPELOG_"))
        environment = {key: os.environ[key] for key in kept}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tapelog_render.worker",
            stdin=asyncio.subprocess.DEVNULL,
            env={**environment, **self._environment, "TAPELOG_PARENT_PID": str(os.getpid())},
        )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Ask a worker to end, and end it when it does not."""
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self._drain_s + KILL_AFTER_S):
                await process.wait()
        except TimeoutError:
            _log.error("worker did not end and is killed", worker_pid=process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def __repr__(self) -> str:
        return f"WorkerPool(count={self._count}, {self.statistics})"
