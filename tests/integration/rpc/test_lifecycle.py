"""A service's process: readiness, signals, exit codes."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

PROGRAM = Path(__file__).with_name("service_process.py")


@contextlib.asynccontextmanager
async def process(kind: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the program; kill what is left of it."""
    environment = {**os.environ, **{f"TAPELOG_{name.upper()}": value for name, value in settings.items()}}
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), kind, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def line_with(child: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """Read log lines up to the one of this event."""
    assert child.stderr is not None
    async with asyncio.timeout(20):
        async for line in child.stderr:
            fields: dict[str, Any] = json.loads(line)
            if fields["event"] == event:
                return fields
    raise AssertionError(f"no line {event!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_a_service_in_order(number: signal.Signals):
    """A ready service answers health, and after a signal it stops with 0."""
    async with process("serve") as child:
        address = (await line_with(child, "ready"))["address"]
        async with grpc.aio.insecure_channel(address) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        child.send_signal(number)
        assert (await line_with(child, "stopped"))["service"] == "desk"
        assert await asyncio.wait_for(child.wait(), 10) == 0


async def test_a_stop_that_takes_too_long_is_cut():
    """A service that does not end after its signal is cancelled and exits with 1."""
    async with process("hang") as child:
        await line_with(child, "ready")
        child.terminate()
        assert (await line_with(child, "stop took too long and was cut"))["limit_s"] == pytest.approx(1.0)
        assert await asyncio.wait_for(child.wait(), 10) == 1


async def test_a_second_signal_hurries():
    """A second signal does not wait for the limit."""
    async with process("hang") as child:
        await line_with(child, "ready")
        child.send_signal(signal.SIGINT)
        await line_with(child, "stopping")
        child.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(child.wait(), 10) == 1


@pytest.mark.parametrize("kind", ["refuse", "refuse-in-group"])
async def test_a_refused_configuration_exits_78(kind: str):
    """A configuration that cannot work ends with 78 and one line without a traceback."""
    async with process(kind) as child:
        line = await line_with(child, "configuration refused")
        assert line["detail"] == "no such broker"
        assert "exception" not in line
        assert await asyncio.wait_for(child.wait(), 10) == 78


async def test_a_wrong_setting_exits_78():
    """A setting out of range is named in the line and ends with 78."""
    async with process("serve", port="99999") as child:
        assert "port" in (await line_with(child, "configuration refused"))["detail"]
        assert await asyncio.wait_for(child.wait(), 10) == 78


async def test_a_bind_beyond_loopback_exits_78():
    """Listening on every interface without TLS is refused with the reason."""
    async with process("serve", host="0.0.0.0") as child:  # noqa: S104 - refused
        assert "without TLS" in (await line_with(child, "configuration refused"))["detail"]
        assert await asyncio.wait_for(child.wait(), 10) == 78


async def test_a_port_in_use_exits_78():
    """A second process on the same port says so and ends with 78."""
    async with process("serve") as first:
        port = (await line_with(first, "ready"))["address"].rpartition(":")[2]
        async with process("serve", port=port) as second:
            assert f"port {port}" in (await line_with(second, "configuration refused"))["detail"]
            assert await asyncio.wait_for(second.wait(), 10) == 78


async def test_a_crash_exits_1_with_its_traceback_in_the_log():
    """A defect ends with 1 and a structured line that holds the traceback."""
    async with process("crash") as child:
        assert "swordfish" in json.dumps(await line_with(child, "crashed"))
        assert await asyncio.wait_for(child.wait(), 10) == 1
