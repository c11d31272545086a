"""What holds for every RPC of every service: tenants do not see one another, and nothing that is sent breaks one."""

import asyncio
import collections
import contextlib
import os
import re
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import StackState, Tapelog
from tapelog_client.channel import open_channel

from .conftest import System
from .hostile_requests import Hostile
from .rpcs import RPCS, Answer, Caller, Rpc, fill_names
from .studio import Studio, open_studio, recipe, record_stems

ROLES: Final = ("ADMIN", "AUDITOR", "BILLING_READER", "INTEGRATION")
EVERYBODY: Final = "pty-all"
EVERY_ROLE: Final = {EVERYBODY: [role for role in res.Role.values() if role not in (0, res.ROLE_AUDITOR)]}
FEW: Final = 25
"""Requests per RPC at each commit; 10,000 each night."""
NIGHTLY: Final = int(os.environ.get("TAPELOG_FUZZ_PER_RPC", "10000"))
AT_ONCE: Final = 16
CUT_OFF: Final = ("", "Internal error from Core")
"""What grpc's own client says of an upload that the server refused while it was still being sent; servers say more."""
RENEW_EVERY: Final = 100
"""Requests after which there is another song: those before may have closed the last one."""
NEVER: Final = {"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS", "DEADLINE_EXCEEDED"}
REFUSALS_OF_BYTES: Final = {"MALFORMED_MESSAGE", "REQUEST_ID_REUSED"}
FOR_ALL: Final = {"ExchangeApiKey"}
"""Asked without a token: no tenant's."""
SELDOM: Final = {
    "RebuildViews": 25,
    "VerifyDelivery": 10,
    "CreateSubscription": 10,
    "Subscribe": 5,
    "WatchRenderJob": 5,
}
"""RPCs of which every so manieth is sent: they read everything, make a consumer, or listen for a while."""
GENERATED_PAIRS: Final = 2
TIMED: Final = 60
CONNECTIONS: Final = 4
WRONG_SHOWN: Final = 5
NIGHT_S: Final = float(os.environ.get("TAPELOG_FUZZ_LIMIT_S", "3300"))


def names_of(studio: Studio, more: dict[str, str]) -> dict[str, list[str]]:
    """Return names of things that exist, by the fields in which requests name them."""
    project, song = studio.project, studio.song
    take, asset = more["take"], f"{project}/assets/{more['asset']}"
    version, session = f"{song}/mixVersions/1", more["session"]
    things = [project, song, version, asset, session, more["job"], more["subscription"], f"parties/{EVERYBODY}"]
    ids = [project.split("/")[1], song.split("/")[3]]
    return {
        "name": [*things, f"{song}/deliveries/dlv-1", more["key"]],
        "parent": [project, song],
        "project": [project, ids[0]],
        "song": [song, ids[1]],
        "version": [version],
        "before": [version],
        "after": [version],
        "session": [session],
        "subscription": [more["subscription"]],
        "job": [more["job"], more["job"].split("/")[1]],
        "account": [f"usageAccounts/{ids[0]}", ids[0], project],
        "party": [EVERYBODY, f"parties/{EVERYBODY}"],
        "take": [take],
        "track": ["track-1"],
        "asset_sha256": [more["asset"]],
        "sha256": [more["asset"]],
        "batch": ["batches/bat-1"],
    }


def ghost_of(text: str) -> str:
    """Return a name of the same form, and length, of something that is nowhere."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        if len(word) == 64:
            return "".join("0123456789abcdef"[(int(digit, 16) + 7) % 16] for digit in word)
        prefix, hyphen, rest = word.partition("-")
        return f"{prefix}{hyphen}{'z' * len(rest)}"

    return re.sub(r"[0-9a-f]{64}|[a-z]{2,3}-[0-9a-z]{20,}", other, text)


@pytest.fixture
async def prepared(system: System, tmp_path: Path) -> AsyncIterator[tuple[Studio, dict[str, list[str]]]]:
    """Give a song with a take, a version, a session, a job, a subscription and a key, of a person with every role."""
    async with system.api(EVERYBODY, tenant_roles=ROLES) as api:
        yield await prepare(api, tmp_path)


async def prepare(api: Tapelog, folder: Path) -> tuple[Studio, dict[str, list[str]]]:
    """Make all of it anew."""
    studio = await open_studio(api, f"Every {uuid.uuid4().hex[:6]}", people=EVERY_ROLE)
    await record_stems(studio, folder, tracks=1, length_s=0.2)
    everybody = studio.producer
    song = await everybody.songs.get(studio.song)
    await everybody.versions.propose_mix(studio.song, recipe(studio))
    session = await everybody.sessions.open(studio.song, res.STUDIO_SESSION_TYPE_RECORDING, "Studio B")
    job = await anext(aiter(everybody.renders.list(project=studio.project_id)))
    administrator = api.as_party(EVERYBODY, tenant_roles=ROLES)
    subscription = await administrator.subscriptions.create_nats("All")
    key = await administrator.api_keys.create("int-all", "all", ["session:read"])
    more = {
        "take": song.takes[0].id,
        "asset": song.takes[0].asset_sha256,
        "session": session.name,
        "job": job.name,
        "subscription": subscription.subscription.name,
        "key": key.key.name,
    }
    return studio, names_of(studio, more)


def filled(rpc: Rpc, names: dict[str, str]) -> bytes:
    """Return a request that says nothing but names."""
    request: Any = rpc.request()
    fill_names(request, names)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = str(uuid.uuid4())
    return request.SerializeToString()


def pairs(rpc: Rpc, names: dict[str, list[str]]) -> list[tuple[bytes, bytes]]:
    """Return requests about things that exist, each beside its like about things that do not."""
    made = []
    for number in range(max(map(len, names.values()))):
        real = {field: values[number % len(values)] for field, values in names.items()}
        made.append((filled(rpc, real), filled(rpc, {field: ghost_of(name) for field, name in real.items()})))
    ghosts = {field: [ghost_of(name) for name in values] for field, values in names.items()}
    for seed in range(GENERATED_PAIRS):
        both = [Hostile(seed, known, names_share=1.0, damage=False) for known in (names, ghosts)]
        real_bytes, ghost_bytes = (maker.bytes_of(rpc.request()) for maker in both)
        made.append((real_bytes, ghost_bytes))
    return list(dict.fromkeys(made))


def normalized(answer: Answer) -> tuple[str, str, str]:
    """Return an answer with every id the same (texts may cut one off), so that two can be compared."""
    code, reason, text = answer.shown
    return code, reason, re.sub(r"'[^']*'|\"[^\"]*\"|[0-9a-f]{20,64}|\b[a-z]{2,4}-[0-9a-z]+", "IT", text)


async def test_another_tenant_cannot_tell_what_exists(system: System, prepared: Any):
    """
    Every RPC, asked from another tenant about what is here and about what is nowhere: the same answer.

    The asker has the same party id and every role of its own tenant; no answer holds an id of ours. The owner's answers
    to both differ, so the names were right.
    """
    _, names = prepared
    known = [name for values in names.values() for name in values]
    secret = sorted({word for name in known for word in re.findall(r"[0-9a-f]{64}|[a-z]{2,3}-[0-9a-z]{20,}", name)})
    state = StackState.read(system.data_dir)
    told, leaked, asked, distinguished = [], [], 0, set()
    async with (
        Caller(state, EVERYBODY, tenant="rival", tenant_roles=ROLES) as rival,
        Caller(state, EVERYBODY, tenant_roles=ROLES) as owner,
    ):
        room = asyncio.Semaphore(AT_ONCE)

        async def compare(rpc: Rpc, real: bytes, ghost: bytes) -> None:
            nonlocal asked
            async with room:
                here = await rival.call(rpc, real)
                nowhere = await rival.call(rpc, ghost)
                asked += 1
                if normalized(here) != normalized(nowhere):
                    told.append(f"{rpc.path}: {here.shown} / {nowhere.shown}")
                leaked.extend(f"{rpc.path}: {word}" for word in secret if word.encode() in here.body)
                if rpc.name.startswith(("Get", "List")):
                    ours = normalized(await owner.call(rpc, real))
                    if ours != normalized(await owner.call(rpc, ghost)):
                        distinguished.add(rpc.name)

        chosen = [rpc for rpc in RPCS if rpc.name not in FOR_ALL]
        await asyncio.gather(*(compare(rpc, *pair) for rpc in chosen for pair in pairs(rpc, names)))
    sys.stdout.write(f"tenants: told apart 0 of {asked} pairs over {len(chosen)} RPCs\n" if not told else "")
    assert told == []
    assert leaked == []
    assert len(distinguished) >= 12, distinguished


async def test_another_tenant_cannot_tell_by_the_clock(system: System, prepared: Any):
    """Looking for what is here and for what is nowhere takes another tenant about the same time."""
    _, names = prepared
    state = StackState.read(system.data_dir)
    wanted = {"GetSong": names["song"][0], "GetRenderJob": names["job"][0], "GetSubscription": names["subscription"][0]}
    async with Caller(state, EVERYBODY, tenant="rival", tenant_roles=ROLES) as rival:
        for rpc in (rpc for rpc in RPCS if rpc.name in wanted):
            spent: dict[bool, list[float]] = {True: [], False: []}
            for number in range(TIMED):
                is_real = number % 2 == 0
                name = wanted[rpc.name] if is_real else ghost_of(wanted[rpc.name])
                began_s = time.perf_counter()
                assert (await rival.call(rpc, filled(rpc, {"name": name}))).code == "NOT_FOUND"
                spent[is_real].append(time.perf_counter() - began_s)
            real_s, ghost_s = statistics.median(spent[True]), statistics.median(spent[False])
            assert abs(real_s - ghost_s) < 0.005 + max(real_s, ghost_s) / 2, (rpc.name, real_s, ghost_s)


async def bombard(
    system: System, folder: Path, per_rpc: int, limit_s: float = float("inf")
) -> collections.Counter[str]:
    """Send generated requests to every RPC; return how calls ended, and fail on what must not be."""
    state = StackState.read(system.data_dir)
    codes: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    began_s = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(Caller(state, EVERYBODY, tenant_roles=ROLES)) for _ in range(CONNECTIONS)
        ]
        room = asyncio.Semaphore(AT_ONCE)

        async def one(rpc: Rpc, caller: Caller, *requests: bytes) -> None:
            async with room:
                answer = await caller.call(rpc, *requests)
            codes[answer.code] += 1
            if answer.shown[1:] == CUT_OFF or answer.shown[1] == "CURSOR_AHEAD":
                return
            is_field_named = answer.fields != [] and all(answer.fields)
            is_unnamed = answer.code == "INVALID_ARGUMENT" and not is_field_named
            if answer.code in NEVER or (is_unnamed and answer.shown[1] not in REFUSALS_OF_BYTES):
                wrong.append(f"{rpc.path} {answer.shown} {requests[0][:300].hex()}")

        for first in range(0, per_rpc, RENEW_EVERY):
            if time.monotonic() - began_s > limit_s or len(wrong) > WRONG_SHOWN:
                break
            async with system.api(EVERYBODY, tenant_roles=ROLES) as api:
                _, names = await prepare(api, folder)
            maker = Hostile(first, names)
            for number in range(first, min(per_rpc, first + RENEW_EVERY)):
                caller = callers[number % CONNECTIONS]
                async with asyncio.TaskGroup() as group:
                    for rpc in RPCS:
                        if rpc.name in SELDOM and number % SELDOM[rpc.name]:
                            continue
                        count = 3 if rpc.method.client_streaming else 1
                        requests = [maker.bytes_of(rpc.request()) for _ in range(count)]
                        group.create_task(one(rpc, caller, *requests))
    assert wrong[:WRONG_SHOWN] == []
    assert all([await is_serving(address) for address in (state.session, state.render, state.notify)])
    return codes


async def is_serving(address: str) -> bool:
    """Ask a service for its health."""
    async with open_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_nothing_that_is_sent_breaks_a_service(system: System, tmp_path: Path):
    """B12: requests of every RPC from its descriptor; no INTERNAL, no UNKNOWN, and a wrong request says which field."""
    codes = await bombard(system, tmp_path, FEW)
    sys.stdout.write(f"requests: {sum(codes.values())} over {len(RPCS)} RPCs: {dict(codes.most_common())}\n")
    assert codes["OK"] > 100, codes
    assert codes["INVALID_ARGUMENT"] > 1000, codes


@pytest.mark.nightly
@pytest.mark.timeout(3600)
async def test_nothing_that_is_sent_all_night_breaks_a_service(system: System, tmp_path: Path):
    """B12 in full: ten thousand requests per RPC, or as many as an hour allows; how many is said."""
    codes = await bombard(system, tmp_path, NIGHTLY, limit_s=NIGHT_S)
    sys.stdout.write(f"requests: {sum(codes.values())} over {len(RPCS)} RPCs: {dict(codes.most_common())}\n")
