"""Services in network namespaces of their own whose link to the broker goes down for seconds, without a word."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tapelog.session.v1 import resources_pb2 as res

from tests.system.studio import open_studio, recipe, record_stems
from tests.system.test_worker_death import assert_recorded_once, job_of

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.needs import root_and
from .harness.netns import TOOLS, Island, island
from .harness.ports import free_port
from .harness.proxy import proxying
from .harness.rig import Place, Rig, running
from .harness.workload import Workload, workload

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600), *root_and(*TOOLS)]

CUTS: Final = ("session", "notify", "session", "notify", "render")
DOWN_S: Final = 5.0
BACK_S: Final = 3.0
RENDERED_S: Final = 120.0

Judge = Callable[[Workload], Verdict]


@dataclass
class Archipelago:
    """A system whose services are apart."""

    rig: Rig
    islands: dict[str, Island]


@asynccontextmanager
async def apart(folder: Path) -> AsyncIterator[Archipelago]:
    """Run every service in a namespace of its own; the broker stays on this machine, behind a proxy on each link."""
    services = ("session", "notify", "render")
    async with AsyncExitStack() as stack:
        nats_port = free_port()
        islands, places = {}, {}
        for name in services:
            islands[name] = stack.enter_context(island())
            host = islands[name].host_address
            proxy = await stack.enter_async_context(proxying(("127.0.0.1", nats_port), host))
            settings = {"nats_url": f"nats://{host}:{proxy.port}", "host": f"unix:{folder}/{name}.sock"}
            if name == "session":
                settings["render_address"] = f"unix:{folder}/render.sock"
            if name == "render":
                settings["session_address"] = f"unix:{folder}/session.sock"
            places[name] = Place(settings=settings, prefix=islands[name].prefix)
        rig = await stack.enter_async_context(
            running(folder / "data", services=services, places=places, nats_port=nats_port)
        )
        yield Archipelago(rig, islands)


async def _cut(run: Workload, sea: Archipelago, name: str) -> float:
    """Take a link down for a while; return how long after it is up again W goes on, in seconds."""
    async with run.fault(f"cut {name}"):
        sea.islands[name].cut()
        await asyncio.sleep(DOWN_S)
        sea.islands[name].mend()
        begun_s = time.monotonic()
        if name == "session":
            await run.grow(32)
        elif name == "notify":
            await run.followed()
        return time.monotonic() - begun_s


async def test_links_that_go_down_for_five_seconds(tmp_path: Path, judged: Judge, row: Row) -> None:
    """Session, notify and render lose the broker in turn under W and a render: nothing lost, one result."""
    async with apart(tmp_path) as sea, workload(sea.rig) as run, sea.rig.api("pty-producer") as api:
        run.history.planned = len(CUTS)
        studio = await open_studio(api, "Apart")
        await record_stems(studio, tmp_path, tracks=4, length_s=20.0)
        back_s = []
        for name in CUTS[:-1]:
            await run.grow(100)
            back_s.append(await _cut(run, sea, name))
        version = await studio.mixing.versions.propose_mix(studio.song, recipe(studio, chain=20))
        job = await job_of(api, studio, version)
        await _cut(run, sea, CUTS[-1])
        rendered = await studio.producer.versions.wait_rendered(version.name, timeout_s=RENDERED_S)
        assert rendered.state == res.VERSION_STATE_RENDERED
        await assert_recorded_once(studio, job)
    verdict = judged(run)
    row(
        "F09",
        "link to the broker down for 5 s, 5 times: lost 0, dup 0; back within 3 s of the link",
        f"{verdict}; back after at most {max(back_s):.1f} s, one result and one bill of the render",
    )
    assert max(back_s) <= BACK_S
