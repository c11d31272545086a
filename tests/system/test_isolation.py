"""What one tenant could learn of another: by objects, events, cursors, errors, page tokens and the clock."""

import asyncio
import base64
import random
import re
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import pytest
from scipy import stats
from tapelog.notify.v1 import notify_service_pb2, resources_pb2
from tapelog.session.v1 import session_service_pb2 as session_rpc
from tapelog_chassis.observability.metrics import CATALOGUE
from tapelog_client import StackState, Tapelog
from tapelog_client.errors import TapelogApiError

from .conftest import System
from .everything import EVERY_ROLE, EVERYBODY, ROLES, Everything, make_everything
from .rpcs import RPCS, Caller, Rpc, fill_names
from .studio import open_studio, write_stem
from .test_every_rpc import FOR_ALL, filled, ghost_of, normalized

MARK: Final = "Zauberfloete"
"""Is in every title, name and text of ours, and nowhere else."""
RIVAL: Final = "rival"
LISTENED_S: Final = 3.0
UPLOADS: Final = 12
ROUNDS: Final = 40
ALPHA: Final = 0.01
"""Chance of a false alarm over all RPCs together, before a second look."""
TELLING_S: Final = 0.0005
"""A difference of medians that a patient asker on the same machine could use."""
CONTROL_S: Final = 0.01
"""A difference that the test has to see, on a machine that others use too."""
PUBLIC_LABELS: Final = frozenset({"method", "code", "shape", "context", "outcome", "user", "projection", "consumer"})
PUBLIC_LABELS_OF_PARTS: Final = frozenset({"folder", "reader", "process", "class", "kind", "verdict"})


@pytest.fixture
async def prepared(system: System, tmp_path: Path) -> Any:
    """Give one of everything, all of it marked, of a person with every role."""
    async with system.api(EVERYBODY, tenant_roles=ROLES) as api:
        made = await make_everything(api, tmp_path)
        await api.parties.upsert(EVERYBODY, f"Name {MARK}", email=f"{MARK}@example.test")
        everybody = made.studio.producer
        await everybody.notes.add_to_song(made.studio.song, f"Note {MARK}")
        await everybody.songs.create(made.studio.project, f"Song {MARK}", sample_rate_hz=48_000, bit_depth=24)
        yield made


def rival_of(system: System) -> Caller:
    """Return another tenant's caller with the same party id and every role of its tenant."""
    return Caller(StackState.read(system.data_dir), EVERYBODY, tenant=RIVAL, tenant_roles=ROLES)


def client_of(system: System, tenant: str) -> Tapelog:
    """Return a client of a tenant."""
    return Tapelog.local(system.data_dir, party=EVERYBODY, tenant=tenant, tenant_roles=ROLES)


def secrets_of(prepared: Everything) -> list[str]:
    """Return what nobody else may read: our ids, digests, and the mark."""
    names = [name for values in prepared.names.values() for name in values]
    words = {word for name in names for word in re.findall(r"[0-9a-f]{64}|[a-z]{2,3}-[0-9a-z]{20,}", name)}
    return sorted({*words, MARK})


def rpc_of(name: str) -> Rpc:
    """Return an RPC by its own name."""
    return next(rpc for rpc in RPCS if rpc.name == name)


def told(error: TapelogApiError | None) -> str:
    """Return everything that an error carries."""
    return repr(vars(error)) if error is not None else ""


@pytest.mark.nightly
async def test_errors_and_answers_hold_nothing_of_another_tenant(system: System, prepared: Everything) -> None:
    """Every RPC of another tenant about our names: neither body, text nor details hold more of ours than was asked."""
    secret, found, asked = secrets_of(prepared), [], 0
    async with rival_of(system) as rival:
        for rpc in (rpc for rpc in RPCS if rpc.name not in FOR_ALL):
            for number in range(max(map(len, prepared.names.values()))):
                names = {field: values[number % len(values)] for field, values in prepared.names.items()}
                request = filled(rpc, names)
                answer = await rival.call(rpc, request)
                asked += 1
                said = answer.body + told(answer.error).encode()
                found += [
                    f"{rpc.path}: {word}" for word in secret if word.encode() in said and word.encode() not in request
                ]
    log = (system.data_dir.parent / f"{system.data_dir.name}.log").read_text()
    assert len(log.splitlines()) > 0
    assert MARK not in log
    sys.stdout.write(f"answers and errors: {len(found)} of {asked} hold anything of another tenant\n")
    assert found == []


@pytest.mark.nightly
async def test_an_upload_does_not_tell_whether_others_have_the_file(
    system: System, prepared: Everything, tmp_path: Path
) -> None:
    """Bytes that we have and bytes that nobody has: asked for, announced or sent by another tenant, all is alike."""
    async with client_of(system, RIVAL) as api, rival_of(system) as rival:
        studio = await open_studio(api, "Theirs", people=EVERY_ROLE)
        ours = (await prepared.studio.producer.songs.get(prepared.studio.song)).takes[0].asset_sha256
        asked: dict[str, list[tuple[str, str, str]]] = {"ours": [], "nobody's": []}
        for whose, digest in (("ours", ours), ("nobody's", ghost_of(ours))):
            header = session_rpc.UploadHeader(
                parent=studio.project, sha256=digest, size_bytes=4_000, original_filename="x.wav",
                request_id=str(uuid.uuid4()),
            )  # fmt: skip
            calls = [
                ("UploadAsset", session_rpc.UploadAssetRequest(header=header)),
                ("GetUpload", session_rpc.GetUploadRequest(header=header)),
                ("GetAsset", session_rpc.GetAssetRequest(name=f"{studio.project}/assets/{digest}")),
                ("DownloadObject", session_rpc.DownloadObjectRequest(parent=studio.project, sha256=digest)),
            ]
            for name, request in calls:
                rpc = rpc_of(name)
                answer = await rival.call(rpc, request.SerializeToString())
                asked[whose].append(normalized(answer))
        assert asked["ours"] == asked["nobody's"]
        stems = {
            whose: [
                write_stem(tmp_path / f"{whose[0]}{n}.wav", seed=n + 100 * len(whose), length_s=2.0)
                for n in range(UPLOADS)
            ]
            for whose in asked
        }
        for path in stems["ours"]:
            await prepared.studio.producer.assets.upload(prepared.studio.project, path)
        spent: dict[str, list[float]] = {whose: [] for whose in asked}
        for pair in zip(stems["ours"], stems["nobody's"], strict=True):
            for whose, path in zip(asked, pair, strict=True):
                began_s = time.perf_counter()
                uploaded = await api.assets.upload(studio.project, path)
                spent[whose].append(time.perf_counter() - began_s)
                assert (uploaded.uploaded_by, uploaded.original_filename) == (EVERYBODY, path.name)
    medians = {whose: statistics.median(values) for whose, values in spent.items()}
    chance = stats.mannwhitneyu(*spent.values()).pvalue
    sys.stdout.write(f"uploads: {medians} s, p = {chance:.3f} that it is chance\n")
    difference_s = abs(medians["ours"] - medians["nobody's"])
    assert difference_s < 0.02 + max(medians.values()) / 2


@pytest.mark.nightly
async def test_subscriptions_by_name_filter_and_cursor_give_nothing_of_others(
    system: System, prepared: Everything
) -> None:
    """Another tenant follows our songs by name, from our cursors, and asks for our past: no event, no difference."""
    studio, got = prepared.studio, []
    song, project = studio.song.split("/")[3], studio.project_id
    async with client_of(system, "local") as ours, client_of(system, RIVAL) as api, rival_of(system) as rival:
        async with aclosing(ours.events.subscribe(after_position=0)) as events:
            position = (await anext(events)).position

        async def follow(**wanted: Any) -> None:
            async with aclosing(api.events.subscribe(**wanted)) as events:
                async for event in events:
                    got.append((event.tenant, event.id))  # noqa: PERF401 - it is cancelled in the middle

        filters = [{}, {"songs": [song]}, {"projects": [project]}, {"types": ["tapelog.song.note_added.v1"]}]
        following = [
            asyncio.create_task(follow(after_position=after, **wanted))
            for wanted in filters
            for after in (0, position, position + 1)
        ]
        for number in range(3):
            await studio.producer.notes.add_to_song(studio.song, f"Note {MARK} {number}")
        await open_studio(api, "Theirs", people=EVERY_ROLE)
        await asyncio.sleep(LISTENED_S)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        assert len(got) > len(filters), "the streams do give what is theirs"
        assert [item for item in got if item[0] != RIVAL] == []
        answers = []
        for names in ((studio.project_id, song), (ghost_of(studio.project_id), ghost_of(song))):
            request = notify_service_pb2.CreateSubscriptionRequest(request_id=str(uuid.uuid4()))
            request.subscription.title = "Theirs"
            request.subscription.filter.projects.append(names[0])
            request.subscription.filter.songs.append(names[1])
            request.subscription.nats.CopyFrom(resources_pb2.NatsChannel())
            answers.append((await rival.call(rpc_of("CreateSubscription"), request.SerializeToString())).shown)
        assert answers[0] == answers[1]
        subscription = prepared.names["subscription"][0]
        for name in ("RedeliverEvent", "ReplayEvents", "ListDeadLetters", "ListDeliveries", "TestSubscription"):
            pair = []
            for wanted in (subscription, ghost_of(subscription)):
                request = rpc_of(name).request()
                fill_names(request, {"name": wanted, "subscription": wanted})
                if "position" in request.DESCRIPTOR.fields_by_name:
                    request.position = position
                pair.append(normalized(await rival.call(rpc_of(name), request.SerializeToString())))
            assert pair[0] == pair[1], name
    sys.stdout.write(f"subscriptions: {len(following)} streams, 0 events of another tenant\n")


@pytest.mark.nightly
async def test_page_tokens_do_not_count_others(system: System) -> None:
    """A token counts what its own tenant has: what others do in between does not show in it."""
    async with client_of(system, "another") as api:
        studio = await open_studio(api, "One", people=EVERY_ROLE)
        for title in ("Two", "Three"):
            await api.songs.create(studio.project, title, sample_rate_hz=48_000, bit_depth=24)
        await open_studio(api, "Two", people=EVERY_ROLE)
        for name, request in (
            ("ListProjects", session_rpc.ListProjectsRequest(page_size=1)),
            ("SearchSongs", session_rpc.SearchSongsRequest(page_size=1)),
        ):
            async with Caller(
                StackState.read(system.data_dir), EVERYBODY, tenant="another", tenant_roles=ROLES
            ) as caller:
                answer = await caller.call(rpc_of(name), request.SerializeToString())
            response = getattr(session_rpc, f"{name}Response").FromString(answer.body)
            token = response.next_page_token
            assert token
            cursor = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[-1:]
            assert cursor == b"1", (name, token)


def test_no_metric_has_a_label_of_a_tenant() -> None:
    """Labels name parts and outcomes: none can take the name of a tenant, a person or a thing."""
    labels = {label for spec in CATALOGUE.values() for label in spec.labels}
    assert labels - PUBLIC_LABELS - PUBLIC_LABELS_OF_PARTS == set()


def timed_rpcs(names: dict[str, list[str]]) -> list[tuple[Rpc, Callable[[bool], bytes]]]:
    """Return every RPC that takes a name, with what makes its requests, about what is or about what is nowhere."""
    found: list[tuple[Rpc, Callable[[bool], bytes]]] = []
    first = {field: values[0] for field, values in names.items()}
    ghosts = {field: ghost_of(name) for field, name in first.items()}
    for rpc in RPCS:
        if rpc.name in FOR_ALL:
            continue

        def make(is_real: bool, rpc: Rpc = rpc) -> bytes:
            return filled(rpc, first if is_real else ghosts)

        probe: Any = rpc.request()
        fill_names(probe, first)
        if probe.ByteSize() and not rpc.method.server_streaming:
            found.append((rpc, make))
    return found


async def timed(
    rival: Caller, rpc: Rpc, make: Callable[[bool], bytes], rounds: int, rng: random.Random, *, told_s: float = 0.0
) -> tuple[float, float]:
    """Ask about both in random order; return the difference of medians, and how likely it is chance."""
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for is_real in rng.sample((True, False), 2):
            request = make(is_real)
            began_s = time.perf_counter()
            await rival.call(rpc, request)
            await asyncio.sleep(told_s if is_real else 0.0)
            spent[is_real].append(time.perf_counter() - began_s)
    chance = float(stats.mannwhitneyu(spent[True], spent[False]).pvalue)
    return statistics.median(spent[True]) - statistics.median(spent[False]), chance


@pytest.mark.nightly
@pytest.mark.timeout(3600)
async def test_no_rpc_tells_by_the_clock_what_another_tenant_has(system: System, prepared: Everything) -> None:
    """Every RPC with a name, about what is here and what is nowhere, in turn: ranks of times alike, or not telling."""
    rng, first, suspects, told_by = random.Random(8), [], [], []
    async with rival_of(system) as rival:
        chosen = timed_rpcs(prepared.names)
        for rpc, make in chosen:
            difference_s, chance = await timed(rival, rpc, make, ROUNDS, rng)
            first.append(abs(difference_s))
            if chance < ALPHA / len(chosen) or (chance < ALPHA and abs(difference_s) > TELLING_S):
                suspects.append((rpc, make, difference_s))
        control_s, control = await timed(rival, *chosen[0], ROUNDS, rng, told_s=CONTROL_S)
        assert control_s > 0, "a service that took longer would not be noticed"
        assert control < ALPHA / len(chosen), "nor here"
        for rpc, make, before_s in suspects:
            difference_s, chance = await timed(rival, rpc, make, 5 * ROUNDS, rng)
            if chance < ALPHA and difference_s * before_s > 0 and abs(difference_s) > TELLING_S:
                told_by.append(f"{rpc.name}: {1000 * difference_s:+.2f} ms, p = {chance:.1g}")
    sys.stdout.write(
        f"by the clock: {len(told_by)} of {len(chosen)} RPCs told, {len(suspects)} looked at twice; medians differ by "
        f"{1e6 * statistics.median(first):.0f} us in the middle, {1e6 * max(first):.0f} us at most; "
        f"{1000 * CONTROL_S:.0f} ms more are told with p = {control:.1g}\n"
    )
    assert told_by == []
