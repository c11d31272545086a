"""The client's base: identity, request_ids over retries, deadlines, typed errors, against real servers."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog.session.v1.resources_pb2 import Project
from tapelog.session.v1.session_service_pb2 import CreateProjectRequest, GetProjectRequest
from tapelog_chassis import errors
from tapelog_chassis.auth import LocalIssuer, TokenVerifier, signed_in
from tapelog_chassis.auth.issuer import JWKS_FILE
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.rpc.grpc_options import ServerConfig
from tapelog_chassis.rpc.testing_rpc import LocalServer, TokenFactory, running_server
from tapelog_client import errors as client_errors
from tapelog_client.calls import ATTEMPTS_MAX, Calls, with_request_id
from tapelog_client.channel import open_channel
from tapelog_client.tokens import LocalKeyTokenSource, StaticTokenSource

METHOD = "/tapelog.session.v1.SessionService/CreateProject"


class Projects:
    """Fails as often as told, then answers with the request_ids it saw."""

    def __init__(self, *failures: errors.ServiceError) -> None:
        self.failures = list(failures)
        self.seen: list[str] = []
        self.times: list[float] = []

    async def create(self, request: CreateProjectRequest, _context: Any) -> Project:
        """Fail or answer."""
        self.seen.append(request.request_id)
        self.times.append(time.monotonic())
        if self.failures:
            raise self.failures.pop(0)
        return Project(title=request.title)


class CountingTokens:
    """One token, and an event once a second attempt has asked for it."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._count = 0
        self.tried_twice = asyncio.Event()

    def token(self) -> str:
        """Return the token."""
        self._count += 1
        if self._count == 2:
            self.tried_twice.set()
        return self._token


def add_projects(projects: Projects, server: grpc.aio.Server) -> None:
    """Serve one method of the generated service."""
    handler = grpc.unary_unary_rpc_method_handler(
        projects.create,
        request_deserializer=CreateProjectRequest.FromString,
        response_serializer=Project.SerializeToString,
    )
    service = "tapelog.session.v1.SessionService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"CreateProject": handler}),))


def method_of(channel: grpc.aio.Channel) -> Any:
    """Return the method on a channel."""
    return channel.unary_unary(
        METHOD, request_serializer=CreateProjectRequest.SerializeToString, response_deserializer=Project.FromString
    )


async def attempt(projects: Projects, *, timeout_s: float = 10.0) -> Any:
    """Make one call through the client to a server of its own."""
    service = (add_projects, projects, "tapelog.session.v1.SessionService")
    async with (
        running_server([service], policies={METHOD: signed_in()}, audience="session") as local,
        open_channel(local.server.address) as channel,
    ):
        calls = Calls(StaticTokenSource(local.tokens.token()), seed=1)
        return await calls.unary(method_of(channel), CreateProjectRequest(title="Blue"), timeout_s=timeout_s)


async def test_one_request_id_over_all_attempts():
    """An empty request_id is filled in once and is the same in every attempt."""
    away = errors.Unavailable("LOG_UNAVAILABLE", "m")
    projects = Projects(away, away, away)
    assert (await attempt(projects)).title == "Blue"
    assert len(projects.seen) == 4
    assert len(set(projects.seen)) == 1
    assert uuid.UUID(projects.seen[0]).version == 4


async def test_retry_info_is_waited_for():
    """The next attempt comes no sooner than the service asked."""
    projects = Projects(errors.ResourceExhausted("TOO_MANY_CALLS", "m", retry_after_s=0.4))
    await attempt(projects)
    assert projects.times[1] - projects.times[0] >= 0.4


@pytest.mark.parametrize(
    "failure",
    [errors.NotFound("NO", "m"), errors.Aborted("ETAG_MISMATCH", "m"), errors.ResourceExhausted("QUOTA", "m")],
    ids=lambda failure: failure.reason,
)
async def test_what_a_retry_cannot_mend_is_not_retried(failure: errors.ServiceError):
    """A refusal without a time to come back is final at the first attempt."""
    projects = Projects(failure)
    with pytest.raises(client_errors.TapelogApiError) as caught:
        await attempt(projects)
    assert (caught.value.reason, len(projects.seen)) == (failure.reason, 1)


async def test_attempts_are_bounded():
    """A service that stays away is asked a bounded number of times within the timeout."""
    projects = Projects(*[errors.Unavailable("LOG_UNAVAILABLE", "m")] * 100)
    with pytest.raises(client_errors.Unavailable):
        await attempt(projects, timeout_s=2.0)
    assert 3 <= len(projects.seen) <= 2 * ATTEMPTS_MAX


async def test_nobody_there_is_typed_and_in_time(unused_address: str):
    """A call to a port where nobody listens ends within its timeout, with a hint."""
    start_s = time.monotonic()
    async with open_channel(unused_address) as channel:
        with pytest.raises(client_errors.TapelogApiError) as caught:
            await Calls(StaticTokenSource("t")).unary(method_of(channel), CreateProjectRequest(), timeout_s=1.0)
    assert isinstance(caught.value, client_errors.Unavailable)
    assert "tapelog up" in caught.value.hint
    assert time.monotonic() - start_s < 3.0


async def test_a_call_survives_the_service_coming_back(unused_address: str):
    """A call that is made while the service is down is answered once it is up."""
    port = int(unused_address.rpartition(":")[2])
    projects = Projects()
    service = (add_projects, projects, "tapelog.session.v1.SessionService")
    tokens = TokenFactory(audience="session")
    async with open_channel(unused_address) as channel:
        source = CountingTokens(tokens.token())
        waiting = asyncio.create_task(Calls(source).unary(method_of(channel), CreateProjectRequest(title="Blue")))
        await source.tried_twice.wait()
        config = ServerConfig(port=port, drain_s=0.5)
        async with running_server(
            [service], policies={METHOD: signed_in()}, audience="session", config=config, tokens=tokens
        ):
            assert (await asyncio.wait_for(waiting, 15)).title == "Blue"


async def test_streams_and_uploads(local: LocalServer, stub: Any):
    """Streams are read, uploads are sent, and their errors are typed."""
    calls = Calls(StaticTokenSource(local.tokens.token("bridge", kind="integration")), on_behalf_of="ben")

    async def chunks() -> AsyncIterator[StringValue]:
        yield StringValue(value="a")
        yield StringValue(value="b")

    assert [r.value async for r in calls.stream(stub.Count, StringValue(value="3"))] == ["0", "1", "2"]
    assert (await calls.upload(stub.Collect, chunks())).value == "a,b"
    assert (await calls.unary(stub.Say, StringValue(value="acting"))).value == "ben"
    with pytest.raises(client_errors.OutOfRange):
        [r async for r in calls.stream(stub.Count, StringValue(value="1 fail"))]


async def test_leaving_a_stream_cancels_it(local: LocalServer, stub: Any, desk: Any):
    """A reader that goes away leaves no handler behind."""
    calls = Calls(StaticTokenSource(local.tokens.token()))
    async with contextlib.aclosing(calls.stream(stub.Count, StringValue(value="1 wait"))) as stream:
        async for _ in stream:
            break
    await asyncio.wait_for(desk.left.wait(), 2.0)


async def test_correlation_id_travels(local: LocalServer, stub: Any):
    """A caller's correlation id reaches the handler."""
    calls = Calls(StaticTokenSource(local.tokens.token()))
    answer = await calls.unary(stub.Say, StringValue(value="correlation"), correlation_id="booking-7")
    assert answer.value == "booking-7"


def test_a_given_request_id_is_kept():
    """A request_id of the caller's stays; a request without the field is left alone; the original is not changed."""
    own = CreateProjectRequest(request_id="mine")
    empty = CreateProjectRequest()
    read = GetProjectRequest(name="projects/p")
    assert with_request_id(own).request_id == "mine"
    assert with_request_id(read) == read
    assert with_request_id(empty).request_id
    assert empty.request_id == ""


def test_local_tokens_are_refreshed_before_they_expire(tmp_path: Path):
    """A token source gives the same token while it is fresh, and a new one well before its end."""
    clock = FakeClock()
    LocalIssuer.open(tmp_path, create=True, clock=clock)
    source = LocalKeyTokenSource(tmp_path, tenant="acme", party="ana", clock=clock)
    verifier = TokenVerifier.from_file(tmp_path / JWKS_FILE, audience="render", clock=clock)
    first = source.token()
    clock.advance(700)
    assert source.token() == first
    clock.advance(100)
    second = source.token()
    assert second != first
    assert verifier.verify(second).party == "ana"
    clock.advance(100_000)
    assert verifier.verify(source.token()).tenant == "acme"


def test_token_sources_hide_their_tokens(tmp_path: Path):
    """The repr of a token source shows who it is and not the token."""
    LocalIssuer.open(tmp_path, create=True)
    source = LocalKeyTokenSource(tmp_path, tenant="acme", party="ana")
    token = source.token()
    assert token not in repr(source)
    assert token not in repr(StaticTokenSource(token))
    assert token not in repr(Calls(StaticTokenSource(token)))
