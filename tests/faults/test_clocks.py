"""Clocks that are wrong: order, bills and retries do not follow them; tokens do, and are refused past a leeway."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client.errors import Unauthenticated

from tests.system.studio import open_studio, recipe, record_stems
from tests.system.test_worker_death import assert_recorded_once, job_of

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.clock import needs_faketime, skewed, steered
from .harness.rig import WORKER, Place, running
from .harness.workload import MEMBERS, Workload, workload

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), needs_faketime()]

STEPS: Final = ("+10m", "+0", "+5m", "+0")
SEEN_S: Final = 3.0
"""The library looks at its file every second."""
STEMS_S: Final = 10.0

Judge = Callable[[Workload], Verdict]


async def test_a_clock_that_jumps_ahead_and_back(tmp_path: Path, judged: Judge, row: Row) -> None:
    """The session service's time of day jumps by ten minutes, there and back, under W: the order is the sequence's."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    places = {
        "session": Place(environment=steered(clock)),
        "notify": Place(environment=skewed("-20s")),
    }
    async with running(tmp_path / "data", places=places) as rig, workload(rig) as run:
        run.history.planned = len(STEPS)
        await run.grow(100)
        for step in STEPS:
            async with run.fault(f"clock {step}"):
                clock.write_text(step)
                await asyncio.sleep(SEEN_S)
            await run.grow(300)
        async with rig.log() as log:
            times = [stored.time async for stored in log.read_all("session")]
    verdict = judged(run)
    jumps = [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
    row(
        "F19 step",
        "session's clock jumps by 10 min and back, notify's 20 s late: lost 0, dup 0, order by sequence",
        f"{verdict}; time stamps jump from {min(jumps):+.0f} s to {max(jumps):+.0f} s between neighbours",
    )
    assert min(jumps) < -200, "no clock jumped, so nothing was shown"
    assert max(jumps) > 200


async def test_a_worker_two_days_late_makes_the_same_bill(tmp_path: Path, row: Row) -> None:
    """A render by a worker whose clock is two days behind: one result, billed by its audio and by nothing else."""
    places = {
        "render": Place(settings={"spawn_workers": False}),
        WORKER: Place(environment=skewed("-2d")),
    }
    services = ("session", "notify", "render", WORKER)
    async with running(tmp_path / "data", services=services, places=places) as rig, rig.api("pty-producer") as api:
        studio = await open_studio(api, "Late")
        await record_stems(studio, tmp_path, tracks=2, length_s=STEMS_S)
        version = await studio.mixing.versions.propose_mix(studio.song, recipe(studio))
        job = await job_of(api, studio, version)
        rendered = await studio.producer.versions.wait_rendered(version.name, timeout_s=120)
        assert rendered.state == res.VERSION_STATE_RENDERED
        await assert_recorded_once(studio, job)
        settled = [
            entry
            async for entry in studio.producer.usage.entries(studio.project_id)
            if entry.job == job.split("/")[1] and entry.state == render.USAGE_STATE_SETTLED
        ]
    (audio,) = [audio for audio in rendered.audio if audio.format.length_frames][:1]
    made_ms = round(1000 * audio.format.length_frames / audio.format.sample_rate_hz)
    row(
        "F19 worker",
        "worker's clock 2 days behind: one result, one bill, of the audio's length",
        f"1 result, 1 bill of {settled[0].quantity_ms} ms for {made_ms} ms of audio",
    )
    assert [entry.quantity_ms for entry in settled] == [made_ms]


@pytest.mark.parametrize(("offset", "is_taken"), [("-20s", True), ("-70s", False), ("-10m", False)])
async def test_tokens_from_the_future_are_refused_beyond_their_leeway(
    offset: str, is_taken: bool, tmp_path: Path, row: Row
) -> None:
    """A service whose clock is behind takes a token for one from the future: 30 s are forgiven, more are not."""
    places = {"session": Place(environment=skewed(offset))}
    async with (
        running(tmp_path / "data", services=("session",), places=places) as rig,
        rig.api("pty-producer") as api,
    ):
        refused = ""
        try:
            await api.projects.create("Skewed", "The Testers", MEMBERS)
        except Unauthenticated as refusal:
            refused = refusal.reason
    row(
        f"F19 {offset}",
        "tokens are taken with a clock 20 s behind, refused with one 70 s or 10 min behind",
        "taken" if not refused else f"refused, {refused}",
    )
    assert (not refused) == is_taken
