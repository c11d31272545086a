"""The render service as a process of its own: ready, killed, started again, stopped."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
from tapelog.render.v1.events_pb2 import UsageSettled
from tapelog.render.v1.render_service_pb2_grpc import RenderServiceStub
from tapelog.render.v1.resources_pb2 import JobState, UsageState
from tapelog_chassis.lifecycle import EXIT_CONFIG

from .conftest import StudioFactory
from .material import SONG, mix_job, mix_recipe, put_audio, tone
from .studio import Studio

READY_WITHIN_S = 30.0


@contextlib.asynccontextmanager
async def _service(studio: Studio) -> AsyncIterator[tuple[asyncio.subprocess.Process, Studio]]:
    """Run `python -m tapelog_render` beside the studio's own instance, and talk to it."""
    settings = studio.settings.model_copy(update={"spawn_workers": True, "workers": 1, "log_level": "info"})
    environment = {
        f"TAPELOG_{name.upper()}": str(value) for name, value in settings.model_dump().items() if value is not None
    }
    process = await _spawn(environment)
    try:
        address = await _address(process)
        async with grpc.aio.insecure_channel(address) as channel:
            studio.stub = RenderServiceStub(channel)
            yield process, studio
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _spawn(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tapelog_render",
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
        env={**os.environ, **environment},
    )


async def _address(process: asyncio.subprocess.Process) -> str:
    """Read the log until the service says that it is ready."""
    assert process.stderr is not None
    async with asyncio.timeout(READY_WITHIN_S):
        async for line in process.stderr:
            entry = json.loads(line)
            if entry["event"] == "ready" and "address" in entry:
                return str(entry["address"])
    raise AssertionError("the service ended before it was ready")


async def test_a_service_killed_in_the_middle_of_a_job_loses_nothing(open_studio: StudioFactory):
    """Kill -9 of the service takes its workers along in good order; started again, the job ends once, billed once."""
    async with open_studio(spawn_workers=False) as studio:
        assets = [await put_audio(studio.objects, studio.folder, tone(40.0, 110.0 * (n + 1), seed=n)) for n in range(8)]
        async with _service(studio) as (process, killed):
            job = await killed.create(mix_job(mix_recipe(assets * 10)))
            await killed.running(job.name)
            process.kill()
        async with _service(studio) as (process, again):
            ended = await again.ended(job.name)
            assert ended.state == JobState.JOB_STATE_SUCCEEDED
            assert (await again.event_names(job.name)).count("RenderSucceeded") == 1
            await again.usage(SONG, states={UsageState.USAGE_STATE_SETTLED})
            settled = [event for event in await again.usage_events(SONG) if isinstance(event, UsageSettled)]
            assert len(settled) == 1
            process.terminate()
            await process.communicate()
            assert process.returncode == 0


async def test_a_service_without_keys_says_so_and_exits_with_78(tmp_path: Path):
    """No token could be checked, so nothing is served; the exit code says that a restart does not help."""
    process = await _spawn({"TAPELOG_DATA_DIR": str(tmp_path)})
    _, log = await process.communicate()
    assert process.returncode == EXIT_CONFIG
    assert "jwks.json" in log.decode()
