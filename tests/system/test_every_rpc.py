"""What holds for every RPC of every service: tenants do not see one another, and nothing that is sent breaks one."""

import asyncio
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
from tapelog_client import StackState
from tapelog_client.channel import open_channel

from .conftest import System
from .everything import EVERYBODY, ROLES, Everything, make_everything
from .fuzzing import WHOLE_LOG, Fuzz, defects_in, lines_of, summary_of
from .hostile_requests import Hostile
from .rpcs import RPCS, Answer, Caller, Rpc, fill_names

FEW: Final = 25
"""Requests per RPC at each commit; 10,000 each night."""
NIGHTLY: Final = int(os.environ.get("TAPELOG_FUZZ_PER_RPC", "10000"))
AT_ONCE: Final = 16
PER_ROUND: Final = 100
FOR_ALL: Final = {"ExchangeApiKey"}
"""Asked without a token: no tenant's."""
GENERATED_PAIRS: Final = 2
TIMED: Final = 60
SHARE: Final = os.environ.get("TAPELOG_FUZZ_SHARE", "0/1")
"""Which part of the rounds a run does: `2/3` is the last of three that run beside each other."""
NIGHT_S: Final = float(os.environ.get("TAPELOG_FUZZ_LIMIT_S", "3300"))


def ghost_of(text: str) -> str:
    """Return a name of the same form, and length, of something that is nowhere; of two things, two names."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        if len(word) == 64:
            return "".join("0123456789abcdef"[(int(digit, 16) + 7) % 16] for digit in word)
        prefix, hyphen, rest = word.partition("-")
        return f"{prefix}{hyphen}{'z' * (len(rest) - 6)}{rest[-6:]}"

    return re.sub(r"[0-9a-f]{64}|[a-z]{2,3}-[0-9a-z]{20,}", other, text)


@pytest.fixture
async def prepared(system: System, tmp_path: Path) -> AsyncIterator[Everything]:
    """Give a song with a take, a version, a session, a job, a subscription and a key, of a person with every role."""
    async with system.api(EVERYBODY, tenant_roles=ROLES) as api:
        yield await make_everything(api, tmp_path)


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


async def test_another_tenant_cannot_tell_what_exists(system: System, prepared: Everything):
    """
    Every RPC, asked from another tenant about what is here and about what is nowhere: the same answer.

    The asker has the same party id and every role of its own tenant; no answer holds an id of ours. The owner's answers
    to both differ, so the names were right.
    """
    names = prepared.names
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


async def test_another_tenant_cannot_tell_by_the_clock(system: System, prepared: Everything):
    """Looking for what is here and for what is nowhere takes another tenant about the same time."""
    names = prepared.names
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


async def is_serving(address: str) -> bool:
    """Ask a service for its health."""
    async with open_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def all_are_serving(system: System) -> bool:
    """Ask every service for its health."""
    state = StackState.read(system.data_dir)
    return all([await is_serving(address) for address in (state.session, state.render, state.notify)])


async def test_nothing_that_is_sent_breaks_a_service(system: System, tmp_path: Path):
    """B12: requests of every RPC from its descriptor; no INTERNAL, no UNKNOWN, and a wrong request says which field."""
    fuzz = Fuzz(system, tmp_path, FEW)
    await fuzz.run(range(1))
    sys.stdout.write(f"requests: {sum(fuzz.codes.values())} over {len(RPCS)} RPCs: {dict(fuzz.codes.most_common())}\n")
    assert fuzz.wrong == []
    assert await all_are_serving(system)
    assert defects_in(system.data_dir.with_suffix(".log")) == []
    assert fuzz.codes["OK"] > 100, fuzz.codes
    assert fuzz.codes["INVALID_ARGUMENT"] > 1000, fuzz.codes


@pytest.mark.nightly
@pytest.mark.timeout(0)
async def test_nothing_that_is_sent_all_night_breaks_a_service(system: System, tmp_path: Path):
    """
    B12 in full: ten thousand requests per RPC, or as many as the time allows; how many is said.

    With TAPELOG_FUZZ_RESULTS=FILE rounds that are in the file are done, and the next run goes on behind them.
    """
    kept = os.environ.get("TAPELOG_FUZZ_RESULTS")
    results = Path(kept) if kept else tmp_path / "fuzz.jsonl"
    share, of = map(int, SHARE.split("/"))
    rounds = -(-NIGHTLY // PER_ROUND)
    whole_log = [rpc for rpc in RPCS if rpc.name in WHOLE_LOG]
    young = Fuzz(system, tmp_path, NIGHTLY, results, whole_log)
    if share == 0:
        await young.run(range(rounds, rounds + 1))
    fuzz = Fuzz(system, tmp_path, PER_ROUND, results, [rpc for rpc in RPCS if rpc not in whole_log])
    await fuzz.run(range(share, rounds, of), limit_s=NIGHT_S)
    sys.stdout.write(summary_of(lines_of(results)))
    assert young.wrong + fuzz.wrong == []
    assert await all_are_serving(system)
    assert defects_in(system.data_dir.with_suffix(".log")) == []
