"""A worker dies by SIGKILL at each place where a job can be half done; each job still ends once and is billed once."""

from pathlib import Path

import pytest
from tapelog.render.v1.resources_pb2 import JobState, UsageState
from tapelog_chassis.testing import eventually

from tests.faults.harness.battery import Row

from .studio import assert_ended_once, long_mix, running_studio

ROUNDS = 5
POINTS = ("fetch", "decode", "mid_render", "upload", "before_commit", "after_commit", "after_ack")


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_at(point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row):
    """Five jobs, a death each: one result, one event, one settlement; nothing half made stays in store or scratch."""
    hits = tmp_path / "hits"
    hits.mkdir()
    monkeypatch.setenv("TAPELOG_FAILPOINT", f"render.{point}@{hits}")
    named: set[str] = set()
    async with running_studio(tmp_path, workers=2, reconcile_every_s=0.2, reconcile_grace_s=0.0) as studio:
        for turn in range(ROUNDS):
            song = f"sng-{point}-{turn}".replace("_", "-")
            # Long enough that the engine tells of its middle.
            job = await studio.ended((await studio.create(await long_mix(studio, seconds=20, song=song))).name)
            await eventually(lambda: len(list(hits.iterdir())) == 1)
            await assert_ended_once(studio, job)
            assert job.state == JobState.JOB_STATE_SUCCEEDED
            named |= {audio.sha256 for audio in job.result.audio} | {file.sha256 for file in job.result.files}
            named |= {track.source.asset_sha256 for track in job.mix.recipe.tracks}
            (entry,) = await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED})
            settled = [event for event in await studio.usage_events(song) if type(event).__name__ == "UsageSettled"]
            assert (len(settled), entry.song) == (1, song)
            for hit in hits.iterdir():
                hit.unlink()
        await eventually(lambda: studio.pool.statistics.restarts >= ROUNDS - 1)

        async def is_empty() -> bool:
            return await studio.queue_depth() == 0

        await eventually(is_empty)
        # What a dead attempt had stored is what the living one stores: there is nothing beside, whole or partial.
        stored = {path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()}
        assert stored == named
    row(
        f"F04 {point}",
        f"worker dies there {ROUNDS} times: one result, one RenderSucceeded, one bill a job, orphans 0",
        f"{ROUNDS} deaths, {ROUNDS} results, {ROUNDS} bills, orphans 0",
    )
