"""`tapelog broker-init` and `tapelog provision`, as a person runs them: output, exit codes, what a repeat does."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tapelog_chassis.nats import api
from tapelog_chassis.topology import CONSUMERS, STREAMS


async def tapelog(*arguments: object, environment: dict[str, str]) -> tuple[int, str, str]:
    """Run the command line and return exit code, output and errors."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tapelog_cli",
        *map(str, arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode is not None
    return child.returncode, output.decode(), errors.decode()


async def test_broker_init_says_what_it_made_and_repeats_safely(tmp_path: Path, without_settings: dict[str, str]):
    """The first run writes everything, the second keeps every key; a wrong size afterwards is refused with 78."""
    arguments = ("broker-init", "--out", tmp_path / "made", "--store-bytes", 2**30, "--json")
    code, output, errors = await tapelog(*arguments, environment=without_settings)
    assert (code, errors) == (0, "")
    assert {"creds/admin.creds", "tls/session.pem", "nats/nats.conf"} <= set(json.loads(output)["written"])
    code, output, _ = await tapelog(*arguments, environment=without_settings)
    assert code == 0
    assert {"creds/admin.creds", "tls/session.pem"} <= set(json.loads(output)["kept"])
    code, _, errors = await tapelog(
        "broker-init", "--out", tmp_path / "made", "--store-bytes", 2**31, environment=without_settings
    )
    assert code == 78
    assert "leave the size out" in errors


async def test_provision_reads_its_settings_from_the_environment(broker: Any, without_settings: dict[str, str]):
    """As in the compose file: five variables and no arguments; the answer counts what stands."""
    environment = without_settings | {
        "TAPELOG_NATS_URL": broker.url,
        "TAPELOG_NATS_CREDS": str(broker.folder / "creds" / "admin.creds"),
        "TAPELOG_NATS_TLS_CA": str(broker.folder / "tls" / "ca.pem"),
        "TAPELOG_CLIENT_CERTIFICATE": str(broker.pair("admin").certificate),
        "TAPELOG_CLIENT_KEY": str(broker.pair("admin").key),
    }
    code, output, errors = await tapelog("provision", "--json", environment=environment)
    assert (code, errors) == (0, "")
    assert json.loads(output) == {"streams": len(STREAMS), "consumers": len(CONSUMERS), "store_bytes": 2 * 1024**3}


async def test_drift_is_a_wrong_set_up(broker: Any, without_settings: dict[str, str]):
    """A consumer somebody edited by hand is exit code 78 with the value found and the value listed."""
    consumer = CONSUMERS[0]
    async with broker.connected("admin") as admin:
        name = f"{consumer.stream}.{consumer.name}"
        config = (await api.request(admin, f"CONSUMER.INFO.{name}"))["config"]
        body = {"stream_name": consumer.stream, "config": {**config, "max_ack_pending": 7}, "action": "update"}
        await api.request(admin, f"CONSUMER.CREATE.{name}", body)
    arguments = ("--creds", broker.folder / "creds" / "admin.creds", "--tls-ca", broker.tls / "ca.pem")
    pair = broker.pair("admin")
    arguments += ("--certificate", pair.certificate, "--key", pair.key)
    code, _, errors = await tapelog(
        "provision", "--nats-url", broker.url, *arguments, "--json", environment=without_settings
    )
    assert code == 78
    told = json.loads(errors)
    assert told["error"] == "TopologyDrift"
    assert f"max_ack_pending is 7, should be {consumer.max_ack_pending}" in told["message"]


async def test_a_broker_that_is_away_is_unavailable(deployment: Any, without_settings: dict[str, str]):
    """Nobody listens: exit code 3, the address, and what to do."""
    arguments = (
        "--creds",
        deployment.folder / "creds" / "admin.creds",
        "--tls-ca",
        deployment.folder / "tls" / "ca.pem",
    )
    code, _, errors = await tapelog("provision", "--nats-url", deployment.url, *arguments, environment=without_settings)
    assert code == 3
    assert deployment.url in errors
    assert "start the broker first" in errors


async def test_the_creds_of_a_service_do_not_provision(broker: Any, without_settings: dict[str, str]):
    """With the session's creds nothing is created and the command ends with 3; it does not hang."""
    arguments = ("--creds", broker.folder / "creds" / "session.creds", "--tls-ca", broker.folder / "tls" / "ca.pem")
    code, _, errors = await tapelog("provision", "--nats-url", broker.url, *arguments, environment=without_settings)
    assert code == 3, errors
    code, _, errors = await tapelog(
        "provision", "--nats-url", broker.url, "--creds", broker.folder / "no.creds", environment=without_settings
    )
    assert code == 1
    assert "no.creds" in errors
