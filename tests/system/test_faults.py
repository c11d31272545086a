"""`kill -9` under load, each service in a process of its own: what was acknowledged is kept, and recorded once."""

import asyncio
import os
import signal
import uuid
from contextlib import aclosing
from pathlib import Path
from typing import Final

import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import DeadlineExceeded, Unavailable

from tests.faults.harness.battery import Row

from .conftest import System
from .studio import RATE_HZ, Studio, open_studio, recipe, record_stems
from .test_worker_death import assert_recorded_once, job_of, kill_worker, worker_in_the_middle

pytestmark = pytest.mark.faults

KILLS: Final = 5
COMMANDS_BETWEEN_KILLS: Final = 20
WRITERS: Final = 4
BACK_S: Final = 60.0


class Acknowledged:
    """What the service has confirmed: request ids and the names they made."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._grown = asyncio.Condition()

    async def add(self, request_id: str, name: str) -> None:
        """Remember one answer."""
        async with self._grown:
            self.names[request_id] = name
            self._grown.notify_all()

    async def grow(self, by: int) -> None:
        """Wait until there are so many more; fails after `BACK_S`."""
        goal = len(self.names) + by
        async with asyncio.timeout(BACK_S), self._grown:
            await self._grown.wait_for(lambda: len(self.names) >= goal)


async def _write(api: Tapelog, project: str, stop: asyncio.Event, acknowledged: Acknowledged) -> None:
    """Create songs one after another; remember each acknowledged request and what it made."""
    while not stop.is_set():
        request_id = str(uuid.uuid4())
        while True:
            try:
                song = await api.songs.create(
                    project, f"Song {request_id}", sample_rate_hz=RATE_HZ, bit_depth=24, request_id=request_id
                )
            except (Unavailable, DeadlineExceeded):
                await asyncio.sleep(0.1)  # unknown: the same request again resolves it
            else:
                break
        await acknowledged.add(request_id, song.name)


async def _kill_again_and_again(system: System, part: str, acknowledged: Acknowledged) -> None:
    for _ in range(KILLS):
        await acknowledged.grow(COMMANDS_BETWEEN_KILLS)
        os.kill(system.pid(part), signal.SIGKILL)


@pytest.mark.parametrize("part", ["session", "nats"])
async def test_nothing_acknowledged_is_lost_when_a_part_is_killed_under_load(
    processes: System, part: str, row: Row
) -> None:
    """Writers keep creating songs while the part is killed five times: every acknowledged song is there, once."""
    acknowledged = Acknowledged()
    stop = asyncio.Event()
    async with processes.api("pty-producer") as api:
        studio = await open_studio(api, f"Kill {part}")
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(_write(studio.producer, studio.project, stop, acknowledged))
            try:
                await _kill_again_and_again(processes, part, acknowledged)
                await acknowledged.grow(COMMANDS_BETWEEN_KILLS)
            finally:
                stop.set()
        titles: dict[str, str] = {
            song.title: song.name
            async for song in studio.producer.songs.list(studio.project)
            if song.name != studio.song
        }

    lost = [request_id for request_id, name in acknowledged.names.items() if titles.get(f"Song {request_id}") != name]
    assert lost == []
    assert len(titles) == len(acknowledged.names)
    assert len(acknowledged.names) >= (KILLS + 1) * COMMANDS_BETWEEN_KILLS
    row(
        f"F01 {part}" if part == "session" else f"F02 {part}",
        f"SDK clients create songs, {part} killed {KILLS} times: every acknowledged song there, once",
        f"{len(acknowledged.names)} acked, lost 0, dup 0",
    )


async def test_an_event_stream_survives_the_death_of_notify(processes: System, row: Row) -> None:
    """A subscriber of the client sees every fact once and in order while notify is killed three times."""
    seen: list[str] = []
    async with processes.api("pty-studio-desk", tenant_roles=("AUDITOR",)) as api:
        studio = await open_studio(api, "Kill notify")
        acknowledged = Acknowledged()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_read_songs(api, studio.project_id, seen))
            writing = group.create_task(_write(studio.producer, studio.project, stop, acknowledged))
            for _ in range(3):
                await acknowledged.grow(COMMANDS_BETWEEN_KILLS)
                await _until_longer(seen)
                os.kill(processes.pid("notify"), signal.SIGKILL)
            await acknowledged.grow(COMMANDS_BETWEEN_KILLS)
            stop.set()
            await writing
            created = [name.split("/")[3] for name in acknowledged.names.values()]
            async with asyncio.timeout(BACK_S):
                await _until_seen(seen, created[-1])
            reading.cancel()

    assert [song for song in seen if song in created] == created
    assert len(seen) == len(set(seen))
    row(
        "F05 stream",
        "notify killed 3 times under a client's event stream: each fact once, in order",
        f"{len(created)} facts, lost 0, dup 0, reorder 0",
    )


async def _read_songs(api: Tapelog, project: str, seen: list[str]) -> None:
    types = ("tapelog.song.song_created.v1",)
    async with aclosing(api.events.subscribe(projects=[project], types=types, after_position=0)) as events:
        async for event in events:
            seen.append(event.song)  # noqa: PERF401 - one by one, as they come


async def _until_seen(seen: list[str], song: str) -> None:
    while song not in seen:  # noqa: ASYNC110 - the reader keeps a plain list, as a subscriber would
        await asyncio.sleep(0.02)


async def _until_longer(seen: list[str]) -> None:
    """Wait for the next event: the stream is alive (again)."""
    before = len(seen)
    async with asyncio.timeout(BACK_S):
        while len(seen) == before:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.02)


async def test_every_worker_killed_in_turn_still_gives_one_result_each(
    processes: System, tmp_path: Path, row: Row
) -> None:
    """Two mixes whose workers are both killed in the middle: each has one result, one usage entry."""
    async with processes.api("pty-producer") as api:
        studio = await open_studio(api, "Both workers")
        await record_stems(studio, tmp_path, tracks=8, length_s=41.0)
        versions = [
            await studio.mixing.versions.propose_mix(studio.song, recipe(studio, chain=30, gain_db=-float(number)))
            for number in range(2)
        ]
        jobs = [await job_of(api, studio, version) for version in versions]
        for worker in await asyncio.gather(*(worker_in_the_middle(studio.producer, job) for job in jobs)):
            kill_worker(processes, worker)
        rendered = await asyncio.gather(
            *(studio.producer.versions.wait_rendered(version.name, timeout_s=180) for version in versions)
        )

        assert [version.state for version in rendered] == [res.VERSION_STATE_RENDERED] * 2
        for job in jobs:
            await _settled_once(studio, job)
    row(
        "F04 workers",
        "both workers killed in the middle of a mix: one result and one bill each",
        "2 mixes, 2 results, 2 bills",
    )


async def _settled_once(studio: Studio, job: str) -> None:
    from tapelog.render.v1 import resources_pb2 as render

    settled = [
        entry
        async for entry in studio.producer.usage.entries(studio.project_id)
        if entry.job == job.split("/")[1] and entry.state == render.USAGE_STATE_SETTLED
    ]
    assert len(settled) == 1


async def test_a_render_survives_the_death_of_every_service(processes: System, tmp_path: Path, row: Row) -> None:
    """Session, render, notify and the broker are killed one after another while a mix renders: one result."""
    async with processes.api("pty-producer") as api:
        studio = await open_studio(api, "All die once")
        await record_stems(studio, tmp_path, tracks=8, length_s=42.0)
        version = await studio.mixing.versions.propose_mix(studio.song, recipe(studio, chain=30))
        job = await job_of(api, studio, version)
        await worker_in_the_middle(studio.producer, job)
        for part in ("session", "notify", "nats", "render"):
            os.kill(processes.pid(part), signal.SIGKILL)
        rendered = await studio.producer.versions.wait_rendered(version.name, timeout_s=240)

        assert rendered.state == res.VERSION_STATE_RENDERED
        await assert_recorded_once(studio, job)
    row(
        "F04 all", "session, notify, broker and render killed during a render: one result, one bill", "1 result, 1 bill"
    )
