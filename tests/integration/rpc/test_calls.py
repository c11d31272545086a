"""Calls of every shape through the real builder, and the errors they end with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis.rpc.testing_rpc import LocalServer
from tapelog_client import errors as client_errors
from tapelog_client.errors import from_rpc_error


def text(value: str):
    """Wrap a text."""
    return StringValue(value=value)


async def refused(call: Any):
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def many(*values: str):
    """Send some texts."""
    for value in values:
        yield text(value)


async def test_unary_call_knows_its_caller(local: LocalServer, stub: Any):
    """A unary handler sees the principal that the token proves."""
    answer = await stub.Say(text("who"), metadata=local.tokens.metadata("ana", tenant_roles=["AUDITOR"]))
    assert answer.value == (
        "Principal(tenant='acme', party='ana', kind='person', tenant_roles=frozenset({'AUDITOR'}), on_behalf_of='', "
        "scopes=None)"
    )


async def test_response_stream(local: LocalServer, stub: Any):
    """A server stream arrives whole and in order."""
    call = stub.Count(text("5"), metadata=local.tokens.metadata())
    assert [response.value async for response in call] == ["0", "1", "2", "3", "4"]


async def test_request_stream(local: LocalServer, stub: Any):
    """A client stream arrives whole and in order."""
    answer = await stub.Collect(many("a", "b", "c"), metadata=local.tokens.metadata())
    assert answer.value == "a,b,c"


async def test_both_streams(local: LocalServer, stub: Any):
    """A stream in both directions works."""
    call = stub.Talk(many("a", "b"), metadata=local.tokens.metadata())
    assert [response.value async for response in call] == ["a", "b"]


async def test_precondition_travels_whole(local: LocalServer, stub: Any):
    """Reason, domain, metadata and every violation of a refusal reach the client."""
    error = await refused(stub.Say(text("gate"), metadata=local.tokens.metadata()))
    assert isinstance(error, client_errors.FailedPrecondition)
    assert (error.reason, error.domain, error.metadata) == ("GATE_CLOSED", "desk.tapelog", {"stage": "RECORDING"})
    assert error.message == "the song cannot be mixed yet"
    assert error.violations == (("TAKES_SELECTED", "projects/p/songs/s", "select a take for Lead Vox"),)


async def test_field_violation_travels(local: LocalServer, stub: Any):
    """A wrong field is named with its path."""
    error = await refused(stub.Say(text("field"), metadata=local.tokens.metadata()))
    assert isinstance(error, client_errors.InvalidArgument)
    assert error.fields == (("tracks[3].gain_db", "nan is not a number of dB"),)


async def test_two_hundred_violations_still_arrive(local: LocalServer, stub: Any):
    """A refusal too long for metadata is shortened, counted and still delivered."""
    error = await refused(stub.Say(text("gates"), metadata=local.tokens.metadata()))
    assert error.reason == "GATE_CLOSED"
    assert int(error.metadata["violations_left_out"]) + len(error.violations) == 200
    assert len(error.violations) >= 8


async def test_stream_error_after_messages(local: LocalServer, stub: Any):
    """A stream that fails delivers what came before, then the typed error."""
    call = stub.Count(text("2 fail"), metadata=local.tokens.metadata())
    received = [(await call.read()).value, (await call.read()).value]
    assert (received, (await refused(call.read())).reason) == (["0", "1"], "CURSOR_GONE")


async def test_unexpected_error_leaks_nothing(local: LocalServer, stub: Any, capsys: pytest.CaptureFixture[str]):
    """A defect becomes INTERNAL with an id; its text stays in the log."""
    error = await refused(stub.Say(text("boom"), metadata=local.tokens.metadata()))
    assert isinstance(error, client_errors.Internal)
    assert "swordfish" not in repr(error) + error.message + str(error.metadata)
    logged = capsys.readouterr()
    assert error.metadata["error_id"] in logged.out + logged.err
    assert "swordfish" in logged.out + logged.err


async def test_correlation_id_is_kept(local: LocalServer, stub: Any):
    """A caller's correlation id reaches the handler; a malformed one is replaced."""
    metadata = local.tokens.metadata()
    kept = await stub.Say(text("correlation"), metadata=(*metadata, ("tapelog-correlation-id", "booking-7")))
    replaced = await stub.Say(text("correlation"), metadata=(*metadata, ("tapelog-correlation-id", "a b c")))
    assert kept.value == "booking-7"
    assert len(replaced.value) == 36


async def test_unknown_method_is_unimplemented(local: LocalServer):
    """A method that is not served is UNIMPLEMENTED, not an internal error."""
    error = await refused(local.channel.unary_unary("/tapelog.desk.v1.DeskService/Nothing")(b""))
    assert isinstance(error, client_errors.Unimplemented)


async def test_malformed_message_reaches_no_handler(local: LocalServer, desk: Any):
    """Bytes that are not the request end as a typed status and never run the handler."""
    raw = local.channel.unary_unary("/tapelog.desk.v1.DeskService/Say")
    error = await refused(raw(b"\xff\xff\xff", metadata=local.tokens.metadata()))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert desk.calls == 0


async def test_malformed_message_in_a_stream(local: LocalServer):
    """Bad bytes in the middle of an upload end it as INVALID_ARGUMENT."""

    async def chunks() -> AsyncIterator[bytes]:
        yield text("a").SerializeToString()
        yield b"\xff\xff\xff"

    raw = local.channel.stream_unary("/tapelog.desk.v1.DeskService/Collect")
    error = await refused(raw(chunks(), metadata=local.tokens.metadata()))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


async def test_message_over_four_mib_is_refused(local: LocalServer, stub: Any):
    """A message over the limit is RESOURCE_EXHAUSTED and the connection lives on."""
    error = await refused(stub.Say(text("x" * (5 * 1024 * 1024)), metadata=local.tokens.metadata()))
    assert isinstance(error, client_errors.ResourceExhausted)
    assert (await stub.Say(text("still here"), metadata=local.tokens.metadata())).value == "still here"


async def test_metadata_over_sixteen_kib_is_refused(local: LocalServer, stub: Any, desk: Any):
    """Metadata over the hard limit is RESOURCE_EXHAUSTED before any handler."""
    error = await refused(stub.Say(text("hi"), metadata=(*local.tokens.metadata(), ("x", "y" * 20_000))))
    assert (error.code, desk.calls) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 0)


async def test_parallel_calls_keep_their_callers_apart(local: LocalServer, stub: Any):
    """Eighty calls at once each see their own caller and correlation id."""

    async def one(n: int) -> tuple[str, str]:
        metadata = (*local.tokens.metadata(f"p{n}"), ("tapelog-correlation-id", f"c{n}"))
        who, correlation = await asyncio.gather(
            stub.Say(text("acting"), metadata=metadata), stub.Say(text("correlation"), metadata=metadata)
        )
        return who.value, correlation.value

    answers = await asyncio.gather(*(one(n) for n in range(40)))
    assert [(f"p{n}", f"c{n}") for n in range(40)] == answers
