"""Keys of integrations: shown once, worth what their scopes say, in their tenant, while they count."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.errors import Unauthenticated as Refused
from tapelog_chassis.event_log import MemoryEventLog, Metadata
from tapelog_client import Tapelog
from tapelog_client.calls import Calls
from tapelog_client.errors import InvalidArgument, NotFound, PermissionDenied, TapelogApiError, Unauthenticated
from tapelog_client.tokens import ApiKeyTokenSource, StaticTokenSource
from tapelog_session.adapters.grpc_api_keys import IssuedTokens
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.api_keys import RING, exchange_key

SCOPES = [f"{service}:{way}" for service in ("session", "render", "notify") for way in ("read", "write")]
METADATA = Metadata(actor="boss", request_id=str(uuid.uuid4()))
ADMIN: dict[str, Any] = {"tenant_roles": ["ADMIN"]}


async def create(studio: Any, *scopes: str, tenant: str = "acme", **values: Any) -> wire.CreateApiKeyResponse:
    """Make a key as the tenant's administrator."""
    request = wire.CreateApiKeyRequest(**{"party": "int-bridge", "purpose": "DAW bridge", "scopes": scopes, **values})
    return await studio.call("boss", "CreateApiKey", request, tenant=tenant, **ADMIN)


async def join(studio: Any) -> None:
    """Let the producer add the integration to the project."""
    member = pb.Member(party="int-bridge", roles=[pb.ROLE_INTEGRATION])
    await studio.call("pia", "AddMember", wire.AddMemberRequest(project=studio.project, member=member))


async def exchange(studio: Any, secret: str) -> str:
    """Get a token for a key, as somebody who has no token."""
    answer = await studio.stub.ExchangeApiKey(wire.ExchangeApiKeyRequest(secret=secret), timeout=10)
    return str(answer.token)


def calls(token: str, *, on_behalf_of: str = "pia") -> Calls:
    """Call with a token, for a person."""
    return Calls(StaticTokenSource(token), on_behalf_of=on_behalf_of, seed=1)


def holding(folder: Path, needle: bytes) -> list[Path]:
    """Return the files that hold some bytes."""
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


async def test_a_key_gives_short_tokens_limited_to_its_scopes(booked: Any):
    """What the token says is what the key allows; reading with it works, writing without that scope does not."""
    made = await create(booked, "session:read")
    assert made.secret.startswith(f"tl_acme_{made.key.name.removeprefix('apiKeys/')}_")
    await join(booked)
    token = await exchange(booked, made.secret)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["kind"], claims["scopes"]) == ("int-bridge", "integration", ["session:read"])
    assert claims["aud"] == ["session"]
    assert claims["exp"] - claims["iat"] == 300
    song = await calls(token).unary(booked.stub.GetSong, wire.GetSongRequest(name=booked.song))
    assert song.title == "Lights Out"
    with pytest.raises(PermissionDenied) as refused:
        await calls(token).unary(booked.stub.SetLyrics, wire.SetLyricsRequest(song=booked.song))
    assert refused.value.reason == "SCOPE_MISSING"
    with pytest.raises(PermissionDenied) as refused:
        await calls(token, on_behalf_of="").unary(booked.stub.GetSong, wire.GetSongRequest(name=booked.song))
    assert refused.value.reason == "ON_BEHALF_OF_MISSING"


async def test_the_sdk_exchanges_by_itself(booked: Any, settings: Any, serving: Any):
    """A program gives its key to the client and calls; the client gets the tokens."""
    made = await create(booked, "session:read", "session:write", on_behalf_of="pia")
    await join(booked)
    async with (
        serving(settings) as address,
        Tapelog.connect(session=address, tokens=ApiKeyTokenSource(made.secret)) as api,
    ):
        assert (await api.songs.get(booked.song)).title == "Lights Out"
        await api.projects.set_allowance(booked.project, 3)
        with pytest.raises(PermissionDenied):
            await api.api_keys.list()


async def test_a_key_cannot_make_keys_and_only_administrators_can(booked: Any):
    """Not an integration with every scope, not a producer, not another tenant's administrator."""
    made = await create(booked, *SCOPES, tenant_roles=["INTEGRATION"])
    request = wire.CreateApiKeyRequest(party="int-x", purpose="x", scopes=["session:read"])
    token = await exchange(booked, made.secret)
    with pytest.raises(PermissionDenied):
        await calls(token).unary(booked.stub.CreateApiKey, request)
    with pytest.raises(PermissionDenied):
        await booked.call("pia", "CreateApiKey", request)
    with pytest.raises(PermissionDenied):
        await booked.call("svc-session", "CreateApiKey", request, kind="service")
    keys = await booked.call("boss", "ListApiKeys", wire.ListApiKeysRequest(), tenant="other", **ADMIN)
    assert list(keys.keys) == []
    revoke = wire.RevokeApiKeyRequest(name=made.key.name)
    with pytest.raises(NotFound):
        await booked.call("boss", "RevokeApiKey", revoke, tenant="other", **ADMIN)


async def test_its_secret_is_in_one_answer_and_nowhere_else(booked: Any, tmp_path: Path):
    """Neither log nor listing nor a repeated call has it; all folders of the installation are searched."""
    request_id = str(uuid.uuid4())
    made = await create(booked, "session:read", request_id=request_id)
    again = await create(booked, "session:read", request_id=request_id)
    assert (again.key, again.secret) == (made.key, "")
    listed = await booked.call("boss", "ListApiKeys", wire.ListApiKeysRequest(), **ADMIN)
    assert list(listed.keys) == [made.key]
    secret = made.secret.rpartition("_")[2].encode()
    assert holding(tmp_path, secret) == []


async def test_what_does_not_count_is_refused_with_one_answer(booked: Any):
    """Revoked, made up, of another tenant, cut off, empty: code, reason and text are the same."""
    made = await create(booked, "session:read")
    tenant, id_, secret = made.secret.removeprefix("tl_").split("_")
    revoked = await create(booked, "session:read")
    gone = await booked.call("boss", "RevokeApiKey", wire.RevokeApiKeyRequest(name=revoked.key.name), **ADMIN)
    assert gone.HasField("revoke_time")
    await exchange(booked, made.secret)
    answers = set()
    for text in (
        revoked.secret,
        f"tl_{tenant}_{id_}_{'A' * 43}",
        f"tl_other_{id_}_{secret}",
        f"tl_nobody_{id_}_{secret}",
        f"tl_{tenant}_key-0_{secret}",
        made.secret[:-1],
        made.secret + "A",
        "",
        "tl_",
        "x" * 10_000,
    ):
        with pytest.raises(TapelogApiError) as refused:
            await Calls(StaticTokenSource(""), seed=1).unary(
                booked.stub.ExchangeApiKey, wire.ExchangeApiKeyRequest(secret=text)
            )
        assert isinstance(refused.value, Unauthenticated)
        answers.add((refused.value.reason, refused.value.message))
    assert len(answers) == 1, answers


async def test_an_expired_key_gives_no_token():
    """A key counts for its days; the last token ends with it."""
    clock = FakeClock(datetime(2026, 6, 1, tzinfo=UTC))
    aggregates = Aggregates.on(MemoryEventLog(), clock=clock)
    key = pb.ApiKey(name="apiKeys/key-1", party="int-bridge", scopes=["session:read"])
    key.expire_time.FromDatetime(clock.now() + timedelta(seconds=400))
    digest = hashlib.sha256(("A" * 43).encode()).digest()
    await aggregates.key_rings.execute(
        aggregates.key_rings.aggregate("acme", RING),
        lambda _: [events_pb2.ApiKeyCreated(key=key, secret_sha256=digest)],
        request_id=str(uuid.uuid4()),
        request_hash="0" * 64,
        metadata=METADATA,
    )
    desk, text = IssuedTokens(LocalIssuer.generate(clock=clock)), f"tl_acme_key-1_{'A' * 43}"
    for wait_s, lifetime_s in ((0, 300), (200, 200)):
        clock.advance(wait_s)
        given = await exchange_key(aggregates, desk, clock, text)
        assert given.expires == clock.now() + timedelta(seconds=lifetime_s)
    clock.advance(200)
    with pytest.raises(Refused):
        await exchange_key(aggregates, desk, clock, text)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["session:all"]}, "scopes"),
        ({"scopes": ["session:read", "session:read"]}, "scopes"),
        ({"scopes": ["render:write"]}, "scopes"),
        ({"tenant_roles": ["ADMIN"]}, "tenant_roles"),
        ({"party": "Not An Id"}, "party"),
        ({"purpose": ""}, "purpose"),
        ({"lifetime_days": 367}, "lifetime_days"),
        ({"lifetime_days": -1}, "lifetime_days"),
        ({"on_behalf_of": "../x"}, "on_behalf_of"),
        ({"request_id": "again"}, "request_id"),
    ],
)
async def test_a_wrong_key_is_refused_by_its_field(studio: Any, values: dict[str, Any], field: str):
    """Nothing is given away by a word that nobody knows."""
    with pytest.raises(InvalidArgument) as refused:
        await create(studio, *values.pop("scopes", ["session:read"]), **values)
    assert [wrong.field for wrong in refused.value.fields] == [field]
