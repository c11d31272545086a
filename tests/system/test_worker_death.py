"""A worker that dies in the middle of a job: the job is done once, by another."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Final

from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog

from .conftest import System
from .studio import Studio, open_studio, recipe, record_stems

TRACKS: Final = 8
LENGTH_S: Final = 40.0
CHAIN: Final = 30
"""Compressors a track: the mix takes long enough to be met in the middle."""
REDELIVERY_S: Final = 90.0
"""The queue waits 30 s for a worker's sign of life before it gives the job to another."""


async def test_a_job_whose_worker_is_killed_is_done_once_by_another(system: System, tmp_path: Path) -> None:
    """`kill -9` in the middle of a mix: one result, one settled usage entry, one VersionRendered."""
    async with system.api("pty-producer") as api:
        studio = await open_studio(api, "Worker death")
        await record_stems(studio, tmp_path, tracks=TRACKS, length_s=LENGTH_S)
        version = await studio.mixing.versions.propose_mix(studio.song, recipe(studio, chain=CHAIN))
        async with asyncio.timeout(REDELIVERY_S):
            job = await job_of(api, studio, version)
            worker = await worker_in_the_middle(studio.producer, job)
            kill_worker(system, worker)
            rendered = await studio.producer.versions.wait_rendered(version.name, timeout_s=REDELIVERY_S)

        ended = await studio.producer.renders.get(job)
        assert rendered.state == res.VERSION_STATE_RENDERED
        assert ended.state == render.JOB_STATE_SUCCEEDED
        assert ended.attempts == 2
        assert ended.worker != worker
        await assert_recorded_once(studio, job)


async def job_of(api: Tapelog, studio: Studio, version: res.Version) -> str:
    """Wait until the version's render job exists, and return its name."""
    key = "/".join(version.name.split("/")[-2:])
    while True:
        async for job in api.as_party("pty-producer").renders.list(project=studio.project_id):
            if job.reference.key == key:
                return job.name
        await asyncio.sleep(0.02)


async def worker_in_the_middle(api: Tapelog, job: str) -> str:
    """Wait until a worker has done a part of the job, and return which worker."""
    async with aclosing(api.renders.watch(job)) as states:
        async for state in states:
            assert state.state in (render.JOB_STATE_QUEUED, render.JOB_STATE_RUNNING), "the job ended too soon"
            if state.state == render.JOB_STATE_RUNNING and state.progress_percent > 0:
                return state.worker
    raise AssertionError("the watch ended before the job")


def kill_worker(system: System, worker: str) -> None:
    """`kill -9` the process whose number ends the worker's name."""
    pid = int(worker.rpartition("-")[2])
    victim = next(process for process in system.workers() if process.pid == pid)
    victim.kill()


async def assert_recorded_once(studio: Studio, job: str) -> None:
    """One VersionRendered on the song, one settled entry in the ledger."""
    types = [event.type async for event in studio.producer.songs.events(studio.song)]
    assert types.count("tapelog.song.version_rendered.v1") == 1
    entries = [
        entry
        async for entry in studio.producer.usage.entries(studio.project_id)
        if entry.job == job.split("/")[1] and entry.state == render.USAGE_STATE_SETTLED
    ]
    assert len(entries) == 1
