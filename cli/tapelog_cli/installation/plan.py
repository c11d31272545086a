"""What a stack needs before its services start: the folder, the broker with its streams, keys, and their settings."""

import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.nats import SERVICES, EmbeddedNats, connected, provision
from tapelog_chassis.settings import ServiceSettings
from tapelog_client.local import StackState
from tapelog_console.settings import ConsoleSettings
from tapelog_dsp.kernels.loader import open_library
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings
from tapelog_session.settings import SessionSettings

from tapelog_cli.installation.data_folder import DataFolder

LogLevel = Literal["debug", "info", "warning", "error"]
HOST: Final = "127.0.0.1"
WORKERS_DEFAULT: Final = 2
"""Render workers; each uses one kernel thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """How to run a stack; port 0 takes a free one.

    Attributes
    ----------
    data_dir : Path
    session_port, render_port, notify_port, console_port : int
    nats_port : int
        0 keeps the port that the data folder's first start chose.
    workers : int
        Render worker processes.
    log_level : str
        Least level that services and workers log.
    store_bytes : int, optional
        Size limit of the broker's store at the first start; absent is 70 % of the free disk.
    """

    data_dir: Path
    session_port: int = 0
    render_port: int = 0
    notify_port: int = 0
    console_port: int = 0
    nats_port: int = 0
    workers: int = WORKERS_DEFAULT
    log_level: LogLevel = "warning"
    store_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A prepared folder, a running broker, and the settings of each service; the same for one process or several."""

    folder: DataFolder
    nats: EmbeddedNats
    session: SessionSettings
    render: RenderSettings
    notify: NotifySettings
    console: ConsoleSettings

    def announce(self) -> StackState:
        """Write the state file, by which clients find the services, and return what it says."""
        state = StackState(
            pid=os.getpid(),
            session=_address(self.session),
            render=_address(self.render),
            notify=_address(self.notify),
            nats_url=self.nats.url,
            identity_dir=str(self.session.identity_dir),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            console=f"http://{_address(self.console)}",
        )
        state.write(self.folder.path)
        return state


@asynccontextmanager
async def prepared(options: StackOptions) -> AsyncIterator[Plan]:
    """Lock the folder, make the keys, start the broker with its streams, and lay out the services' settings.

    Raises
    ------
    DataFolderInUse
        Another stack has the data folder.
    NatsError
        The broker cannot run; the message says why and what to do.
    KernelsMissingError
        The DSP kernels are not built, or are older than their sources.
    """
    open_library()  # workers would find out too, but one after another and in their own logs
    with DataFolder(options.data_dir) as folder:
        LocalIssuer.open(folder.folder("identity"), create=True)
        async with EmbeddedNats(folder.path, port=options.nats_port or None, store_bytes=options.store_bytes) as nats:
            creds = {
                name: folder.write_private(f"creds/{name}.creds", nats.identity.mint_user(name, permissions))
                for name, permissions in SERVICES.items()
            }
            async with connected(nats.url, name="admin", creds=creds["admin"]) as admin:
                await provision(admin, store_bytes=nats.store_bytes)
            yield _lay_out(options, folder, nats, creds)


def _lay_out(options: StackOptions, folder: DataFolder, nats: EmbeddedNats, creds: dict[str, Path]) -> Plan:
    ports = _choose_ports(options)
    common: dict[str, Any] = {"data_dir": folder.path, "host": HOST, "nats_url": nats.url, "reflection": True}
    common["metrics_port"] = None  # three services in one process, and nobody who would ask
    common["log_level"] = options.log_level
    return Plan(
        folder=folder,
        nats=nats,
        session=SessionSettings(
            **common,
            port=ports["session"],
            nats_creds=creds["session"],
            render_address=f"{HOST}:{ports['render']}",
        ),
        render=RenderSettings(
            **common,
            port=ports["render"],
            nats_creds=creds["render"],
            session_address=f"{HOST}:{ports['session']}",
            workers=options.workers,
            worker_nats_creds=creds["worker"],
        ),
        notify=NotifySettings(
            **common,
            port=ports["notify"],
            nats_creds=creds["notify"],
            allow_loopback_webhooks=True,
        ),
        console=ConsoleSettings(
            **common,
            port=ports["console"],
            session_address=f"{HOST}:{ports['session']}",
            render_address=f"{HOST}:{ports['render']}",
            notify_address=f"{HOST}:{ports['notify']}",
        ),
    )


def environment_of(settings: ServiceSettings) -> dict[str, str]:
    """Return settings as the environment variables of `python -m tapelog_<service>`."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return {
        f"TAPELOG_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def _address(settings: ServiceSettings) -> str:
    return f"{settings.host}:{settings.port}"


def _choose_ports(options: StackOptions) -> dict[str, int]:
    """Return a port for each service, known before they start because they name one another.

    Free ones are held together so that they differ; each is let go just before its service takes it.
    """
    wanted = {
        "session": options.session_port,
        "render": options.render_port,
        "notify": options.notify_port,
        "console": options.console_port,
    }
    held: list[socket.socket] = []
    try:
        for name, port in wanted.items():
            if port == 0:
                probe = socket.socket()
                held.append(probe)
                probe.bind((HOST, 0))
                wanted[name] = probe.getsockname()[1]
    finally:
        for probe in held:
            probe.close()
    return wanted
