"""What the platform costs beside the audio work: `pytest -m bench -s tests/integration/render/test_bench.py`."""

import statistics
import time
from pathlib import Path

import pytest
from tapelog.common.v1.recipe_pb2 import OutputFormat, RecipeSource
from tapelog.render.v1.resources_pb2 import JobState, RenderJob
from tapelog_desk import render_mix
from tapelog_render.application.events import REGISTRY

from .conftest import StudioFactory
from .material import analysis_job, mix_job, mix_recipe, put_audio, tone
from .studio import Studio, long_mix

pytestmark = pytest.mark.bench

JOBS = 20


async def _times_s(studio: Studio, job: RenderJob) -> dict[str, float]:
    """Return when a job's events happened, in seconds since it was asked for."""
    events = await studio.events(job.name)
    return {type(REGISTRY.decode(event)).__name__: (event.time - events[0].time).total_seconds() for event in events}


async def test_small_jobs_one_after_another(open_studio: StudioFactory):
    """An idle worker starts a job within 50 ms (median); what is not the engine's work is small."""
    async with open_studio(workers=1, ack_wait_s=30.0) as studio:
        asset = await put_audio(studio.objects, studio.folder, tone(1.0, 440.0))
        await studio.ended((await studio.create(analysis_job(asset))).name)
        calls, starts, rests = [], [], []
        for _ in range(JOBS):
            begin_s = time.perf_counter()
            created = await studio.create(analysis_job(asset))
            calls.append(time.perf_counter() - begin_s)
            job = await studio.ended(created.name)
            times_s = await _times_s(studio, job)
            starts.append(times_s["RenderStarted"])
            rests.append(times_s["RenderSucceeded"] - job.result.timings_s["worker.render"])
        for name, values in (("CreateRenderJob", calls), ("queue to start", starts), ("all but the engine", rests)):
            print(  # noqa: T201 - a bench reports
                f"{name}: p50 {1000 * statistics.median(values):.1f} ms, worst {1000 * max(values):.1f} ms, {JOBS} jobs"
            )
        assert statistics.median(starts) < 0.05


async def test_a_three_minute_mix_against_the_bare_engine(open_studio: StudioFactory, tmp_path: Path):
    """The same recipe through gRPC, queue, worker and store, and in this process: at most 3 % or 150 ms apart."""
    async with open_studio(workers=1, ack_wait_s=30.0) as studio:
        assets = [
            await put_audio(studio.objects, studio.folder, tone(180.0, 110.0 * (n + 1), seed=n)) for n in range(8)
        ]
        recipe = mix_recipe(assets)
        platform, engine, bare = [], [], []

        def resolve(source: RecipeSource) -> Path:
            path = studio.objects.local_path(source.asset_sha256)
            assert path is not None
            return path

        for n in range(3):
            job = await studio.ended((await studio.create(mix_job(recipe, key=f"mixVersions/{n}"))).name)
            platform.append((await _times_s(studio, job))["RenderSucceeded"])
            engine.append(job.result.timings_s["worker.render"])
            out = tmp_path / f"bare-{n}"
            out.mkdir()
            begin_s = time.perf_counter()
            rendered = render_mix(recipe, resolve, [OutputFormat(bit_depth=24)], out)
            bare.append(time.perf_counter() - begin_s)
            assert rendered.audio[0].result.sha256 == job.result.audio[0].sha256
        print(  # noqa: T201 - a bench reports
            f"3-minute mix of 8 tracks: platform {min(platform):.3f} s, its engine part {min(engine):.3f} s, "
            f"bare {min(bare):.3f} s; {', '.join(f'{k} {v:.3f}' for k, v in sorted(job.result.timings_s.items()))}"
        )


async def test_the_time_to_recover_from_a_killed_worker(open_studio: StudioFactory):
    """Kill -9 in the middle of a job, under the production lease: how long until another worker has started it."""
    async with open_studio(workers=2, ack_wait_s=30.0) as studio:
        waits = []
        for n in range(3):
            job = await studio.create(await long_mix(studio, song=f"sng-{n}"))
            running = await studio.running(job.name)
            killed_at_s = time.time()
            studio.worker_of(running).kill()
            ended = await studio.ended(job.name)
            assert ended.state == JobState.JOB_STATE_SUCCEEDED
            started = [event for event in await studio.events(job.name) if event.type.endswith("render_started.v1")]
            waits.append(started[-1].time.timestamp() - killed_at_s)
        print(f"kill -9 to the next start: {', '.join(f'{1000 * wait:.0f} ms' for wait in waits)}")  # noqa: T201
        assert max(waits) < 5.0
