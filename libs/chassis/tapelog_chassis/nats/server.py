"""The embedded broker: a child nats-server that is configured, locked, supervised and stopped with this process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog

from tapelog_chassis.watched import WatchedFile

from . import binary
from .config import Pinned, render_config, write_private
from .errors import NatsError, PortInUse, ServerStartFailed, StoreLocked, UnsafeServer
from .identity import NatsIdentity
from .revoked import REVOKED_USERS_FILE
from .unsynced import remove_torn

START_TIMEOUT_S: Final = 30.0
"""A store of a million events after kill -9 needs about one second."""
STOP_TIMEOUT_S: Final = 10.0
"""After SIGTERM; then SIGKILL, which loses nothing that was acknowledged."""
ORPHAN_WAIT_S: Final = 3.0
"""How long a server whose parent was killed may take to let go of the folder."""
RESTART_DELAY_S: Final = (0.2, 5.0)
"""First and longest delay before a restart; doubled each time the server does not stay up."""
STEADY_S: Final = 1.0
"""A server that ran this long starts the delays anew."""
POLL_S: Final = 0.005
HEALTH_EVERY_S: Final = 1.0
UNWELL_S: Final = 3.0
"""How long the server may call itself unwell before it is started again; recovering streams takes less."""
RESTART_FREE_BYTES: Final = 8 * 1024**2
"""Space on its disk without which a restart would not help."""
LOG_TAIL_LINES: Final = 5

_log = structlog.get_logger(__name__)


class EmbeddedNats:
    """
    A nats-server of our own on loopback. Use as `async with EmbeddedNats(data_dir) as server`.

    Parameters
    ----------
    data_dir
        Holds `nats/` (store, configuration, log) and `nats/keys/`; made if missing.
    port
        Fixed port; None lets the first start choose one, which is then kept.
    store_bytes
        Size limit of the store at the first start; None for 70 % of the free disk.
    syncs
        Whether each write is on the disk before it is acknowledged. False only to fill an empty store, for whoever then
        syncs the files; no event may be appended to it.

    Attributes
    ----------
    identity
        Mints users for this server.
    pid
        The server process now running, 0 while there is none.
    is_ready
        Whether the server last started answers and has recovered its streams.
    restarts
        How often the server was started again since `__aenter__`.

    Raises
    ------
    StoreLocked, PortInUse, ServerBinaryMissing, ServerTooOld, ServerStartFailed, UnsafeServer
        On entry; nothing is left running.
    """

    def __init__(
        self, data_dir: Path, *, port: int | None = None, store_bytes: int | None = None, syncs: bool = True
    ) -> None:
        self._syncs = syncs
        self._folder = data_dir / "nats"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._wanted_port = port
        self._wanted_store_bytes = store_bytes
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._monitor_port = 0
        self.is_ready = False
        self.restarts = 0

    def __repr__(self) -> str:
        return f"EmbeddedNats({self._folder}, pid={self.pid})"

    @property
    def pid(self) -> int:
        """Process id of the running server, 0 while it is down."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self._pinned.port}"

    @property
    def store_bytes(self) -> int:
        """Limit of the whole store; provisioning divides it over the streams."""
        return self._pinned.store_bytes

    async def __aenter__(self) -> Self:
        self._lock = await _lock_store(self._folder)
        try:
            self._binary = binary.find()
            await binary.check_version(self._binary)
            self._revoked = WatchedFile(self._folder / "keys" / REVOKED_USERS_FILE)
            self.identity = NatsIdentity.create(self._folder)
            self._pinned = Pinned.load(
                self._folder / "pinned.json", port=self._wanted_port, store_bytes=self._wanted_store_bytes
            )
            _check_port_free(self._pinned.port, self._folder / "pinned.json")
            await self._start()
            if self._syncs:
                await self._check_sync()
        except BaseException:
            await self._stop()
            os.close(self._lock)
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="nats-server supervisor")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._supervisor is not None:
                self._supervisor.cancel()
                await asyncio.gather(self._supervisor, return_exceptions=True)
            await self._stop()
        finally:
            os.close(self._lock)

    async def varz(self) -> dict[str, Any]:
        """Return the server's own account of its state (`/varz`)."""
        return await self._monitor("/varz")

    async def _start(self) -> None:
        for stale in self._folder.glob("*.ports"):
            stale.unlink()
        remove_torn(self._folder / "store")
        self._configured = self._pinned
        config = self._write_config()
        self._process = await binary.launch(self._binary, config, self._lock)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._wait_until_ready(self._process)
            self.is_ready = True
        except TimeoutError:
            raise ServerStartFailed(self._with_log(f"nats-server was not ready in {START_TIMEOUT_S} s")) from None

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        ports_file = self._folder / f"nats-server_{process.pid}.ports"
        while not ports_file.exists():
            await self._pause(process)
        while not (text := ports_file.read_text()).endswith("}"):
            await self._pause(process)
        ports = json.loads(text)
        self._monitor_port = _port_of(ports["monitoring"][0])
        pinned = Pinned(port=_port_of(ports["nats"][0]), store_bytes=self._pinned.store_bytes)
        if pinned != self._pinned or not (self._folder / "pinned.json").exists():
            self._pinned = pinned
            pinned.save(self._folder / "pinned.json")
        while (await self._monitor("/healthz")).get("status") != "ok":
            await self._pause(process)

    async def _pause(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            raise ServerStartFailed(self._with_log(f"nats-server exited with status {process.returncode}"))
        await asyncio.sleep(POLL_S)

    async def _check_sync(self) -> None:
        jetstream = (await self.varz()).get("jetstream", {}).get("config", {})
        if not jetstream.get("sync_always"):
            raise UnsafeServer("nats-server does not report sync_always: a power cut could lose acknowledged events")

    def _write_config(self) -> Path:
        """Write the configuration; what cannot change while the server runs stays as it was when it started."""
        config = self._folder / "nats-server.conf"
        write_private(config, render_config(self._folder, self._configured, self.identity.trust, syncs=self._syncs))
        return config

    def _take_revocations(self, process: asyncio.subprocess.Process) -> None:
        """Have the server end the connections of users who were revoked since, and let them in no more."""
        if not self._revoked.has_changed():
            return
        try:
            self.identity = NatsIdentity.create(self._folder)
        except NatsError as error:
            _log.error("revoked broker users not taken", error=str(error))
            return
        self._write_config()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGHUP)
        _log.info("revoked broker users taken")

    async def _supervise(self) -> None:
        shortest_s, longest_s = RESTART_DELAY_S
        delay_s = shortest_s
        while True:
            started_s = time.monotonic()
            if self._process is not None:
                await self._ended_or_unwell(self._process)
                self.is_ready = False
                _log.warning("nats-server exited", status=self._process.returncode, restart_in_s=delay_s)
            if time.monotonic() - started_s > STEADY_S:
                delay_s = shortest_s
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, longest_s)
            self.restarts += 1
            try:
                await self._start()
            except (ServerStartFailed, OSError) as error:
                _log.error("nats-server did not start again", error=str(error))
                await self._stop()

    async def _ended_or_unwell(self, process: asyncio.subprocess.Process) -> None:
        """Wait until the server has ended; end it when it says itself that it is not well and there is space again.

        After a failed write it stores nothing any more, with however much space, until it is started again.
        """
        ended = asyncio.create_task(process.wait())
        failing_s = 0.0
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=HEALTH_EVERY_S)
                if ended.done():
                    return
                self._take_revocations(process)
                health = await self._health()
                failing_s = failing_s + HEALTH_EVERY_S if health.get("status", "ok") != "ok" else 0.0
                if failing_s >= UNWELL_S and shutil.disk_usage(self._folder).free >= RESTART_FREE_BYTES:
                    _log.error("nats-server is not well and is started again", error=str(health.get("error", "")))
                    await self._stop()
        finally:
            ended.cancel()

    async def _health(self) -> dict[str, Any]:
        """Return the server's own account of its health; empty while it does not answer, as when it is frozen."""
        try:
            async with asyncio.timeout(HEALTH_EVERY_S):
                return await self._monitor("/healthz")
        except TimeoutError:
            return {}

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _monitor(self, path: str) -> dict[str, Any]:
        """GET a monitoring page; an empty answer while the server does not listen yet."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._monitor_port)
        except OSError:
            return {}
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            _, _, body = (await reader.read()).partition(b"\r\n\r\n")
        except OSError:
            return {}
        finally:
            writer.close()
        try:
            answer: dict[str, Any] = json.loads(body)
        except ValueError:
            return {}
        return answer

    def _with_log(self, message: str) -> str:
        path = self._folder / "nats-server.log"
        lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if path.exists() else []
        return "\n".join([message, *lines])


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def _check_port_free(port: int, pinned_file: Path) -> None:
    if port <= 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(port, pinned_file) from error
            raise


async def _lock_store(folder: Path) -> int:
    """Take the folder's lock, waiting only for a server whose parent is already dead; return its descriptor."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline_s = time.monotonic() + ORPHAN_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = int(os.pread(descriptor, 32, 0).strip() or b"0")
            if _is_alive(holder) or time.monotonic() > deadline_s:
                os.close(descriptor)
                raise StoreLocked(folder, holder or None) from None
            await asyncio.sleep(POLL_S)
            continue
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    # A killed process that nobody has reaped yet, as under a container's bare first process, still has its id.
    return state != "Z"
