"""Run every service in a process of its own, restarted when it dies, as an init system would; until SIGTERM.

`python processes.py DATA_DIR` prepares what `tapelog up` prepares, then starts `python -m tapelog_<service>` with the
same settings as environment variables. `DATA_DIR/pids.json` says which process is which.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis.settings import ServiceSettings
from tapelog_cli.installation.plan import Plan, StackOptions, environment_of, prepared
from tapelog_console.settings import ConsoleSettings

RESTART_S: Final = 0.2
READY_S: Final = 60.0
STOP_S: Final = 30.0
STORE_BYTES: Final = 2 * 1024**3


class Pids:
    """Which process is which, in a file that tests read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pids: dict[str, int] = {}

    def note(self, name: str, pid: int) -> None:
        """Write the file anew, whole."""
        self._pids[name] = pid
        part = self._path.with_suffix(".new")
        part.write_text(json.dumps(self._pids))
        part.replace(self._path)


async def keep_running(name: str, settings: ServiceSettings, pids: Pids, stop: asyncio.Event) -> None:
    """Start a service again whenever it dies; at the end stop it well."""
    environment = {**os.environ, **environment_of(settings)}
    while not stop.is_set():
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", f"tapelog_{name}", env=environment)
        pids.note(name, process.pid)
        stopping = asyncio.create_task(stop.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(ended, STOP_S)
        elif not stop.is_set():
            await asyncio.sleep(RESTART_S)


async def until_serving(settings: ServiceSettings) -> None:
    """Wait until a service says that it serves; the review page, which speaks HTTP alone, when it takes connections."""
    if isinstance(settings, ConsoleSettings):
        return await until_connected(settings)
    async with asyncio.timeout(READY_S), grpc.aio.insecure_channel(f"{settings.host}:{settings.port}") as channel:
        while True:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=READY_S, wait_for_ready=True
                )
            except grpc.aio.AioRpcError:
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return None


async def until_connected(settings: ServiceSettings) -> None:
    """Wait until a port takes connections."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(settings.host, settings.port)
            except OSError:
                await asyncio.sleep(RESTART_S / 4)
                continue
            writer.close()
            return


async def run(data_dir: Path) -> None:
    """Run until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with prepared(StackOptions(data_dir=data_dir, store_bytes=STORE_BYTES)) as plan, asyncio.TaskGroup() as group:
        pids = Pids(data_dir / "pids.json")
        services = services_of(plan)
        for name, settings in services.items():
            group.create_task(keep_running(name, settings, pids, stop))
        for settings in services.values():
            await until_serving(settings)
        watching = group.create_task(note_broker(plan, pids))
        plan.announce()
        await stop.wait()
        watching.cancel()


def services_of(plan: Plan) -> dict[str, ServiceSettings]:
    """Return the settings of each service."""
    return {"session": plan.session, "render": plan.render, "notify": plan.notify, "console": plan.console}


async def note_broker(plan: Plan, pids: Pids) -> None:
    """Keep the broker's process number current: its supervisor starts it again when it dies."""
    known = -1
    while True:
        if plan.nats.pid not in (0, known):
            known = plan.nats.pid
            pids.note("nats", known)
        await asyncio.sleep(RESTART_S / 4)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
