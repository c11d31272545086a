"""The broker on its own: the real server takes its configuration, and each part's credentials do what they should."""

import asyncio
import dataclasses
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nats
import pytest
from tapelog_chassis.event_log import AggregateId, JetStreamEventLog, Metadata
from tapelog_chassis.nats import SERVICES, JetStreamApiError, TopologyDrift, Unreachable, api, binary, connected
from tapelog_chassis.nats.config import PINNED_FILE, TRUST_FILE, render_standalone_config
from tapelog_chassis.rpc.grpc_options import CertificatePair
from tapelog_chassis.testing import eventually, new_event
from tapelog_chassis.topology import CONSUMERS, STREAMS
from tapelog_cli.installation.deployment_folder import IN_CONTAINERS, make_deployment

REFERENCE = Path(__file__).parents[2] / "deploy" / "nats" / "nats.conf"
REFERENCE_STORE_BYTES = 64 * 1024**3


def checked(config: Path) -> subprocess.CompletedProcess[str]:
    """Let the real server judge a configuration."""
    return subprocess.run([binary.find(), "-t", "-c", config], capture_output=True, text=True, timeout=30, check=False)


def test_the_reference_configuration_is_what_the_code_makes():
    """The committed file differs from an installation's in nothing but the size of the store."""
    assert REFERENCE.read_text() == render_standalone_config(IN_CONTAINERS, store_bytes=REFERENCE_STORE_BYTES)


def test_the_server_accepts_the_reference_configuration(tmp_path: Path):
    """With its files where the container has them, here elsewhere, nats-server finds nothing wrong."""
    made = tmp_path / "deployment"
    make_deployment(made, form="containers", store_bytes=2**30)
    text = REFERENCE.read_text()
    for place, file in (
        (IN_CONTAINERS.certificate, made / "tls" / "nats.pem"),
        (IN_CONTAINERS.key, made / "tls" / "nats.key"),
        (IN_CONTAINERS.client_ca, made / "tls" / "ca.pem"),
        (IN_CONTAINERS.store_dir, tmp_path / "store"),
    ):
        assert str(place) in text
        text = text.replace(str(place), str(file))
    config = tmp_path / "nats.conf"
    config.write_text(text)
    assert checked(config).returncode != 0, "without the trusted operator the configuration is not complete"
    shutil.copy(made / "nats" / TRUST_FILE, tmp_path)
    assert checked(config).returncode != 0, "without the list of certificates neither"
    shutil.copy(made / "nats" / PINNED_FILE, tmp_path)
    answer = checked(config)
    assert answer.returncode == 0, answer.stderr
    config.write_text(text.replace("max_payload:", "max_paylod:"))
    assert "max_paylod" in checked(config).stderr, "the server's check is strict enough to notice a wrong word"


def test_making_a_deployment_again_keeps_its_keys(tmp_path: Path):
    """Keys, creds and certificates survive a second run; only configuration is written anew, and nothing is open."""
    first = make_deployment(tmp_path / "a", form="containers", store_bytes=2**30)
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    second = make_deployment(tmp_path / "a")
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed == set(), "a running server refuses to reload when its trust differs"
    assert {*first.written} - {*second.kept} == {
        "nats/nats.conf",
        "nats/trust.conf",
        "nats/certificates.conf",
        "nats/cluster.conf",
        "deployment.env",
        "deployment.json",
    }
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "a").rglob("*")} == {0}
    with pytest.raises(Exception, match="leave the size out"):
        make_deployment(tmp_path / "a", form="containers", store_bytes=2**31)


async def test_provisioning_twice_changes_nothing(broker: Any):
    """The second run finds everything as listed; every stream and consumer of the topology is there."""
    await broker.provision()
    async with broker.connected("admin") as admin:
        names = await api.request(admin, "STREAM.NAMES")
        consumers = [await api.request(admin, f"CONSUMER.INFO.{c.stream}.{c.name}") for c in CONSUMERS]
    assert set(names["streams"]) == {stream.name for stream in STREAMS}
    assert len(consumers) == len(CONSUMERS)


async def test_a_stream_that_was_edited_is_reported_not_repaired(broker: Any):
    """Somebody raised a limit by hand: provisioning says which value of which stream, and leaves it."""
    async with broker.connected("admin") as admin:
        config = (await api.request(admin, "STREAM.INFO.PUB"))["config"]
        await api.request(admin, "STREAM.UPDATE.PUB", {**config, "max_age": api.nanoseconds(3600)})
    with pytest.raises(TopologyDrift, match=r"PUB.*max_age"):
        await broker.provision()
    async with broker.connected("admin") as admin:
        config = (await api.request(admin, "STREAM.INFO.PUB"))["config"]
    assert config["max_age"] == api.nanoseconds(3600)


@pytest.mark.parametrize("service", ["session", "render", "notify"])
async def test_a_service_appends_to_its_log(broker: Any, service: str):
    """The creds of a service append to and load from its own context."""
    aggregate = AggregateId(service, "acme", "thing-1")
    async with broker.connected(service) as connection:
        log = JetStreamEventLog(connection)
        stored = await log.append(aggregate, 0, [new_event(service)], Metadata(actor="pty-a", request_id="r-1"))
        assert await log.load(aggregate) == stored


FOREIGN = {
    "session": "es.render.acme.job-1",
    "render": "es.session.acme.sng-1",
    "worker": "es.usage.acme.prj-1",
    "notify": "job.mix.standard.acme.job-1",
    "admin": "es.session.acme.sng-1",
}


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_a_service_may_not_publish_in_anothers_place(broker: Any, service: str):
    """The broker answers with a permissions violation that names the subject; the message is stored nowhere."""
    violations: list[str] = []

    async def note(error: Exception) -> None:
        violations.append(str(error))

    context = ssl.create_default_context(cafile=str(broker.tls / "ca.pem"))
    context.load_cert_chain(broker.pair(service).certificate, broker.pair(service).key)
    creds = broker.folder / "creds" / f"{service}.creds"
    client = await nats.connect(
        broker.url, user_credentials=creds, tls=context, error_cb=note, inbox_prefix=f"_INBOX_{service}"
    )
    try:
        await client.publish(FOREIGN[service], b"forged")
        await client.flush(timeout=5)
        await eventually(lambda: any(FOREIGN[service] in violation for violation in violations))
    finally:
        await client.close()
    async with broker.connected("admin") as admin:
        names = (await api.request(admin, "STREAM.NAMES"))["streams"]
        totals = [(await api.request(admin, f"STREAM.INFO.{name}"))["state"]["messages"] for name in names]
    assert sum(totals) == 0


async def test_nobody_enters_without_credentials_or_in_plain_text(broker: Any):
    """No creds, creds of another installation, an unknown authority: each is refused before anything is said."""
    authority = broker.folder / "tls" / "ca.pem"
    other = broker.folder.parent / "other"
    make_deployment(other, form="containers", store_bytes=2**30)
    creds = broker.folder / "creds" / "admin.creds"
    for refused in (
        {"creds": None, "tls_ca": authority},
        {"creds": other / "creds" / "admin.creds", "tls_ca": authority},
        {"creds": creds, "tls_ca": other / "tls" / "ca.pem"},
    ):
        with pytest.raises(Unreachable):
            async with (
                asyncio.timeout(15),
                connected(broker.url, name="admin", tls_pair=broker.pair("admin"), **refused),
            ):
                pass


async def test_the_store_cannot_be_promised_twice(broker: Any):
    """The account carries the size of the store, so a stream beyond it is refused by the broker itself."""
    async with broker.connected("admin") as admin:
        with pytest.raises(JetStreamApiError, match="storage"):
            await api.request(
                admin,
                "STREAM.CREATE.MORE",
                {"name": "MORE", "subjects": ["more"], "storage": "file", "max_bytes": 2 * 1024**3},
            )


async def test_a_copy_made_while_stopped_is_a_backup(deployment: Any, free_ports: Any, running_broker: Any):
    """The steps of docs/operations.md: stop, copy, `broker-init` at the new place; credentials and events are there."""
    aggregate = AggregateId("session", "acme", "sng-1")
    async with running_broker(deployment):
        await deployment.provision()
        async with deployment.connected("session") as connection:
            log = JetStreamEventLog(connection)
            stored = await log.append(aggregate, 0, [new_event("kept")], Metadata(actor="pty-a", request_id="r-1"))
    restored = dataclasses.replace(deployment, folder=deployment.folder.parent / "restored", nats_port=free_ports(1)[0])
    shutil.copytree(deployment.folder, restored.folder)
    shutil.rmtree(deployment.folder)
    make_deployment(restored.folder, form="processes", nats_port=restored.nats_port, monitor_port=restored.monitor_port)
    async with running_broker(restored):
        await restored.provision()
        async with restored.connected("session") as connection:
            assert await JetStreamEventLog(connection).load(aggregate) == stored


async def test_a_parts_revoked_credentials_end_with_the_reload(broker: Any, tmp_path: Path):
    """`broker-init --revoke render` and SIGHUP: the old creds are out in seconds, the new ones in, others stay."""
    stolen = tmp_path / "stolen.creds"
    shutil.copy(broker.folder / "creds" / "render.creds", stolen)
    pair = CertificatePair(tmp_path / "desk.pem", tmp_path / "desk.key")
    shutil.copy(broker.pair("clients/desk").certificate, pair.certificate)
    shutil.copy(broker.pair("clients/desk").key, pair.key)

    def with_stolen() -> Any:
        return connected(broker.url, name="render", creds=stolen, tls_ca=broker.tls / "ca.pem", tls_pair=pair)

    async with broker.connected("session") as session, with_stolen() as thief:
        make_deployment(broker.folder, revoke=["render"])
        assert (broker.folder / "creds" / "render.creds").read_text() != stolen.read_text()
        begun_s = time.monotonic()
        broker.process.send_signal(signal.SIGHUP)
        await eventually(lambda: not thief.is_connected)
        took_s = time.monotonic() - begun_s
        with pytest.raises(Unreachable):
            async with with_stolen():
                pass
        async with broker.connected("render") as render:
            assert render.is_connected
        assert (session.is_connected, session.stats["reconnects"]) == (True, 0)
    sys.stdout.write(f"revoked creds were out {took_s:.2f} s after the reload\n")
