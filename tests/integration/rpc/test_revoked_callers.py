"""Keys and revocations that change while a server runs: who counts from then on, and who no longer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis.auth import LocalIssuer, Revocations, TokenVerifier
from tapelog_chassis.auth.issuer import JWKS_FILE, retire_keys, rotate_key
from tapelog_chassis.auth.revocations import REVOKED_FILE
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.rpc.grpc_options import ServerConfig
from tapelog_chassis.rpc.grpc_server import RpcServer, build_server
from tapelog_client.errors import from_rpc_error

WITHIN_S = 2.0
"""What docs/operations.md promises; doubled below, because the machine of a test may be busy."""


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    """Give the issuer of a data folder."""
    return LocalIssuer.open(tmp_path, create=True)


@pytest.fixture
async def server(issuer: LocalIssuer, tmp_path: Path, desk: Any, add: Any, policies: Any) -> AsyncIterator[RpcServer]:
    """Serve the desk with the key set in the folder."""
    verifier = TokenVerifier.from_file(tmp_path / JWKS_FILE, audience="desk")
    services = [(add, desk, "tapelog.desk.v1.DeskService")]
    async with build_server(ServerConfig(drain_s=0.2), services, verifier=verifier, policies=policies) as running:
        yield running


@pytest.fixture
async def stub(server: RpcServer, stub_of: Any) -> AsyncIterator[Any]:
    """Call it."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield stub_of(channel)


def metadata(issuer: LocalIssuer, party: str = "ana", **claims: Any) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a caller."""
    token = issuer.mint(audiences=["desk"], tenant="acme", party=party, **claims)
    return (("authorization", f"Bearer {token}"),)


async def said(stub: Any, who: Any, value: str = "hi") -> str:
    """Return the answer, or the reason of the refusal."""
    try:
        return str((await stub.Say(StringValue(value=value), metadata=who)).value)
    except grpc.aio.AioRpcError as failure:
        return from_rpc_error(failure).reason


async def becomes(ask: Callable[[], Awaitable[str]], wanted: str) -> None:
    """Wait for an answer, not longer than is promised."""
    began_s = time.monotonic()
    while (answer := await ask()) != wanted:
        assert time.monotonic() - began_s < 2 * WITHIN_S, answer
        await asyncio.sleep(0.05)


async def test_a_new_key_counts_beside_the_old_one_until_it_is_retired(issuer: LocalIssuer, stub: Any, tmp_path: Path):
    """Rotation needs no restart, of the servers nor of those who sign."""
    old = metadata(issuer)
    before = issuer.key_id
    after = rotate_key(tmp_path)
    new = metadata(issuer)
    assert issuer.key_id == after != before
    await becomes(lambda: said(stub, new), "hi")
    assert await said(stub, old) == "hi"
    retire_keys(tmp_path)
    await becomes(lambda: said(stub, old), "TOKEN_KEY_UNKNOWN")
    assert await said(stub, new) == "hi"


async def test_a_key_set_that_is_none_changes_nothing(
    issuer: LocalIssuer, stub: Any, server: RpcServer, tmp_path: Path
):
    """Half a file does not lock everybody out, nor let anybody in."""
    (tmp_path / JWKS_FILE).write_text("{")
    (tmp_path / REVOKED_FILE).write_text("{")
    server._refresh()
    assert await said(stub, metadata(issuer)) == "hi"
    assert await said(stub, metadata(LocalIssuer.generate())) == "TOKEN_KEY_UNKNOWN"


async def test_a_revoked_party_is_refused_and_so_is_who_acts_for_it(issuer: LocalIssuer, stub: Any, tmp_path: Path):
    """Within the promised time, of that tenant alone, until it is let in again."""
    ana, ben = metadata(issuer, "ana"), metadata(issuer, "ben")
    acting = metadata(issuer, "bridge", kind="integration", on_behalf_of="ana")
    naming = (*metadata(issuer, "bridge", kind="integration"), ("tapelog-on-behalf-of", "ana"))
    revoked = Revocations().with_party("acme", "ana")
    assert [await said(stub, who) for who in (ana, acting, naming)] == ["hi"] * 3
    revoked.write(tmp_path / REVOKED_FILE)
    await becomes(lambda: said(stub, ana), "TOKEN_REVOKED")
    assert [await said(stub, who) for who in (acting, naming, ben)] == ["TOKEN_REVOKED", "TOKEN_REVOKED", "hi"]
    Revocations().with_party("other", "ana").write(tmp_path / REVOKED_FILE)
    await becomes(lambda: said(stub, ana), "hi")


async def test_an_open_stream_ends_with_its_callers_revocation(issuer: LocalIssuer, stub: Any, tmp_path: Path):
    """Who follows when they are revoked hears nothing more two seconds later; others go on."""
    streams = {
        party: stub.Count(StringValue(value="1 wait"), metadata=metadata(issuer, party)) for party in ("ana", "ben")
    }
    for stream in streams.values():
        assert (await stream.read()).value == "0"
    Revocations().with_party("acme", "ana").write(tmp_path / REVOKED_FILE)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await asyncio.wait_for(streams["ana"].read(), 2 * WITHIN_S)
    assert from_rpc_error(ended.value).reason == "TOKEN_REVOKED"
    assert not streams["ben"].done()
    streams["ben"].cancel()


async def test_a_keys_stream_ends_with_its_token(issuer: LocalIssuer, desk: Any, add: Any, policies: Any, stub_of: Any):
    """What an API key opened does not outlive the time within which a revoked one is worthless."""
    clock = FakeClock()
    signs = LocalIssuer.generate(clock=clock)
    token = signs.mint(
        audiences=["desk"],
        tenant="acme",
        party="bridge",
        kind="integration",
        on_behalf_of="ana",
        scopes=["desk:write"],
        lifetime_s=1,
    )
    clock.advance(30)
    verifier = TokenVerifier.from_jwks(signs.jwks(), audience="desk", clock=clock)
    services = [(add, desk, "tapelog.desk.v1.DeskService")]
    async with (
        build_server(ServerConfig(drain_s=0.2), services, verifier=verifier, policies=policies) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stream = stub_of(channel).Count(StringValue(value="1 wait"), metadata=(("authorization", f"Bearer {token}"),))
        await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await asyncio.wait_for(stream.read(), 10)
    assert (ended.value.code(), from_rpc_error(ended.value).reason) == (grpc.StatusCode.UNAVAILABLE, "TOKEN_ENDED")
