"""B13: what is no message of ours, put into the broker's streams: one aggregate is refused, all others go on."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from aiohttp import ClientSession
from grpc_health.v1 import health_pb2, health_pb2_grpc
from nats.aio.client import Client
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.event_log import codec
from tapelog_chassis.nats import connected
from tapelog_chassis.nats.direct import get_last
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.testing import eventually
from tapelog_chassis.topology import PUB
from tapelog_chassis.verification import verify_log
from tapelog_client import Tapelog
from tapelog_client.errors import DataLoss, FailedPrecondition, TapelogApiError

from tests.system.studio import Studio, open_studio, write_stem

from .harness import foreign
from .harness.battery import Row
from .harness.ports import free_port
from .harness.rig import Place, Rig, running

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

TENANT, OTHER = "local", "bell"
PARTS: Final = ("session", "render", "notify")
REFUSED_S: Final = 2.0
GOES_ON_S: Final = 60.0
FUTURE: Final = "tapelog.song.sung.v9"


@dataclass
class Scene:
    """A rig with a song of each of two tenants in work, and somebody who may write anywhere."""

    rig: Rig
    intruder: Client
    admin: Tapelog
    folder: Path
    studios: dict[str, Studio] = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)
    put: int = 0

    async def put_all(self, messages: list[foreign.Message], subject: str = "") -> None:
        """Publish what the broker takes."""
        for message in messages:
            assert not await foreign.put(self.intruder, message, subject), message.name
            self.put += 1

    async def history(self, tenant: str, song: str) -> list[Any]:
        """Read a song's events past the services."""
        async with self.rig.log() as log:
            return list(await log.load(foreign.aggregate_of(tenant, song)))

    async def song(self, title: str) -> str:
        """Make one more song in the first tenant's project."""
        studio = self.studios[TENANT]
        return (await studio.producer.songs.create(studio.project, title, sample_rate_hz=48_000, bit_depth=24)).name

    async def goes_on(self) -> float:
        """Have both tenants record a take: uploaded, measured by a worker, checked; return how long it took."""
        begun_s = time.monotonic()
        for number, studio in enumerate(self.studios.values()):
            track = f"trk-{uuid.uuid4().hex[:8]}"
            await studio.recording.takes.define_track(studio.song, track, track)
            stem = write_stem(self.folder / f"{track}.wav", seed=number + int(track[-4:], 16), length_s=0.5)
            await studio.recording.takes.record(studio.song, track, stem)
            async with asyncio.timeout(GOES_ON_S):
                await studio.recording.takes.wait_checked(studio.song)
        note = (await self.studios[TENANT].producer.notes.add_to_song(self.studios[TENANT].song, "go on")).id
        await eventually(lambda: any(_is_note(event, note) for event in self.seen), within_s=GOES_ON_S)
        return time.monotonic() - begun_s


def _is_note(event: Any, note: str) -> bool:
    added = events_pb2.NoteAdded()
    return bool(event.data.Unpack(added)) and added.note.id == note


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Open two studios, each of a tenant of its own, and follow the first one's events."""
    places = {name: Place(settings={"metrics_port": free_port()}) for name in PARTS}
    async with running(folder / "data", services=PARTS, places=places) as rig:
        creds = rig.plan.nats.identity.mint_user("intruder", foreign.INTRUDER)
        async with (
            connected(rig.plan.nats.url, name="intruder", creds=creds) as intruder,
            rig.api("pty-producer", tenant_roles=("ADMIN",)) as api,
            rig.api("pty-producer", tenant_roles=("ADMIN",), tenant=OTHER) as other,
        ):
            made = Scene(rig, intruder, api, folder)
            made.studios = {TENANT: await open_studio(api, "Ours"), OTHER: await open_studio(other, "Theirs")}
            following = asyncio.create_task(_follow(api, made))
            try:
                yield made
            finally:
                following.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await following


async def _follow(api: Tapelog, made: Scene) -> None:
    async with aclosing(api.events.subscribe(after_position=0)) as events:
        async for event in events:
            made.seen.append(event)


async def refusal_of(call: Any) -> TapelogApiError:
    """Return what a call is refused with, in its time."""
    begun_s = time.monotonic()
    with pytest.raises(TapelogApiError) as refused:
        await call
    assert time.monotonic() - begun_s < REFUSED_S
    return refused.value


async def metrics_of(rig: Rig, name: str) -> dict[str, float]:
    """Read a service's figures."""
    port = rig.parts[name].settings.metrics_port
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = (line for line in (await answer.text()).splitlines() if not line.startswith("#"))
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def health_of(rig: Rig, name: str) -> bool:
    """Ask the session service for its health under a name."""
    async with grpc.aio.insecure_channel(rig.parts["session"].address) as channel:
        asked = health_pb2.HealthCheckRequest(service=name)
        answer = await health_pb2_grpc.HealthStub(channel).Check(asked, timeout=REFUSED_S)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def alerts_of(rig: Rig, name: str, words: str) -> int:
    """Count the alerts in a service's log."""
    text = (rig.data_dir / "logs" / f"{name}.log").read_text()
    return sum(words in line and '"alert": true' in line for line in text.splitlines())


def assert_nothing_died(rig: Rig) -> None:
    """No process was started a second time."""
    assert {name: part.starts for name, part in rig.parts.items()} == dict.fromkeys(PARTS, 1)


async def _verified(rig: Rig) -> set[str]:
    creds = rig.plan.nats.identity.mint_user("maintenance", MAINTENANCE)
    async with connected(rig.plan.nats.url, name="maintenance", creds=creds) as connection:
        return (await verify_log(connection, "session", rig.parts["session"].settings.anchors_at)).closed


async def test_foreign_messages_in_the_session_log(tmp_path: Path, row: Row) -> None:
    """Twelve kinds on songs of their own, four beside: these songs are refused, told once; nothing else notices."""
    async with scene(tmp_path) as on:
        api = on.studios[TENANT].producer
        closed: dict[str, foreign.Message] = {}
        for message in foreign.on_a_song(await on.history(TENANT, on.studios[TENANT].song)):
            song = await on.song(message.name)
            history = await on.history(TENANT, song)
            await api.stages.hold(song, "first")
            own = next(item for item in foreign.on_a_song(await on.history(TENANT, song)) if item.name == message.name)
            assert len(history) < len(await on.history(TENANT, song))
            await on.put_all([own], foreign.aggregate_of(TENANT, song).subject)
            closed[song] = message
        await on.put_all(foreign.beside_the_songs(TENANT))
        too_large = foreign.Message("over the limit", b"x" * foreign.TOO_LARGE, subject="es.session.local.sng-x")
        assert "maximum" in await foreign.put(on.intruder, too_large)
        for song, message in closed.items():
            for call in (api.songs.get(song), api.stages.resume(song)):
                refused = await refusal_of(call)
                assert isinstance(refused, DataLoss), (message.name, refused)
                assert "sequence" in str(refused), (message.name, refused)
        assert closed.keys() == {name async for name in _unreachable(on)}
        took_s = await on.goes_on()
        found = await metrics_of(on.rig, "session")
        assert found['tapelog_log_foreign_messages{context="session"}'] == on.put
        assert alerts_of(on.rig, "session", "foreign message in the log") == on.put
        assert [await health_of(on.rig, name) for name in ("", "intact")] == [True, False]
        subjects = {foreign.aggregate_of(TENANT, song).subject for song in closed}
        assert subjects <= await _verified(on.rig)
        assert_nothing_died(on.rig)
        for name in PARTS:  # a start reads all of it again
            await on.rig.kill(name)
            await on.rig.back(name)
        again_s = await on.goes_on()
        assert isinstance(await refusal_of(api.songs.get(next(iter(closed)))), DataLoss)
    row(
        "B13",
        "foreign messages in the session log: their songs refused, all others go on, 1 alert each, no process ends",
        f"{on.put} put in, {len(closed)} songs refused with DATA_LOSS (read and write), {on.put} alerts; takes of both "
        f"tenants checked in {took_s:.1f} s, after a restart of every service in {again_s:.1f} s; verify names all",
    )


async def _unreachable(on: Scene) -> AsyncIterator[str]:
    """Yield the songs that a list names and does not show."""
    studio = on.studios[TENANT]
    link = studio.producer.songs._link  # the client's own lists go on with what they get
    page = await link.unary(link.session.ListSongs, rpc.ListSongsRequest(parent=studio.project, page_size=100))
    assert studio.song in {song.name for song in page.songs}
    for name in page.unreachable:
        yield name


async def test_an_event_of_a_newer_version(tmp_path: Path, row: Row) -> None:
    """A song that a newer version wrote to is neither read nor changed; its event is passed on, and kept."""
    async with scene(tmp_path) as on:
        api = on.studios[TENANT].producer
        song = await on.song("Newer")
        history = await on.history(TENANT, song)
        event = foreign.after(history, type_=FUTURE, project=history[-1].metadata.project, song=song.rpartition("/")[2])
        message = foreign.Message("newer", event.data, codec.encode(event))
        await on.put_all([message], event.aggregate.subject)
        for call in (api.songs.get(song), api.stages.resume(song)):
            refused = await refusal_of(call)
            assert isinstance(refused, FailedPrecondition), refused
            assert refused.reason == "WRITTEN_BY_NEWER_VERSION"
        assert [song] == [name async for name in _unreachable(on)]
        took_s = await on.goes_on()
        await eventually(lambda: any(item.type == FUTURE for item in on.seen), within_s=GOES_ON_S)

        async def is_told() -> bool:
            found = await metrics_of(on.rig, "session")
            over, due = "tapelog_events_stepped_over_total", "tapelog_consumer_pending"
            return found[f'{over}{{reader="lists"}}'] >= 1 and found[f'{due}{{consumer="session-process"}}'] >= 1

        await eventually(is_told, within_s=GOES_ON_S)
        assert_nothing_died(on.rig)
    row(
        "B13",
        "an event of a newer version: its song refused with the reason, all others go on, nothing of it is lost",
        f"1 song refused (FAILED_PRECONDITION), its event published and still due to the process; takes of both "
        f"tenants checked in {took_s:.1f} s",
    )


async def test_foreign_messages_in_the_other_streams(tmp_path: Path, row: Row) -> None:
    """In the logs of render, usage and notify, in the queue and in the public stream: nothing stops."""
    async with scene(tmp_path) as on:
        api = on.studios[TENANT].producer
        await on.goes_on()
        jobs = [job async for job in api.renders.list()]
        ended = jobs[0].name.rpartition("/")[2]
        junk = foreign.Message("junk", b"\xff junk")
        subscription = (await on.admin.subscriptions.create_nats("Closed")).subscription
        sub = subscription.name.rpartition("/")[2]
        for context, id_ in (("render", ended), ("render", "job-none"), ("usage", "prj-none"), ("notify", sub)):
            await on.put_all([junk], f"es.{context}.{TENANT}.{id_}")
        await on.put_all(foreign.in_the_queue(TENANT, ended))
        last = await get_last(on.intruder, PUB, "pub.>", timeout_s=foreign.PUT_S)
        assert last is not None
        headers = {k: v for k, v in last.headers.items() if not k.startswith("Nats-")}
        template = foreign.Message("ours", last.data, headers, last.subject)
        await on.put_all(foreign.in_the_public_stream(TENANT, template))
        took_s = await on.goes_on()
        for call in (api.renders.get(jobs[0].name), on.admin.subscriptions.pause(subscription.name, "no")):
            assert isinstance(await refusal_of(call), DataLoss)
        assert all(event.tenant != "rival" for event in on.seen)
        swept_s = await _queue_is_empty(on)
        assert_nothing_died(on.rig)
        for name in PARTS:
            await on.rig.kill(name)
            await on.rig.back(name)
        again_s = await on.goes_on()
        ids = [event.id for event in on.seen]
        doubled = len(ids) - len(set(ids))
    row(
        "B13",
        "foreign messages in render's, usage's and notify's logs, the queue and the public stream: all others go on",
        f"{on.put} put in; takes of both tenants checked in {took_s:.1f} s, after a restart in {again_s:.1f} s; the "
        f"queue was empty of them after {swept_s:.0f} s; a subscriber got {doubled} event twice, the one put in again",
    )
    assert doubled <= 1


async def _queue_is_empty(on: Scene) -> float:
    begun_s = time.monotonic()
    creds = on.rig.plan.nats.identity.mint_user("maintenance", MAINTENANCE)
    async with connected(on.rig.plan.nats.url, name="maintenance", creds=creds) as connection:

        async def is_empty() -> bool:
            return await get_last(connection, "JOBS", "job.>", timeout_s=foreign.PUT_S) is None

        await eventually(is_empty, within_s=GOES_ON_S, every_s=0.5)
    return time.monotonic() - begun_s
