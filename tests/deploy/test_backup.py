"""Backups of parts that run on their own: a broker that runs, audio in a bucket, and a new folder that goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tapelog_chassis.anchors import LogGuard, journal_path, read_journal
from tapelog_chassis.event_log import AggregateId, JetStreamEventLog, Metadata
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.testing import eventually, new_event
from tapelog_cli.commands.backup import backup, restore
from tapelog_cli.commands.verify import verify
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.installation.deployment_folder import make_deployment
from tapelog_cli.installation.maintenance import broker_of

from .conftest import STORE_BYTES, Deployment, run_broker, take_free_ports

SONG = AggregateId("session", "acme", "sng-1")
WHO = Metadata(actor="pty-ana")
BUCKET = "tapelog-audio"
EVENTS = 20


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve S3 on a free port, as the environment says; return the URL of an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    for name, value in {**keys, "AWS_ENDPOINT": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test",
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    yield f"s3://{BUCKET}"
    server.stop()


async def append(deployment: Deployment, count: int, *, first: int = 0) -> None:
    """Append events as the session service does, and have them anchored where it has its journals."""
    own = deployment.folder / "state" / "session"
    path = journal_path(own / "anchors", "session")
    async with deployment.connected("session") as connection:
        log = JetStreamEventLog(connection)
        guard = LogGuard(log, own / "anchors", ("session",), delay_s=0.02, key_folder=own / "anchor-keys")
        await guard.check()
        running = asyncio.create_task(guard.run())
        for number in range(first, first + count):
            await log.append(SONG, number, [new_event(str(number))], WHO)
        await eventually(lambda: bool(found := read_journal(path, "session")) and found[-1].events == first + count)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_deployment_is_backed_up_while_its_broker_runs(
    deployment: Deployment, bucket: str, tmp_path: Path
) -> None:
    """Log, keys and journals of the folder, audio of the bucket; restored elsewhere, the log goes on and verifies."""
    copy, new = tmp_path / "copy", tmp_path / "new"
    audio = tmp_path / "audio"
    audio.write_bytes(b"somebody sings" * 1000)
    stored = await ObjectStore(bucket).put_file(audio)
    async with run_broker(deployment):
        await deployment.provision()
        await append(deployment, EVENTS)
        assert await backup(to=copy, data_dir=deployment.folder, object_url=bucket, json=True) == ExitCode.OK
        assert await verify(data_dir=deployment.folder, objects=True, object_url=bucket, json=True) == ExitCode.OK
    assert await restore(source=copy, data_dir=new, json=True) == ExitCode.OK
    assert await ObjectStore(str(new / "state" / "objects")).exists(stored.sha256)
    assert not (new / "state" / "restoring").exists()

    nats_port, monitor_port = take_free_ports(2)
    make_deployment(new, nats_port=nats_port, monitor_port=monitor_port, store_bytes=STORE_BYTES)
    second = Deployment(new, nats_port, monitor_port)
    async with run_broker(second):
        await append(second, 3, first=EVENTS)
        assert await verify(data_dir=new, objects=True, json=True) == ExitCode.OK
        async with broker_of(new) as connection:
            events = [event async for event in JetStreamEventLog(connection).read_all("session")]
    assert [event.position for event in events] == list(range(1, EVENTS + 4))
