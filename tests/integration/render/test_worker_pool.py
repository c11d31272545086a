"""The pool of worker processes, with processes that cannot work."""

import asyncio
from pathlib import Path

import pytest
from tapelog_chassis.errors import ConfigRefusal
from tapelog_render.adapters.worker_pool import WorkerPool


async def test_a_worker_that_refuses_its_set_up_ends_the_pool(tmp_path: Path):
    """A time limit that is no number stays none: the pool ends with the reason and starts no second worker."""
    deaths: list[str] = []

    async def note(worker: str) -> None:
        deaths.append(worker)

    environment = {"TAPELOG_DATA_DIR": str(tmp_path), "TAPELOG_JOB_TIME_LIMIT_S": "never"}
    pool = WorkerPool(1, environment, drain_s=1.0, on_death=note)
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.timeout(60.0):
            await pool.run(asyncio.Event())
    assert raised.value.subgroup(ConfigRefusal) is not None
    assert pool.statistics.restarts == 0
    assert deaths == []
