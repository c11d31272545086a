"""A small service over well-known types, served by the real builder on a real socket."""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis import errors
from tapelog_chassis.auth import MethodPolicy, members, public, services, signed_in, tenant_role
from tapelog_chassis.rpc.request_context import current_principal, current_request
from tapelog_chassis.rpc.testing_rpc import LocalServer, running_server

SERVICE: Final = "tapelog.desk.v1.DeskService"


class Desk:
    """Does what the text asks for, and remembers what became of its handlers."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.left = asyncio.Event()
        self.release = asyncio.Event()
        self.running = 0
        self.calls = 0

    async def say(self, request: StringValue, _context: Any) -> StringValue:
        """Answer one question."""
        self.calls += 1
        answers: dict[str, Callable[[], str]] = {
            "who": lambda: str(current_principal()),
            "acting": lambda: current_principal().acting_party,
            "correlation": lambda: current_request().correlation_id,
            "rpc": lambda: current_request().rpc,
        }
        if request.value in answers:
            return StringValue(value=answers[request.value]())
        if request.value == "wait":
            await self._wait()
            return StringValue(value="waited")
        if request.value == "boom":
            raise RuntimeError("the secret is swordfish")
        if request.value == "gate":
            raise errors.FailedPrecondition(
                "GATE_CLOSED",
                "the song cannot be mixed yet",
                violations=[("TAKES_SELECTED", "projects/p/songs/s", "select a take for Lead Vox")],
                metadata={"stage": "RECORDING"},
            )
        if request.value == "gates":
            violations = [("GATE", f"songs/{n}", "x" * 250) for n in range(200)]
            raise errors.FailedPrecondition("GATE_CLOSED", "many gates", violations=violations)
        if request.value == "field":
            raise errors.InvalidArgument.of_field("tracks[3].gain_db", "nan is not a number of dB")
        return StringValue(value=request.value)

    async def count(self, request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
        """Count up, then wait when asked to."""
        number = int(request.value.split()[0])
        try:
            for n in range(number):
                yield StringValue(value=str(n))
            if "wait" in request.value:
                await self._wait()
            if "fail" in request.value:
                raise errors.OutOfRange("CURSOR_GONE", "the cursor is older than the log")
            if "flood" in request.value:
                while True:
                    yield StringValue(value="x" * 100_000)
        finally:
            self.left.set()

    async def collect(self, requests: AsyncIterator[StringValue], _context: Any) -> StringValue:
        """Join what is sent."""
        return StringValue(value=",".join([request.value async for request in requests]))

    async def talk(self, requests: AsyncIterator[StringValue], _context: Any) -> AsyncIterator[StringValue]:
        """Echo what is sent."""
        async for request in requests:
            yield request

    async def _wait(self) -> None:
        self.running += 1
        self.entered.set()
        try:
            await self.release.wait()
        finally:
            self.running -= 1
            self.left.set()


def add_desk(desk: Desk, server: grpc.aio.Server) -> None:
    """Do what generated code does."""
    codec = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    unary = grpc.unary_unary_rpc_method_handler(desk.say, **codec)
    handlers = dict.fromkeys(("Say", "ForServices", "ForAuditors", "ForPeople", "NoRow", "Open", "Short"), unary)
    handlers["Count"] = grpc.unary_stream_rpc_method_handler(desk.count, **codec)
    handlers["ShortCount"] = handlers["Count"]
    handlers["Collect"] = grpc.stream_unary_rpc_method_handler(desk.collect, **codec)
    handlers["Talk"] = grpc.stream_stream_rpc_method_handler(desk.talk, **codec)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)


POLICIES: Final[dict[str, MethodPolicy]] = {
    f"/{SERVICE}/Say": signed_in(),
    f"/{SERVICE}/Count": signed_in(),
    f"/{SERVICE}/Collect": signed_in(),
    f"/{SERVICE}/Talk": signed_in(),
    f"/{SERVICE}/ForServices": services(),
    f"/{SERVICE}/ForAuditors": tenant_role("AUDITOR"),
    f"/{SERVICE}/ForPeople": members(integration_names_person=False),
    f"/{SERVICE}/Open": public(),
    f"/{SERVICE}/Short": signed_in(deadline_s=0.2),
    f"/{SERVICE}/ShortCount": signed_in(deadline_s=0.3),
}


@dataclasses.dataclass
class Stub:
    """Give the desk's methods on a channel."""

    channel: grpc.aio.Channel

    def __getattr__(self, name: str) -> Any:
        """Return the method of this name."""
        shape = {
            "Count": "unary_stream",
            "ShortCount": "unary_stream",
            "Collect": "stream_unary",
            "Talk": "stream_stream",
        }
        make = getattr(self.channel, shape.get(name, "unary_unary"))
        return make(
            f"/{SERVICE}/{name}",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Undo what a command called in this process has set: lines go to where this test's output goes."""
    structlog.reset_defaults()


@pytest.fixture
def desk() -> Desk:
    """Give a fresh desk."""
    return Desk()


@pytest.fixture
def serve(desk: Desk) -> Callable[..., Any]:
    """Serve the desk with other settings."""

    def serve_with(**changes: Any) -> Any:
        arguments = {"policies": POLICIES, "audience": "desk", **changes}
        return running_server([(add_desk, desk, SERVICE)], **arguments)

    return serve_with


@pytest.fixture
async def local(serve: Callable[..., Any]) -> AsyncIterator[LocalServer]:
    """Give the desk behind a running server."""
    async with serve() as local:
        yield local


@pytest.fixture
def stub(local: LocalServer) -> Stub:
    """Give the desk's methods."""
    return Stub(local.channel)


@pytest.fixture
def stub_of() -> type[Stub]:
    """Give the stub class, for tests that start servers of their own."""
    return Stub


@pytest.fixture
def add() -> Callable[..., None]:
    """Give what adds the desk to a server."""
    return add_desk


@pytest.fixture
def policies() -> dict[str, MethodPolicy]:
    """Give the desk's policy table."""
    return POLICIES


@pytest.fixture
def unused_address() -> str:
    """Give a loopback address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
