"""More unary calls than a server has room for: few are refused by name, the others by the transport, health never."""

import asyncio
from collections import Counter
from typing import Any, Final

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis import telemetry
from tapelog_chassis.rpc import front_door
from tapelog_chassis.rpc.front_door import DoorServer
from tapelog_chassis.rpc.grpc_options import ServerConfig
from tapelog_client.errors import from_rpc_error

CONNECTIONS: Final = 16
OWN_CONNECTION: Final = (("grpc.use_local_subchannel_pool", 1),)
SLOTS: Final = 2
WAIT: Final = StringValue(value="wait")


async def code_of(call: Any) -> str:
    """Return what a call ended with: OK, the reason it was refused for, or the code."""
    try:
        await call
    except grpc.aio.AioRpcError as failure:
        return from_rpc_error(failure).reason or failure.code().name
    return "OK"


def test_grpcio_is_the_one_that_the_door_is_made_for():
    """What the door replaces and uses of grpcio exists: a version without it would serve without a door."""
    for name in ("_request_call", "_request_registered_call"):
        assert hasattr(cygrpc.AioServer, name)
    assert callable(cygrpc._send_error_status_from_server)
    assert issubclass(DoorServer, grpc.aio.Server)


async def test_a_crowd_is_kept_at_the_door(serve: Any, stub_of: Any, desk: Any):
    """Nobody leaves and ever more come, on 16 connections: some are refused by name, then the transport ends calls.

    Health and streams have their own entrances and are answered meanwhile; when the calls inside go on, each of them
    gets its answer, and the next one that comes too.
    """
    shed = telemetry.RPCS_SHED.labels("unary")._value
    before = shed.get()
    async with serve(config=ServerConfig(unary_calls_max=SLOTS, drain_s=0.2)) as local:
        channels = [grpc.aio.insecure_channel(local.server.address, options=OWN_CONNECTION) for _ in range(CONNECTIONS)]
        metadata, calls = local.tokens.metadata(), []
        stubs = [stub_of(channel) for channel in channels]
        async with asyncio.timeout(60.0):
            while not {"TOO_MANY_CALLS", "CANCELLED"} <= {call.result() for call in calls if call.done()}:
                calls += [asyncio.create_task(code_of(stub.Say(WAIT, metadata=metadata))) for stub in stubs * 4]
                await asyncio.sleep(0.02)
        health = health_pb2_grpc.HealthStub(channels[0])
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10.0)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        count = stubs[0].Count(StringValue(value="2"), metadata=metadata, timeout=10.0)
        assert [one.value async for one in count] == ["0", "1"]
        assert desk.running == SLOTS
        desk.release.set()
        codes = Counter(await asyncio.gather(*calls))
        assert await code_of(stubs[0].Say(StringValue(value="hi"), metadata=metadata)) == "OK"
        await asyncio.gather(*(channel.close() for channel in channels))
    assert set(codes) == {"OK", "TOO_MANY_CALLS", "CANCELLED"}
    assert codes["OK"] >= SLOTS
    assert shed.get() - before == codes["TOO_MANY_CALLS"]


def test_refusals_by_name_follow_what_is_let_in():
    """After the first few at once: one for five calls that were let in, and one for each fiftieth of a second."""
    budget = front_door.Budget()
    at_once = sum(budget.take() == 0 for _ in range(200))
    assert front_door.REFUSALS_AT_ONCE <= at_once < 2 * front_door.REFUSALS_AT_ONCE
    assert 0 < budget.take() <= 1 / front_door.REFUSALS_PER_S
    for _ in range(50):
        budget.earn()
    assert sum(budget.take() == 0 for _ in range(10)) == pytest.approx(10)
