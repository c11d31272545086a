"""Watching a job: every state from the log, progress as it is heard."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from tapelog.render.v1.resources_pb2 import JobState, RenderJob

from tapelog_render.application import views
from tapelog_render.application.access import Caller
from tapelog_render.application.events import job_aggregate
from tapelog_render.application.queries import Reader, load_job

PROGRESS_EVERY_S: Final = 0.25
"""How often progress is looked at while no state changes: four times a second looks smooth to a person."""


async def watch_render_job(reader: Reader, caller: Caller, name: str) -> AsyncIterator[RenderJob]:
    """Yield a job now and whenever its state or progress changes, until it has ended.

    No state is left out: every event of the job gives one message. Progress is the newest, not every tick.
    """
    key, versioned, _ = await load_job(reader, caller, name)
    jobs, aggregate = reader.repositories.jobs, job_aggregate(*key)
    with reader.index.watching(key) as changed:
        versioned = await jobs.load(aggregate)
        progress = reader.progress.progress_of(key)
        yield views.job_resource(versioned, progress)
        while not versioned.state.has_ended:
            is_running = versioned.state.state == JobState.JOB_STATE_RUNNING
            if await _wait(changed, PROGRESS_EVERY_S if is_running else None):
                newest = await jobs.load(aggregate)
                for sequence in range(versioned.sequence + 1, newest.sequence):
                    yield views.job_resource(await jobs.load(aggregate, as_of_sequence=sequence))
                if newest.sequence == versioned.sequence:
                    continue
                versioned = newest
                progress = reader.progress.progress_of(key)
                yield views.job_resource(versioned, progress)
            elif (latest := reader.progress.progress_of(key)) != progress:
                progress = latest
                yield views.job_resource(versioned, progress)


async def _wait(changed: asyncio.Event, timeout_s: float | None) -> bool:
    """Wait for a change of state; False when only time has passed."""
    try:
        async with asyncio.timeout(timeout_s):
            await changed.wait()
    except TimeoutError:
        return False
    changed.clear()
    return True
