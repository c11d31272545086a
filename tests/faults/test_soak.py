"""Half an hour of ordinary work, and what each process holds in memory and descriptors meanwhile: `make soak`."""

import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.nats import connected
from tapelog_chassis.testing import eventually
from tapelog_client import Tapelog

from tests.system.studio import Studio, open_studio, recipe, record_stems

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.children import workers_under
from .harness.rig import Rig, running
from .harness.samples import Track, sample
from .harness.workload import workload

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

PAUSE_S: Final = 3.0
"""Between two values of a client: about five a second from all. Each stays in the state of its song, which the session
service keeps at hand (2.4 KiB a note), so that more would be seen as growth, which it is."""
SONGS: Final = 20
ACKED_PER_S_MIN: Final = 2.0
RENDER_EVERY_S: Final = 15.0
RENDERED_S: Final = 300.0
VERSIONS_PER_SONG: Final = 150
WARM_UP: Final = 0.25
"""Share of the run that does not count: caches fill."""
RSS_MIB_PER_MIN: Final = 1.0
DESCRIPTORS_PER_MIN: Final = 0.1
"""Zero, but for a connection that happens to be open at a sample."""
BACKLOG_S: Final = 60.0

Judge = Callable[..., Verdict]


async def _render(api: Tapelog, folder: Path, done: list[str]) -> None:
    """Propose one mix after another, each another one, and wait for its audio; a new song when one is full of them."""
    for number in itertools.count():
        if number % VERSIONS_PER_SONG == 0:
            studio: Studio = await open_studio(api, f"Soak {number}")
            await record_stems(studio, folder, tracks=3, length_s=10.0)
        mix = recipe(studio, chain=2, gain_db=-float(number % VERSIONS_PER_SONG) / 10)
        version = await studio.mixing.versions.propose_mix(studio.song, mix)
        rendered = await studio.producer.versions.wait_rendered(version.name, timeout_s=RENDERED_S)
        assert rendered.state == res.VERSION_STATE_RENDERED
        done.append(version.name)
        await asyncio.sleep(RENDER_EVERY_S)


def _processes(rig: Rig) -> dict[str, psutil.Process]:
    """Return the system's processes by what they are."""
    found = {name: psutil.Process(pid) for name in ("nats", *rig.parts) if (pid := rig.pid(name))}
    workers = workers_under(found["render"])
    return found | {f"worker {number}": worker for number, worker in enumerate(workers)}


async def _backlog(rig: Rig) -> int:
    """Return how many messages wait for a consumer or its acknowledgement."""
    creds = rig.data_dir / "creds" / "admin.creds"
    waiting = 0
    async with connected(rig.plan.nats.url, name="admin", creds=creds) as admin:
        names = json.loads((await admin.request("$JS.API.STREAM.NAMES", b"")).data)["streams"] or []
        for name in names:
            listed = json.loads((await admin.request(f"$JS.API.CONSUMER.LIST.{name}", b"")).data)
            waiting += sum(one["num_pending"] + one["num_ack_pending"] for one in listed.get("consumers") or [])
    return waiting


async def test_half_an_hour_of_work(tmp_path: Path, judged: Judge, row: Row, request: pytest.FixtureRequest) -> None:
    """W at five values a second and a render every few seconds: memory flat, descriptors constant, nothing left."""
    minutes = float(request.config.getoption("--soak-minutes", 0) or 0)
    if not minutes:
        pytest.skip("takes half an hour: make soak, or --soak-minutes N")
    tracks: dict[str, Track] = {}
    done: list[str] = []
    async with running(tmp_path / "data", services=("session", "notify", "render")) as rig:
        async with (
            workload(rig, songs=SONGS, pause_s=PAUSE_S) as run,
            rig.api("pty-producer") as api,
            asyncio.TaskGroup() as group,
        ):
            beside = [
                group.create_task(_render(api, tmp_path, done)),
                group.create_task(sample(lambda: _processes(rig), tracks)),
            ]
            await asyncio.sleep(60 * minutes)
            for task in beside:
                task.cancel()
        verdict = judged(run, acked_per_s_min=ACKED_PER_S_MIN)

        async def is_done() -> bool:
            return await _backlog(rig) == 0

        await eventually(is_done, within_s=BACKLOG_S, every_s=0.5)
    _tell(row, minutes, verdict, len(done), tracks)
    for name, track in tracks.items():
        assert track.slope(track.rss_mib, WARM_UP * minutes) <= RSS_MIB_PER_MIN, name
        assert track.slope(track.descriptors, WARM_UP * minutes) <= DESCRIPTORS_PER_MIN, name


def _tell(row: Row, minutes: float, verdict: Verdict, renders: int, tracks: dict[str, Track]) -> None:
    told = "; ".join(f"{name} {track.told(WARM_UP * minutes)}" for name, track in sorted(tracks.items()))
    row(
        "L10 soak",
        f"{minutes:g} min of W and renders: RSS at most +{RSS_MIB_PER_MIN:g} MiB/min, descriptors constant, backlog 0",
        f"{verdict}; {renders} renders, backlog 0; {told}",
    )
