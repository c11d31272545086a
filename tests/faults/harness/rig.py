"""A whole system whose parts a test can kill, freeze, start elsewhere and give another way to the broker.

What `tapelog up` prepares is prepared; then each service runs as a process of its own and is started again when it
dies, as an init system would do it. The broker is the embedded one, with its own supervisor.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis.event_log import JetStreamEventLog
from tapelog_chassis.nats import connected
from tapelog_chassis.settings import ServiceSettings
from tapelog_chassis.testing import eventually
from tapelog_cli.installation.plan import Plan, StackOptions, environment_of, prepared
from tapelog_client import Tapelog
from tapelog_client.api import LocalIdentity
from tapelog_client.link import Channels
from tapelog_client.tokens import LocalKeyTokenSource

RESTART_S: Final = 0.2
READY_S: Final = 60.0
STOP_S: Final = 30.0
ASK_S: Final = 1.0
STORE_BYTES: Final = 4 * 1024**3
WORKER: Final = "render.worker"
SERVICES: Final = ("session", "notify")
"""What W needs; tests that render ask for `render` too."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how one service runs, where that differs from the plan.

    Attributes
    ----------
    settings : mapping of str to object
        Settings that differ.
    prefix : sequence of str
        A command that runs the service's, such as `ip netns exec NAME`.
    environment : mapping of str to str
        Added to the service's.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Part:
    """One service's process, started again whenever it dies.

    Attributes
    ----------
    settings : ServiceSettings
    process : Process or None
    starts : int
    """

    def __init__(self, name: str, settings: ServiceSettings, place: Place, log: Path) -> None:
        self.name = name
        self.settings: Any = settings.model_copy(update=dict(place.settings))
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0
        self.is_held = False
        self._place = place
        self._log = log

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self.settings.host, self.settings.port
        return str(host) if str(host).startswith("unix:") else f"{host}:{port}"

    @property
    def pid(self) -> int:
        """Its process; 0 while there is none. A prefix such as `ip netns exec` becomes the service itself."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    async def keep_running(self) -> None:
        """Start it again and again; at the end stop it well."""
        command = (*self._place.prefix, sys.executable, "-m", f"tapelog_{self.name}")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TAPELOG_")},
            **environment_of(self.settings),
            **self._place.environment,
        }
        try:
            while True:
                if not self.is_held:
                    with self._log.open("ab") as log:
                        self.process = await asyncio.create_subprocess_exec(
                            *command, env=environment, stdout=log, stderr=log
                        )
                    self.starts += 1
                    await self.process.wait()
                await asyncio.sleep(RESTART_S)
        finally:
            await self._end()

    async def _end(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def serves(self) -> bool:
        """Say whether it says that it serves; a worker, whom nobody calls, when it runs."""
        if self.name == WORKER:
            return self.pid != 0
        async with grpc.aio.insecure_channel(self.address) as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ASK_S)
            except grpc.aio.AioRpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def serving(self, within_s: float = READY_S) -> None:
        """Wait until it says that it serves."""
        await eventually(self.serves, within_s=within_s, every_s=0.02)


@dataclass
class Rig:
    """A running system.

    Attributes
    ----------
    plan : Plan
    parts : dict of str to Part
    addresses : dict of str to str
        Where clients call the services; a test may put a proxy before one.
    """

    plan: Plan
    parts: dict[str, Part]
    addresses: dict[str, str]

    @property
    def data_dir(self) -> Path:
        """Return its folder."""
        return self.plan.folder.path

    def api(self, party: str, *, tenant_roles: tuple[str, ...] = (), tenant: str = "local") -> Tapelog:
        """Return a client as a party."""
        identity = LocalIdentity(self.plan.session.identity_dir, tenant)
        tokens = LocalKeyTokenSource(identity.issuer_dir, tenant=tenant, party=party, tenant_roles=tenant_roles)
        known = dict.fromkeys(("session", "render", "notify"), "") | self.addresses
        return Tapelog(Channels(**known), tokens, identity=identity)

    def pid(self, name: str) -> int:
        """Return the process of a service or of `nats`; 0 while it is down."""
        return self.plan.nats.pid if name == "nats" else self.parts[name].pid

    async def alive(self, name: str) -> int:
        """Wait until there is such a process, and return its number."""
        await eventually(lambda: self.pid(name) != 0, within_s=READY_S)
        return self.pid(name)

    async def kill(self, name: str) -> int:
        """`kill -9` a service or the broker, and return the number it had."""
        pid = await self.alive(name)
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: self.pid(name) != pid)
        return pid

    async def back(self, name: str, within_s: float = READY_S) -> float:
        """Wait until it works again; return how long that took, in seconds."""
        begun_s = time.monotonic()
        if name == "nats":
            await eventually(lambda: self.plan.nats.is_ready and self.plan.nats.pid != 0, within_s=within_s)
        else:
            await self.parts[name].serving(within_s)
        return time.monotonic() - begun_s

    @asynccontextmanager
    async def frozen(self, *names: str) -> AsyncIterator[None]:
        """Stop processes with SIGSTOP for as long as the block takes."""
        pids = [await self.alive(name) for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def process(self, name: str) -> psutil.Process:
        """Return what the system knows about a process."""
        return psutil.Process(self.pid(name))

    @asynccontextmanager
    async def log(self, context: str = "session") -> AsyncIterator[JetStreamEventLog]:
        """Open the event log past the services, as the service that owns it."""
        creds = self.parts[context].settings.nats_creds
        async with connected(self.plan.nats.url, name=context, creds=creds) as connection:
            yield JetStreamEventLog(connection)


@asynccontextmanager
async def running(
    data_dir: Path,
    *,
    services: Sequence[str] = SERVICES,
    places: Mapping[str, Place] | None = None,
    nats_port: int = 0,
    store_bytes: int = STORE_BYTES,
    logs: Path | None = None,
) -> AsyncIterator[Rig]:
    """Run a system until the block ends.

    Parameters
    ----------
    services : sequence of str
        Of `session`, `render`, `notify` and, where render does not run workers itself, `render.worker`.
    places : mapping of str to Place, optional
        How some of them run.
    nats_port : int
        Where the broker listens; proxies need to know before it starts.
    logs : Path, optional
        Folder of what the parts log, if not in the data folder: a disk that is full keeps nothing of it.
    """
    places = places or {}
    options = StackOptions(data_dir=data_dir, store_bytes=store_bytes, nats_port=nats_port, workers=1)
    async with prepared(options) as plan, _keeping(plan, services, places, logs or plan.folder.folder("logs")) as parts:
        rig = Rig(plan, parts, {name: part.address for name, part in parts.items() if name != WORKER})
        for part in parts.values():
            await part.serving()
        yield rig


@asynccontextmanager
async def _keeping(
    plan: Plan, services: Sequence[str], places: Mapping[str, Place], logs: Path
) -> AsyncIterator[dict[str, Part]]:
    worker = plan.render.model_copy(update={"nats_creds": plan.render.worker_nats_creds})
    known = {"session": plan.session, "render": plan.render, "notify": plan.notify, WORKER: worker}
    parts = {name: Part(name, known[name], places.get(name, Place()), logs / f"{name}.log") for name in services}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part.keep_running(), name=name) for name, part in parts.items()]
        try:
            yield parts
        finally:
            for task in tasks:
                task.cancel()
