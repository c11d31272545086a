"""Three brokers: the compose file against the code, and three real servers of which one is killed."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tapelog_chassis.event_log import AggregateId, AppendUnknown, JetStreamEventLog, LogUnavailable, Metadata
from tapelog_chassis.nats import allowed_store_bytes, api, binary, connected, provision
from tapelog_chassis.nats.config import render_standalone_config
from tapelog_chassis.rpc.grpc_options import CertificatePair
from tapelog_chassis.testing import eventually, new_event
from tapelog_chassis.topology import STREAMS, es_stream
from tapelog_cli.installation.deployment_folder import BROKERS, IN_CLUSTER, IN_CONTAINERS, ROUTES_PORT, make_deployment

from tests.faults.harness.battery import Row

from .conftest import STORE_BYTES, _is_healthy, take_free_ports

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / "deploy" / "compose"
SONG: Final = AggregateId("session", "acme", "sng-1")
READY_S: Final = 60.0
EVENTS: Final = 30


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    """Give the file that is put on top of compose.yaml."""
    return dict(yaml.safe_load((COMPOSE / "cluster.yaml").read_text()))


def test_each_broker_has_a_name_a_disk_and_the_configuration(cluster: dict[str, Any], tmp_path: Path) -> None:
    """Names are those of the routes and of the certificate, folders are made by broker-init, no two share one."""
    make_deployment(tmp_path, store_bytes=STORE_BYTES)
    brokers = {name: service for name, service in cluster["services"].items() if name.startswith("nats")}
    assert [service["environment"]["TAPELOG_BROKER"] for service in brokers.values()] == list(BROKERS)
    for name, service in brokers.items():
        own = service["environment"]["TAPELOG_BROKER"]
        aliases = service["networks"]["backbone"]["aliases"]
        assert {name, *aliases} == {"nats", own}
        assert service["command"] == ["--config", "/etc/nats/cluster.conf"]
    disks = [volume.split(":")[0] for service in brokers.values() for volume in service.get("volumes", ())]
    assert sorted(disks) == sorted(set(disks)) == sorted(cluster["volumes"])
    for volume in cluster["volumes"].values():
        device = volume["driver_opts"]["device"].replace("${TAPELOG_DEPLOYMENT}", str(tmp_path))
        assert Path(device).is_dir()
    (config,) = cluster["configs"].values()
    assert Path(config["file"].replace("${TAPELOG_DEPLOYMENT}", str(tmp_path))).is_file()
    assert cluster["services"]["provision"]["command"][-2:] == ["--replicas", "3"]


def test_kubernetes_has_the_same_configuration() -> None:
    """But for the names: one text for three brokers, wherever they run."""
    there = (ROOT / "deploy" / "k8s" / "components" / "nats-cluster" / "nats.conf").read_text()
    here = render_standalone_config(IN_CONTAINERS, store_bytes=68719476736, cluster=IN_CLUSTER)
    assert _without_names(there) == _without_names(here)


def _without_names(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return re.sub(r"\$[A-Z_]+|nats-route://[^\"]+", "NAME", "\n".join(lines))


@dataclass
class Brokers:
    """Three servers of one deployment on loopback."""

    folder: Path
    ports: list[int]
    monitors: list[int]
    processes: list[asyncio.subprocess.Process]

    def connected(self, user: str) -> Any:
        """Connect as one of the users, to whichever server is there."""
        pair = CertificatePair(self.folder / "tls" / f"{user}.pem", self.folder / "tls" / f"{user}.key")
        return connected(
            ",".join(f"tls://localhost:{port}" for port in self.ports),
            name=user,
            creds=self.folder / "creds" / f"{user}.creds",
            tls_ca=self.folder / "tls" / "ca.pem",
            tls_pair=pair,
        )


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Brokers]:
    """Run the three with the configuration that broker-init wrote, its places and ports replaced by free ones here."""
    make_deployment(folder, store_bytes=STORE_BYTES)
    ports, routes, monitors = (take_free_ports(3) for _ in range(3))
    text = (folder / "nats" / "cluster.conf").read_text()
    for name, port in zip(BROKERS, routes, strict=True):
        text = text.replace(f"{name}:{ROUTES_PORT}", f"localhost:{port}")
    for there, here in (("/etc/nats/nats.pem", "tls/nats.pem"), ("/run/secrets/nats.key", "tls/nats.key"),
                        ("/etc/nats/ca.pem", "tls/ca.pem")):  # fmt: skip
        text = text.replace(there, str(folder / here))
    processes = []
    with contextlib.ExitStack() as stack:
        for number, name in enumerate(BROKERS):
            own = text.replace("0.0.0.0:4222", f"127.0.0.1:{ports[number]}")
            own = own.replace(f"0.0.0.0:{ROUTES_PORT}", f"127.0.0.1:{routes[number]}")
            own = own.replace("127.0.0.1:8222", f"127.0.0.1:{monitors[number]}")
            own = own.replace(
                "/var/lib/nats", str(folder / "state" / ("broker" if number == 0 else name.replace("nats", "broker")))
            )
            (folder / "nats" / f"{name}.conf").write_text(own)
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            processes.append(
                await asyncio.create_subprocess_exec(
                    binary.find(),
                    "--config",
                    folder / "nats" / f"{name}.conf",
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "TAPELOG_BROKER": name},
                )
            )
        try:
            for monitor in monitors:
                await eventually(lambda monitor=monitor: _is_healthy(monitor), within_s=READY_S, every_s=0.1)
            yield Brokers(folder, ports, monitors, processes)
        finally:
            for process in processes:
                if process.returncode is None:
                    process.terminate()
                await asyncio.wait_for(process.wait(), READY_S)


async def until_stored(log: JetStreamEventLog, number: int) -> None:
    """Append an event, again under its id while the brokers choose another leader, as a caller does."""
    async with asyncio.timeout(READY_S):
        while True:
            try:
                await log.append(SONG, number, [new_event(str(number))], Metadata(actor="usr-ann"))
            except (AppendUnknown, LogUnavailable):
                await asyncio.sleep(0.2)
            else:
                return


@pytest.mark.faults
async def test_a_log_on_three_brokers_outlives_the_one_that_leads_it(tmp_path: Path, row: Row) -> None:
    """Three copies of each stream; the leader of the log is killed; what was acknowledged is there and it goes on."""
    async with running(tmp_path / "deployment") as brokers:
        async with brokers.connected("admin") as admin:
            # As `tapelog provision --replicas 3` does: each copy counts in what the account may store.
            await provision(admin, store_bytes=await allowed_store_bytes(admin) // 3, replicas=3)
            info = await api.request(admin, f"STREAM.INFO.{es_stream('session')}")
            for spec in STREAMS:
                config = (await api.request(admin, f"STREAM.INFO.{spec.name}"))["config"]
                assert config["num_replicas"] == 3, spec.name
        leader = BROKERS.index(info["cluster"]["leader"])
        async with brokers.connected("session") as connection:
            log = JetStreamEventLog(connection)
            for number in range(EVENTS):
                await until_stored(log, number)
                if number == EVENTS // 2:
                    brokers.processes[leader].send_signal(signal.SIGKILL)
            stored = await log.load(SONG)
        assert [event.sequence for event in stored] == list(range(1, EVENTS + 1))
        assert brokers.processes[leader].returncode is not None
    row(
        "F02 cluster",
        "three brokers, the log's leader killed: lost 0, dup 0, it goes on",
        f"{EVENTS} acked, lost 0, dup 0; the other two went on",
    )
