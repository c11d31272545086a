"""The embedded server: what it refuses, what it keeps, and that it never outlives its parent."""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import psutil
import pytest
from tapelog_chassis import topology
from tapelog_chassis.nats import (
    EmbeddedNats,
    NatsError,
    NatsIdentity,
    PortInUse,
    ServerBinaryMissing,
    ServerTooOld,
    StoreLocked,
    TopologyDrift,
    UnsafeServer,
    api,
    binary,
    connected,
    provision,
)
from tapelog_chassis.testing import STORE_BYTES, Broker

KEPT_BYTES = 512 * 1024 * 1024


async def test_a_second_server_on_the_folder_is_refused(broker: Broker, tmp_path: Path) -> None:
    """Two servers on one store would lose events: the second start names the folder and the process."""
    with pytest.raises(StoreLocked, match=str(tmp_path)) as refused:
        await EmbeddedNats(tmp_path).__aenter__()
    assert refused.value.pid == os.getpid()
    assert (await broker.server.varz())["connections"] >= 0


async def test_a_restart_keeps_port_keys_and_sizes(tmp_path: Path) -> None:
    """Clients of the first run can use the second: same port, same trust, same store size."""
    async with EmbeddedNats(tmp_path, store_bytes=KEPT_BYTES) as first:
        kept = (first.url, first.identity.trust.account, first.store_bytes)
        assert (await first.varz())["jetstream"]["config"]["sync_always"] is True
        pid = first.pid
    assert not is_running(pid)
    async with EmbeddedNats(tmp_path) as second:
        assert (second.url, second.identity.trust.account, second.store_bytes) == kept


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """A port that something else took is an error that names it; nothing is left running or locked."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            await EmbeddedNats(tmp_path, port=port, store_bytes=KEPT_BYTES).__aenter__()
    async with EmbeddedNats(tmp_path, port=port, store_bytes=KEPT_BYTES) as server:
        assert server.url == f"nats://127.0.0.1:{port}"


def is_running(pid: int) -> bool:
    """Whether a process does anything; one that nobody has reaped yet does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def executable(path: Path, script: str) -> str:
    """Write a shell script to stand in for a nats-server."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


async def test_an_old_or_missing_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server below 2.15 and a path without a server are refused before anything starts."""
    monkeypatch.setenv("NATS_SERVER_BIN", executable(tmp_path / "old", "echo 'nats-server: v2.10.29'"))
    with pytest.raises(ServerTooOld, match=r"2\.10\.29.*2\.15"):
        await EmbeddedNats(tmp_path / "a").__aenter__()
    monkeypatch.setenv("NATS_SERVER_BIN", str(tmp_path / "nothing"))
    with pytest.raises(ServerBinaryMissing, match="nothing"):
        await EmbeddedNats(tmp_path / "a").__aenter__()


async def test_a_server_that_does_not_sync_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real server without `sync_interval: always` is stopped again with a reason."""
    real = binary.find()
    script = f'[ "$1" = --version ] || sed -i /sync_interval/d "$2"\nexec {real} "$@"'
    monkeypatch.setenv("NATS_SERVER_BIN", executable(tmp_path / "unsafe", script))
    with pytest.raises(UnsafeServer, match="sync_always"):
        await EmbeddedNats(tmp_path / "a", store_bytes=KEPT_BYTES).__aenter__()
    monkeypatch.delenv("NATS_SERVER_BIN")
    async with EmbeddedNats(tmp_path / "a"):
        pass


async def test_secrets_are_private(broker: Broker, tmp_path: Path) -> None:
    """Keys and configuration are readable by the owner alone, and an opened key file is refused."""
    folder = tmp_path / "nats"
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    files = [*(folder / "keys").iterdir(), folder / "nats-server.conf"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert len(files) == 4
    (folder / "keys" / "account.nk").chmod(0o644)
    with pytest.raises(NatsError, match="chmod 600"):
        NatsIdentity.create(folder)


async def test_a_killed_server_is_started_again(broker: Broker) -> None:
    """The supervisor brings the server back on the same port after each kill -9."""
    url = broker.url
    for _ in range(2):
        await broker.kill()
    assert broker.server.restarts == 2
    assert broker.url == url
    async with connected(url, name="admin", creds=broker.creds("admin")) as admin:
        assert (await api.request(admin, "STREAM.INFO.PUB"))["config"]["name"] == "PUB"


async def test_the_server_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent killed with -9 takes its server along, and the folder can be used again at once."""
    program = (
        "import asyncio, sys; from pathlib import Path; from tapelog_chassis.nats import EmbeddedNats\n"
        "async def main():\n"
        "    async with EmbeddedNats(Path(sys.argv[1]), store_bytes=2**29) as server:\n"
        "        print(server.pid, flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    with pytest.raises(StoreLocked, match=str(parent.pid)):
        await EmbeddedNats(tmp_path).__aenter__()
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with EmbeddedNats(tmp_path):
        assert not is_running(pid)


async def test_drift_is_reported_and_not_repaired(broker: Broker) -> None:
    """A stream or durable with other settings is named with both values and left as it is."""
    admin = await broker.connect("admin")
    await provision(admin, store_bytes=STORE_BYTES)
    config = (await api.request(admin, "STREAM.INFO.ES_SESSION"))["config"]
    await api.request(admin, "STREAM.UPDATE.ES_SESSION", {**config, "max_msg_size": 1000})
    with pytest.raises(TopologyDrift, match=r"ES_SESSION.*max_msg_size is 1000, should be 262144"):
        await provision(admin, store_bytes=STORE_BYTES)
    assert (await api.request(admin, "STREAM.INFO.ES_SESSION"))["config"]["max_msg_size"] == 1000
    await api.request(admin, "STREAM.UPDATE.ES_SESSION", config)
    consumer = (await api.request(admin, "CONSUMER.INFO.ES_RENDER.render-ledger"))["config"]
    body = {"stream_name": "ES_RENDER", "config": {**consumer, "backoff": [10**9]}, "action": "update"}
    await api.request(admin, "CONSUMER.CREATE.ES_RENDER.render-ledger", body)
    with pytest.raises(TopologyDrift, match=r"render-ledger on ES_RENDER.*(ack_wait|backoff)"):
        await provision(admin, store_bytes=STORE_BYTES)


async def test_streams_fit_into_the_store(broker: Broker) -> None:
    """Every stream has a size limit and refuses when full, but the log of attempts; together they fit."""
    admin = await broker.connect("admin")
    streams = (await api.request(admin, "STREAM.LIST"))["streams"]
    forgetful = [stream["config"]["name"] for stream in streams if stream["config"]["discard"] != "new"]
    assert forgetful == [topology.DELIVERIES]
    assert all(stream["config"]["max_bytes"] > 0 for stream in streams)
    assert sum(stream["config"]["max_bytes"] for stream in streams) <= broker.server.store_bytes


async def test_a_job_waits_once(broker: Broker) -> None:
    """A second submit of a job that is still queued is refused, whatever its message id."""
    render = await broker.connect("render")
    answers = [
        json.loads((await render.request("job.render.standard.acme.rj-1", b"{}", timeout=2)).data) for _ in range(2)
    ]
    assert answers[0]["seq"] == 1
    assert answers[1]["error"]["err_code"] == 10077
