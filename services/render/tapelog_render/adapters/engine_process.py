"""The engine as a supervised child process: started warm, killed to cancel, replaced when it dies."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from tapelog.render.v1.resources_pb2 import RenderResult

from tapelog_render.adapters.memory_pressure import kills_so_far
from tapelog_render.application.asking.sizing import Limits, limits_of
from tapelog_render.application.ports import EngineFailure, Made, MadeFile, RenderOrder
from tapelog_render.sandbox import Confinement

START_TIMEOUT_S: Final = 60.0
"""Its imports take about a second; a machine under load may need many times that."""
DEATH_S: Final = 2.0
"""How long a child whose pipe has closed may take to end by itself."""
LINE_BYTES_MAX: Final = 1024 * 1024
"""An answer lists a few files."""
SINGLE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""One kernel thread per worker process: the pool's size is the number of cores in use."""

_log = structlog.get_logger(__name__)


class EngineProcess:
    """An `Engine` in a child process. `start` it, `close` it.

    Parameters
    ----------
    memory_limit_bytes : int
        Address space that any job may take, on top of what the idle engine has; its own limit may be lower.
    time_limit_s : float
        How long any job may take; its own limit may be lower.
    read, write : sequence of Path
        Where its sources may lie, and where it may work; it reaches no other files but its installation's.
    sandbox_required : bool
        Whether it does not start where the kernel cannot confine it.
    node_cache : Path, optional
        Folder of signals inside mixes; without it everything is rendered anew.
    node_cache_bytes : int
        Its size.
    """

    def __init__(
        self,
        *,
        memory_limit_bytes: int,
        time_limit_s: float,
        read: Sequence[Path] = (),
        write: Sequence[Path] = (),
        sandbox_required: bool = False,
        node_cache: Path | None = None,
        node_cache_bytes: int = 0,
    ) -> None:
        named = (*(("--read", path) for path in read), *(("--write", path) for path in write))
        self._folders = [word for name, path in named for word in (name, str(path.resolve()))]
        self._sandbox_required = sandbox_required
        self._temporary = {"TMPDIR": str(write[0].resolve())} if write else {}
        self._node_cache = [] if node_cache is None else ["--nodes", str(node_cache), str(node_cache_bytes)]
        self._memory_limit_bytes = memory_limit_bytes
        self._time_limit_s = time_limit_s
        self._process: asyncio.subprocess.Process | None = None
        self._version = ""
        self._kills = 0

    @property
    def version(self) -> str:
        """See `Engine.version`; known once the engine was started."""
        return self._version

    @property
    def pid(self) -> int:
        """Process id of the child, 0 while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def start(self) -> None:
        """Start the child now, and not with the first job; raises `EngineFailure` if it does not start."""
        await self._running()

    async def close(self) -> None:
        """Kill the child."""
        await self._kill()

    async def render(self, order: RenderOrder, on_progress: Callable[[float], None]) -> Made:
        """See `Engine.render`."""
        limits = await asyncio.to_thread(self._limits, order)
        try:
            async with asyncio.timeout(limits.time_s):
                process = await self._running()
                await self._send(process, order, limits.memory_bytes)
                return await self._receive(process, order, on_progress)
        except TimeoutError:
            await self._kill()
            raise EngineFailure(
                "TIME_LIMIT_REACHED",
                f"the render took longer than its limit of {limits.time_s:g} s; render it in parts",
                is_final=False,
            ) from None
        except asyncio.CancelledError:
            await self._kill()
            raise
        except EngineFailure as failure:
            if not failure.is_final:
                # It may have leaked memory or be in a strange state: the next job gets a fresh one.
                await self._kill()
            raise

    async def _running(self) -> asyncio.subprocess.Process:
        """Return the child, started and ready."""
        self._kills = kills_so_far()
        if self._process is not None and self._process.returncode is None:
            return self._process
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TAPELOG_")}
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the folder it is started in holds no code of ours
            "-m",
            "tapelog_render.engine",
            "--parent",
            str(os.getpid()),
            *self._folders,
            *self._node_cache,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            env={**environment, **SINGLE_THREAD, **self._temporary},
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                ready = await self._line(process)
        except (TimeoutError, EngineFailure) as failure:
            await self._kill()
            why = str(failure) or f"it was not ready within {START_TIMEOUT_S:g} s"
            raise EngineFailure("ENGINE_NOT_STARTED", f"the engine did not start: {why}", is_final=False) from None
        except asyncio.CancelledError:
            await self._kill()
            raise
        version = str(ready.get("ready", ""))
        if not version or self._version not in ("", version):
            await self._kill()
            was = f", it was {self._version} before" if self._version else ""
            raise EngineFailure("ENGINE_NOT_STARTED", f"the engine answered {ready}{was}", is_final=False)
        confined = Confinement(int(ready.get("landlock_abi", 0)), bool(ready.get("seccomp")))
        if self._sandbox_required and not confined.is_whole:
            await self._kill()
            raise EngineFailure(
                "ENGINE_NOT_STARTED",
                f"the kernel cannot confine the engine (Landlock {confined.landlock_abi or 'absent'}, seccomp "
                f"{'on' if confined.seccomp else 'absent'}), and TAPELOG_SANDBOX_REQUIRED asks for it",
                is_final=False,
            )
        self._version = version
        _log.info("engine ready", engine_pid=process.pid, engine_version=version, **confined._asdict())
        return process

    def _limits(self, order: RenderOrder) -> Limits:
        """Return what this order may take: its own limits, or those of any job."""
        source_bytes = sum(path.stat().st_size for path in order.sources.values())
        own = limits_of(order.job, source_bytes=source_bytes)
        return Limits(min(own.memory_bytes, self._memory_limit_bytes), min(own.time_s, self._time_limit_s))

    async def _send(self, process: asyncio.subprocess.Process, order: RenderOrder, memory_limit_bytes: int) -> None:
        await asyncio.to_thread((order.folder / "job.binpb").write_bytes, order.job.SerializeToString())
        line = {
            "folder": str(order.folder),
            "sources": {sha256: str(path) for sha256, path in order.sources.items()},
            "memory_limit_bytes": memory_limit_bytes,
        }
        if process.stdin is None:
            raise RuntimeError("the engine was started without a pipe")
        try:
            process.stdin.write(json.dumps(line).encode() + b"\n")
            await process.stdin.drain()
        except ConnectionError:
            raise await self._died(process) from None

    async def _receive(
        self, process: asyncio.subprocess.Process, order: RenderOrder, on_progress: Callable[[float], None]
    ) -> Made:
        while True:
            answer = await self._line(process)
            if "progress" in answer:
                on_progress(float(answer["progress"]))
            elif "failed" in answer:
                failed = answer["failed"]
                raise EngineFailure(failed["reason"], failed["message"], is_final=failed["is_final"])
            else:
                return await asyncio.to_thread(_made, order, answer["made"])

    async def _line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        if process.stdout is None:
            raise RuntimeError("the engine was started without a pipe")
        try:
            line = await process.stdout.readline()
        except (ConnectionError, ValueError):
            line = b""
        if not line.endswith(b"\n"):
            raise await self._died(process)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _died(self, process: asyncio.subprocess.Process) -> EngineFailure:
        # Killing a child that has just ended would take its exit code away from the one who waits for it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEATH_S):
                await process.wait()
        await self._kill()
        code = process.returncode or 0
        if code == -signal.SIGKILL and kills_so_far() > self._kills:
            return EngineFailure(
                "OUT_OF_MEMORY",
                "the kernel ended the engine because the memory of its host or container had run out; use fewer tracks "
                "at a time, or give the worker more",
                is_final=False,
            )
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return EngineFailure(
            "ENGINE_DIED",
            f"the engine process ended by {how} before it had answered; the worker's log may say why",
            is_final=False,
        )

    async def _kill(self) -> None:
        """Kill the child, if there is one, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        # The pipe's transport is closed here and not by the collector, which would warn.
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()

    def __repr__(self) -> str:
        return f"EngineProcess(pid={self.pid}, version={self.version!r})"


def _made(order: RenderOrder, made: dict[str, Any]) -> Made:
    result = RenderResult.FromString((order.folder / "result.binpb").read_bytes())
    return Made(
        result=result,
        audio=tuple(None if path is None else order.folder / path for path in made["audio"]),
        files=tuple(MadeFile(role, order.folder / path, media_type) for role, path, media_type in made["files"]),
    )
