"""Who may call what: the policy table and the tokens, over a real socket."""

from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis.rpc.testing_rpc import LocalServer
from tapelog_client.errors import from_rpc_error


async def outcome(call: Any):
    """Return the answer's text, or the reason of the refusal."""
    try:
        return (await call).value
    except grpc.aio.AioRpcError as failure:
        return from_rpc_error(failure).reason


PERSON = {"kind": "person"}
INTEGRATION = {"kind": "integration"}
ACTING = {"kind": "integration", "on_behalf_of": "ben"}
SERVICE = {"kind": "service"}
AUDITOR = {"kind": "person", "tenant_roles": ["AUDITOR", "BILLING_READER"]}


@pytest.mark.parametrize(
    ("method", "caller", "expected"),
    [
        ("Say", PERSON, "hi"),
        ("Say", ACTING, "hi"),
        ("Say", INTEGRATION, "ON_BEHALF_OF_MISSING"),
        ("Say", SERVICE, "hi"),
        ("Say", None, "TOKEN_MISSING"),
        ("NoRow", PERSON, "NO_POLICY"),
        ("NoRow", SERVICE, "NO_POLICY"),
        ("NoRow", None, "NO_POLICY"),
        ("ForServices", SERVICE, "hi"),
        ("ForServices", PERSON, "CALLER_KIND_DENIED"),
        ("ForServices", ACTING, "CALLER_KIND_DENIED"),
        ("ForAuditors", AUDITOR, "hi"),
        ("ForAuditors", PERSON, "TENANT_ROLE_MISSING"),
        ("ForAuditors", SERVICE, "hi"),
        ("ForPeople", PERSON, "hi"),
        ("ForPeople", INTEGRATION, "hi"),
        ("ForPeople", SERVICE, "CALLER_KIND_DENIED"),
        ("Open", None, "hi"),
    ],
)
async def test_policy_matrix(local: LocalServer, desk: Any, method: str, caller: Any, expected: str):
    """Each kind of caller gets into exactly the methods that its row allows, and a refused call runs no handler."""
    metadata = () if caller is None else local.tokens.metadata("ana", **caller)
    call = local.channel.unary_unary(
        f"/tapelog.desk.v1.DeskService/{method}",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    assert await outcome(call(StringValue(value="hi"), metadata=metadata)) == expected
    assert desk.calls == (expected == "hi")


async def test_integration_acts_for_the_party_it_names(local: LocalServer, stub: Any):
    """The acting party of an integration is the person named in the call."""
    metadata = local.tokens.metadata("daw-bridge", kind="integration", on_behalf_of="ben")
    assert await outcome(stub.Say(StringValue(value="acting"), metadata=metadata)) == "ben"


async def test_person_cannot_act_for_another(local: LocalServer, stub: Any):
    """A person who names another party is refused."""
    metadata = local.tokens.metadata("ana", on_behalf_of="ben")
    assert await outcome(stub.Say(StringValue(value="acting"), metadata=metadata)) == "ON_BEHALF_OF_DENIED"


async def test_token_bound_to_a_party_cannot_change_it(local: LocalServer, stub: Any):
    """An integration whose token names its person cannot name another."""
    token = local.tokens.issuer.mint(
        audiences=["desk"], tenant="acme", party="bridge", kind="integration", on_behalf_of="ben"
    )
    metadata = (("authorization", f"Bearer {token}"), ("tapelog-on-behalf-of", "cleo"))
    assert await outcome(stub.Say(StringValue(value="acting"), metadata=metadata)) == "ON_BEHALF_OF_DENIED"


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "bogus"])
async def test_other_schemes_are_refused(stub: Any, header: str):
    """Only `Bearer <token>` is an authorization."""
    call = stub.Say(StringValue(value="hi"), metadata=(("authorization", header),))
    assert await outcome(call) == "TOKEN_MALFORMED"


async def test_token_for_another_service_is_refused(local: LocalServer, stub: Any):
    """A token minted for the render service opens no other."""
    token = local.tokens.issuer.mint(audiences=["render"], tenant="acme", party="ana")
    call = stub.Say(StringValue(value="hi"), metadata=(("authorization", f"Bearer {token}"),))
    assert await outcome(call) == "TOKEN_AUDIENCE_WRONG"


async def test_permission_is_checked_on_streams_too(local: LocalServer, stub: Any):
    """Streams of both directions are refused like unary calls."""
    for call in (stub.Count(StringValue(value="3")), stub.Talk()):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        assert from_rpc_error(caught.value).reason == "TOKEN_MISSING"
