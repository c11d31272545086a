"""Deadlines, concurrency limits, cancellation, drain, binding: what keeps a server standing."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tapelog_chassis import telemetry
from tapelog_chassis.errors import ConfigRefusal, InsecureBind, PortInUse
from tapelog_chassis.rpc.grpc_options import ServerConfig, channel_options, is_loopback
from tapelog_chassis.rpc.testing_rpc import LocalServer
from tapelog_client.errors import from_rpc_error


def text(value: str):
    """Wrap a text."""
    return StringValue(value=value)


async def refused(call: Any):
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def drained(call: Any):
    """Read a stream to its error."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    return from_rpc_error(caught.value)


async def until(condition: Callable[[], bool], *, timeout_s: float = 5.0):
    """Poll for a condition, with a deadline."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "condition not met in time"
        await asyncio.sleep(0.01)


async def test_call_without_deadline_gets_the_servers(local: LocalServer, stub: Any, desk: Any):
    """A unary call without a deadline ends at the server's cap, and its handler is gone."""
    error = await refused(stub.Short(text("wait"), metadata=local.tokens.metadata()))
    assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "SERVER_DEADLINE")
    assert desk.running == 0


async def test_a_clients_deadline_ends_the_handler(local: LocalServer, stub: Any, desk: Any):
    """A call whose deadline passes leaves no handler behind."""
    error = await refused(stub.Say(text("wait"), metadata=local.tokens.metadata(), timeout=0.2))
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(desk.left.wait(), 1.0)
    assert desk.running == 0


async def test_cancel_ends_the_handler_within_a_second(local: LocalServer, stub: Any, desk: Any):
    """A cancelled stream runs its handler's clean-up at once."""
    call = stub.Count(text("1 wait"), metadata=local.tokens.metadata())
    assert (await call.read()).value == "0"
    await desk.entered.wait()
    call.cancel()
    await asyncio.wait_for(desk.left.wait(), 1.0)


async def test_stream_age_ends_a_stream_with_a_cursor_message(local: LocalServer, stub: Any, desk: Any):
    """A stream that reaches its age ends UNAVAILABLE with a time to come back."""
    error = await drained(stub.ShortCount(text("1 wait"), metadata=local.tokens.metadata()))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_AGE_REACHED")
    assert error.retry_after_s == pytest.approx(0.2)
    assert desk.left.is_set()


async def test_stream_age_ends_a_write_to_a_slow_reader(local: LocalServer, stub: Any, desk: Any):
    """A handler that waits for a reader who does not read is ended by the stream's age."""
    call = stub.ShortCount(text("1 flood"), metadata=local.tokens.metadata())
    assert (await call.read()).value == "0"
    await asyncio.wait_for(desk.left.wait(), 3.0)
    call.cancel()


async def test_unary_and_streaming_limits_are_counted_apart(serve: Any, stub_of: Any, desk: Any):
    """Streams at their limit are shed with RetryInfo while unary calls go on, and the other way round."""
    async with serve(config=ServerConfig(unary_calls_max=2, streaming_calls_max=3, drain_s=0.2)) as local:
        stub, metadata = stub_of(local.channel), local.tokens.metadata()
        streams = [stub.Count(text("1 wait"), metadata=metadata) for _ in range(3)]
        for stream in streams:
            await stream.read()
        error = await drained(stub.Count(text("1"), metadata=metadata))
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        assert error.retry_after_s == pytest.approx(0.5)
        assert error.metadata == {"shape": "streaming", "limit": "3"}
        assert (await stub.Say(text("hi"), metadata=metadata)).value == "hi"
        calls = [asyncio.ensure_future(stub.Say(text("wait"), metadata=metadata)) for _ in range(2)]
        await until(lambda: desk.running == 5)
        assert (await refused(stub.Say(text("hi"), metadata=metadata))).metadata["shape"] == "unary"
        desk.release.set()
        assert [answer.value for answer in await asyncio.gather(*calls)] == ["waited", "waited"]
        assert (await stub.Say(text("hi"), metadata=metadata)).value == "hi"
        for stream in streams:
            stream.cancel()


async def test_health_is_per_service_and_needs_no_token(local: LocalServer):
    """Health answers for the server and for each service, and knows no other."""
    health = health_pb2_grpc.HealthStub(local.channel)
    for name in ("", "tapelog.desk.v1.DeskService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    error = await refused(health.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert error.code is grpc.StatusCode.NOT_FOUND


async def test_drain_lets_calls_finish_and_ends_streams(serve: Any, stub_of: Any, desk: Any):
    """At a drain health says NOT_SERVING, open streams end with DRAINING, and a running call gets its answer."""
    async with serve() as local:
        stub, metadata = stub_of(local.channel), local.tokens.metadata()
        watch = health_pb2_grpc.HealthStub(local.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stream = stub.Count(text("1 wait"), metadata=metadata)
        await stream.read()
        call = asyncio.ensure_future(stub.Say(text("wait"), metadata=metadata))
        await until(lambda: desk.running == 2)
        drain = asyncio.create_task(local.server.drain(5.0))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        error = await refused(stream.read())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        desk.release.set()
        assert (await call).value == "waited"
        await asyncio.wait_for(drain, 3.0)


async def test_drain_cuts_what_outlasts_the_grace(serve: Any, stub_of: Any, desk: Any):
    """A call that does not end within the grace is cut, and the drain ends."""
    async with serve() as local:
        call = asyncio.ensure_future(stub_of(local.channel).Say(text("wait"), metadata=local.tokens.metadata()))
        await desk.entered.wait()
        await asyncio.wait_for(local.server.drain(0.1), 3.0)
        assert (await refused(call)).code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_port_in_use_is_a_typed_refusal(serve: Any, local: LocalServer):
    """A second server on the same port refuses with the port and what to do."""
    with pytest.raises(PortInUse, match=f"port {local.server.port} .* is in use") as caught:
        async with serve(config=ServerConfig(port=local.server.port)):
            pass
    assert caught.value.port == local.server.port


async def test_foreign_address_is_refused_with_the_reason(serve: Any):
    """An address that is not of this machine is named in the refusal."""
    with pytest.raises(ConfigRefusal, match=r"127\.0\.0\.1x"):
        async with serve(config=ServerConfig(host="127.0.0.1x")):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "studio.example", ""])  # noqa: S104 - refused
async def test_bind_beyond_loopback_needs_tls(serve: Any, host: str):
    """Nothing but loopback is listened on without TLS."""
    with pytest.raises(InsecureBind, match="without TLS"):
        async with serve(config=ServerConfig(host=host)):
            pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "unix:/run/x.sock"])
def test_loopback_hosts(host: str):
    """Loopback addresses and sockets in the file system count as this machine."""
    assert is_loopback(host)


async def test_unix_socket(serve: Any, stub_of: Any, tmp_path: Path):
    """A server can listen on a socket in the file system."""
    async with serve(config=ServerConfig(host=f"unix:{tmp_path}/desk.sock", drain_s=0.5)) as local:
        stub = stub_of(local.channel)
        assert (await stub.Say(text("hi"), metadata=local.tokens.metadata())).value == "hi"


async def test_reflection_only_when_asked_for(serve: Any, local: LocalServer):
    """The API's description is served in development and unknown otherwise."""

    async def ask(channel: Any) -> list[str]:
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
        return [service.name async for answer in call for service in answer.list_services_response.service]

    async with serve(config=ServerConfig(reflection=True, drain_s=0.2)) as open_server:
        assert "tapelog.desk.v1.DeskService" in await ask(open_server.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(local.channel)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_silent_connection_is_closed(local: LocalServer):
    """A peer that connects and says nothing is closed by the handshake timeout, while calls go on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", local.server.port)
    start_s = time.monotonic()
    try:
        async with asyncio.timeout(8.0):
            while await reader.read(4096):
                pass
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    assert time.monotonic() - start_s < 6.5


def test_options_are_the_written_ones():
    """The limits of the security page are the limits of the builder."""
    options = dict(channel_options())
    assert options["grpc.max_receive_message_length"] == 4 * 1024 * 1024
    assert options["grpc.max_concurrent_streams"] == 100
    assert options["grpc.so_reuseport"] == 0
    assert options["grpc.http2.max_ping_strikes"] == 2
    assert options["grpc.absolute_max_metadata_size"] == 16 * 1024
    assert options["grpc.server_handshake_timeout_ms"] == 5000
    assert options["grpc.compression_enabled_algorithms_bitset"] == 1


async def test_calls_are_counted_by_code(local: LocalServer, stub: Any):
    """Every call is counted under its method and status code."""
    method = "/tapelog.desk.v1.DeskService/Say"

    def count(code: str) -> float:
        return telemetry.RPCS_HANDLED.labels(method, code)._value.get()

    before = {code: count(code) for code in ("OK", "FAILED_PRECONDITION", "UNAUTHENTICATED", "INTERNAL")}
    await stub.Say(text("hi"), metadata=local.tokens.metadata())
    await refused(stub.Say(text("gate"), metadata=local.tokens.metadata()))
    await refused(stub.Say(text("boom"), metadata=local.tokens.metadata()))
    await refused(stub.Say(text("hi")))
    await until(lambda: all(count(code) == before[code] + 1 for code in before))
