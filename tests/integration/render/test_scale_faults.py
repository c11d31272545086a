"""Hundreds of jobs while workers and the broker are killed; twelve songs mastered with a worker killed among them."""

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from tapelog.common.v1.recipe_pb2 import MasterRecipe, MasterTarget, RecipeSource
from tapelog.render.v1.events_pb2 import UsageSettled
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import AlbumSong, AlbumSpec, Batch, JobState, PriorityClass, RenderJob, RenderKind
from tapelog_chassis.testing import eventually

from tests.faults.harness.battery import Row
from tests.faults.harness.children import workers_under

from .material import analysis_job, master_job, mix_job, mix_recipe, put_audio, reference, tone
from .studio import ENDED, Studio, running_studio

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SETTLING_S = 600.0


async def ask(studio: Studio, jobs: list[RenderJob], **fields: object) -> Batch:
    """Ask for a batch, again with the same request_id while the service cannot say."""
    wanted = BatchCreateRenderJobsRequest(jobs=jobs, request_id=str(uuid.uuid4()), **fields)
    while True:
        try:
            return await studio.stub.BatchCreateRenderJobs(wanted, metadata=studio.caller(), timeout=30)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
            await asyncio.sleep(0.5)


async def state_of(studio: Studio, name: str) -> RenderJob | None:
    """Read a job, or None while the service cannot say."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        return await studio.get(name)
    return None


async def all_ended(studio: Studio, names: list[str]) -> dict[str, RenderJob]:
    """Wait until every job has ended."""
    ended: dict[str, RenderJob] = {}
    deadline_s = time.monotonic() + SETTLING_S
    while len(ended) < len(names):
        assert time.monotonic() < deadline_s, f"{len(names) - len(ended)} of {len(names)} jobs have not ended"
        for name in names:
            if name not in ended and (job := await state_of(studio, name)) is not None and job.state in ENDED:
                ended[name] = job
        await asyncio.sleep(0.5)
    return ended


@contextlib.asynccontextmanager
async def killing(studio: Studio, *, every_s: float, broker_at_s: tuple[float, ...]) -> AsyncIterator[Counter[str]]:
    """Kill random workers every few seconds, and the broker at some times, until the block ends."""
    kills: Counter[str] = Counter()
    chance = random.Random(20261120)

    async def workers() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * every_s)
            found = workers_under(psutil.Process(), recursive=True)
            if found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    chance.choice(found).kill()
                    kills["workers"] += 1

    async def broker() -> None:
        begun_s = time.monotonic()
        for at_s in broker_at_s:
            await asyncio.sleep(max(0.0, at_s - (time.monotonic() - begun_s)))
            await studio.broker.kill()
            kills["nats-server"] += 1

    tasks = [asyncio.create_task(workers()), asyncio.create_task(broker())]
    try:
        yield kills
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_three_hundred_jobs_through_deaths(tmp_path: Path, row: Row):
    """300 mixed jobs over 3 workers killed every few seconds, nats-server twice: each ends once and is billed once."""
    async with running_studio(tmp_path, workers=3, reconcile_every_s=1.0, reconcile_grace_s=0.5) as studio:
        assets = [await put_audio(studio.objects, studio.folder, tone(1.5, 150.0 + 9 * n, seed=n)) for n in range(6)]
        jobs = []
        for n in range(300):
            song = f"sng-{n}"
            if n % 3 == 0:
                jobs.append(analysis_job(assets[n % 6]))
            elif n % 3 == 1:
                jobs.append(mix_job(mix_recipe(assets, gain_db=-6.0 - 0.01 * n), song=song))
            else:
                jobs.append(master_job(assets[n % 6], song=song))
        begun_s = time.monotonic()
        async with killing(studio, every_s=1.5, broker_at_s=(2.0, 6.0)) as kills:
            batches = [await ask(studio, jobs[start : start + 100]) for start in range(0, 300, 100)]
            names = [job.name for batch in batches for job in batch.jobs]
            ended = await all_ended(studio, names)
        states = Counter(JobState.Name(job.state) for job in ended.values())
        assert states == {"JOB_STATE_SUCCEEDED": 300}, states
        billed = {
            name.removeprefix("renderJobs/")
            for name, job in ended.items()
            if job.kind != RenderKind.RENDER_KIND_ANALYSIS
        }

        async def settled() -> Counter[str]:
            return Counter(e.entry.job for e in await studio.account_events() if isinstance(e, UsageSettled))

        async def all_settled() -> bool:
            return set(await settled()) == billed

        await eventually(all_settled, within_s=60)
        assert set((await settled()).values()) == {1}
        succeeded = Counter()
        referenced = set(assets)
        for name, job in ended.items():
            succeeded[(await studio.event_names(name)).count("RenderSucceeded")] += 1
            referenced |= {audio.sha256 for audio in job.result.audio} | {file.sha256 for file in job.result.files}
        assert succeeded == {1: 300}
        # What a killed worker was writing lies under `partial`, where nobody looks, and is swept away a day later.
        stored = {path.name for path in (tmp_path / "objects" / "sha256").rglob("*") if path.is_file()}
        assert referenced <= stored
        orphans = stored - referenced

        async def is_empty() -> bool:
            return await studio.queue_depth() == 0

        await eventually(is_empty, within_s=60)
        row(
            "F04 batch",
            "300 jobs over 3 workers killed every 1.5 s, broker twice: each ends once, is billed once, orphans 0",
            f"{kills['workers']} workers and {kills['nats-server']} brokers killed in "
            f"{time.monotonic() - begun_s:.0f} s; 300 done, {len(billed)} billed once each, {len(orphans)} orphans",
        )
        assert not orphans
        assert kills["nats-server"] == 2
        assert kills["workers"] >= 3, "too little happened for the run to count"


def _song(n: int) -> np.ndarray:
    """Return a song, each louder than the one before."""
    return tone(12.0, 90.0 + 25 * n, channels=2, seed=n) * np.float32(0.5 + 0.04 * n)


def _album(assets: list[str]) -> RenderJob:
    songs = [AlbumSong(asset_sha256=asset, title=f"Song {n + 1}") for n, asset in enumerate(assets)]
    return RenderJob(
        kind=RenderKind.RENDER_KIND_ALBUM,
        album=AlbumSpec(songs=songs, target=MasterTarget(name="streaming")),
        reference=reference("albums/1", song="sng-s2-album"),
    )


async def test_an_album_is_mastered_with_a_worker_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row):
    """S2: 12 masters over 3 workers, one of which dies; one worker makes the same; a repetition costs nothing."""
    killed = tmp_path / "killed"
    killed.mkdir()
    monkeypatch.setenv("TAPELOG_FAILPOINT", f"render.before_commit:2@{killed}")  # a worker's second song is its last
    async with running_studio(tmp_path, workers=3, reuse_results=True) as studio:
        assets = [await put_audio(studio.objects, studio.folder, _song(n)) for n in range(12)]
        jobs = [_master(asset, f"sng-s2-{n}") for n, asset in enumerate(assets)]
        batch = await ask(studio, jobs)
        urgent = await studio.create(analysis_job(assets[0]))
        ended = await all_ended(studio, [*(job.name for job in batch.jobs), urgent.name])
        masters = [ended[job.name] for job in batch.jobs]
        assert {job.state for job in masters} == {JobState.JOB_STATE_SUCCEEDED}
        assert sorted(job.attempts for job in ended.values()) == [1] * 12 + [2]
        assert len(list(killed.iterdir())) == 1
        loudness = [job.result.audio[0].measurements.integrated_lufs for job in masters]
        peaks = [job.result.audio[0].measurements.true_peak_dbtp for job in masters]
        assert all(abs(lufs + 14.0) <= 0.5 for lufs in loudness), loudness
        assert max(peaks) <= -1.0 + 0.05
        finished = sorted(ended.values(), key=lambda job: job.end_time.ToNanoseconds())
        assert [job.name for job in finished].index(urgent.name) < len(finished) - 1
        settled = await _settled(studio, 12)
        assert set(settled.values()) == {1}
        again = await ask(studio, jobs)
        served = await all_ended(studio, [job.name for job in again.jobs])
        assert {job.result.reused_from for job in served.values()} == {job.name for job in masters}
        assert await _settled(studio, 12) == settled
        corrupt = await studio.objects.put_stream(_bytes(b"RIFF" + bytes(400)), max_bytes=1_000)
        part = await ask(studio, [*jobs[:2], _master(corrupt.sha256, "sng-s2-x")])
        last = await all_ended(studio, [job.name for job in part.jobs])
        assert [last[job.name].state for job in part.jobs] == [
            JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED,
        ]  # fmt: skip
        album = await studio.ended((await studio.create(_album(assets))).name)
        assert album.state == JobState.JOB_STATE_SUCCEEDED, album.error
        inside = [audio.measurements.integrated_lufs for audio in album.result.audio[:12]]
        assert inside == sorted(inside), "the songs' relative loudness is kept"
        digests = [job.result.audio[0].sample_digest for job in masters]
    async with running_studio(tmp_path / "alone", workers=1) as alone:
        copies = [await put_audio(alone.objects, alone.folder, _song(n)) for n in (0, 4)]
        for n, asset in zip((0, 4), copies, strict=True):
            assert asset == assets[n]
            job = await alone.ended((await alone.create(_master(asset, f"sng-s2-{n}"))).name)
            assert job.result.audio[0].sample_digest == digests[n]
    row(
        "F04 album",
        "12 masters over 3 workers of which one dies: the same bytes as of one worker, one bill each, repeats free",
        f"12 within {max(abs(lufs + 14.0) for lufs in loudness):.2f} LU of -14 LUFS, 12 bills, 12 repeats reused",
    )


def _master(asset: str, song: str) -> RenderJob:
    job = master_job(asset, song=song)
    job.master.recipe.CopyFrom(
        MasterRecipe(source=RecipeSource(asset_sha256=asset), target=MasterTarget(name="streaming", tolerance_lu=0.5))
    )
    job.priority_class = PriorityClass.PRIORITY_CLASS_BULK
    return job


async def _settled(studio: Studio, count: int) -> Counter[str]:
    """Wait for so many settlements and return them by song."""
    found: Counter[str] = Counter()

    async def are_there() -> bool:
        found.clear()
        found.update(e.entry.song for e in await studio.account_events() if isinstance(e, UsageSettled))
        return len(found) >= count

    await eventually(are_there, within_s=60)
    return found


async def _bytes(body: bytes) -> AsyncIterator[bytes]:
    yield body
