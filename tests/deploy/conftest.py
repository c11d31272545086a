"""A broker that runs on its own, as `broker-init` configures it, beside the files the parts are given."""

import asyncio
import contextlib
import dataclasses
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from tapelog_chassis.nats import NatsError, allowed_store_bytes, binary, connected, provision
from tapelog_chassis.rpc.grpc_options import CertificatePair
from tapelog_cli.installation.deployment_folder import make_deployment, process_environments

STORE_BYTES = 2 * 1024**3
READY_S = 20.0
STOP_S = 20.0


@dataclasses.dataclass(frozen=True)
class Deployment:
    """The folder of an installation of processes on this machine, and the ports of its broker."""

    folder: Path
    nats_port: int
    monitor_port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where the broker listens, with TLS."""
        return f"tls://127.0.0.1:{self.nats_port}"

    def environment(self, part: str) -> dict[str, str]:
        """Return the settings that `broker-init` wrote for a part."""
        return process_environments(self.folder, nats_port=self.nats_port)[part]

    def connected(self, user: str) -> contextlib.AbstractAsyncContextManager[Client]:
        """Connect as one of the users."""
        creds = self.folder / "creds" / f"{user}.creds"
        return connected(self.url, name=user, creds=creds, tls_ca=self.tls / "ca.pem", tls_pair=self.pair(user))

    @property
    def tls(self) -> Path:
        """Folder of the certificates."""
        return self.folder / "tls"

    def pair(self, name: str) -> CertificatePair:
        """Return the certificate of a part, or of a client as `clients/desk`."""
        return CertificatePair(self.tls / f"{name}.pem", self.tls / f"{name}.key")

    async def provision(self) -> None:
        """Do what `tapelog provision` does."""
        async with self.connected("admin") as admin:
            await provision(admin, store_bytes=await allowed_store_bytes(admin))


def take_free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody has, held together so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for probe in held:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in held]
    finally:
        for probe in held:
            probe.close()


@contextlib.asynccontextmanager
async def run_broker(deployment: Deployment) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run nats-server with the configuration of a deployment until it has recovered its streams."""
    log = (deployment.folder / "nats-server.log").open("wb")
    server = await asyncio.create_subprocess_exec(
        binary.find(), "--config", deployment.folder / "nats" / "nats.conf", stdout=log, stderr=log
    )
    try:
        async with asyncio.timeout(READY_S):
            while not await _is_healthy(deployment.monitor_port):
                if server.returncode is not None:
                    raise NatsError((deployment.folder / "nats-server.log").read_text())
                await asyncio.sleep(0.02)
        yield server
    finally:
        if server.returncode is None:
            server.terminate()
        await asyncio.wait_for(server.wait(), STOP_S)
        log.close()


async def _is_healthy(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return b'"ok"' in await reader.read()
    finally:
        writer.close()


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """Give a way to find free ports."""
    return take_free_ports


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Make the folder for processes on free ports."""
    nats_port, monitor_port = take_free_ports(2)
    folder = tmp_path / "our deployment"
    make_deployment(folder, form="processes", nats_port=nats_port, monitor_port=monitor_port, store_bytes=STORE_BYTES)
    return Deployment(folder, nats_port, monitor_port)


@pytest.fixture
def running_broker() -> Callable[[Deployment], contextlib.AbstractAsyncContextManager[Any]]:
    """Give a way to run the broker of a deployment."""
    return run_broker


@pytest.fixture
async def broker(deployment: Deployment) -> AsyncIterator[Deployment]:
    """Run its broker, with the streams and consumers of the topology."""
    async with run_broker(deployment) as process:
        await deployment.provision()
        yield dataclasses.replace(deployment, process=process)


@pytest.fixture
def without_settings() -> dict[str, str]:
    """Give this process's environment without any `TAPELOG_…` variable."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TAPELOG_")}
