"""A mix that kills its engine in every attempt, on the whole stack: one failure on the song, and one alert."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest
from tapelog.notify.v1 import alerts_pb2
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.testing import eventually
from tapelog_client import RenderNotDone, Tapelog

from tests.faults.harness.battery import Row

from .conftest import System
from .studio import open_studio, recipe, record_stems
from .test_worker_death import job_of

FAILED = "tapelog.render_job.render_failed.v1"
WAIT_S = 60.0


async def kill_every_engine_of(api: Tapelog, job: str) -> int:
    """End the engine by SIGSEGV in every attempt, as a hole in a decoder would; return how often."""
    killed: set[int] = set()
    while (state := await api.renders.get(job)).state in (render.JOB_STATE_QUEUED, render.JOB_STATE_RUNNING):
        if state.state == render.JOB_STATE_RUNNING and state.progress_percent > 0 and state.attempts not in killed:
            with contextlib.suppress(psutil.NoSuchProcess, ValueError):
                (engine,) = psutil.Process(int(state.worker.rpartition("-")[2])).children()
                os.kill(engine.pid, signal.SIGSEGV)
                killed.add(state.attempts)
        await asyncio.sleep(0.02)
    return len(killed)


@pytest.mark.faults
async def test_a_poison_mix_is_told_once(system: System, tmp_path: Path, row: Row) -> None:
    """F16: 3 attempts, 1 RenderFailed that is a dead letter, 1 alert raised once; the next mix is rendered."""
    async with system.api("pty-producer", tenant_roles=("ADMIN",)) as api:
        rule = alerts_pb2.AlertRule(
            title="A render was given up",
            filter={"types": [FAILED]},
            conditions=[
                alerts_pb2.AlertCondition(
                    field="data.is_dead_letter", operator=alerts_pb2.ALERT_OPERATOR_EQUAL, value="true"
                )
            ],
            severity=alerts_pb2.ALERT_SEVERITY_WARNING,
        )
        await api.alerts.create_rule(rule)
        studio = await open_studio(api, "Poison")
        await record_stems(studio, tmp_path, tracks=8, length_s=40.0)
        poison = await studio.mixing.versions.propose_mix(studio.song, recipe(studio, chain=30))
        async with asyncio.timeout(3 * WAIT_S):
            job = await job_of(api, studio, poison)
            assert await kill_every_engine_of(studio.producer, job) == 3
            with pytest.raises(RenderNotDone, match="ENGINE_DIED"):
                await studio.producer.versions.wait_rendered(poison.name, timeout_s=WAIT_S)
            good = await studio.mixing.versions.propose_mix(studio.song, recipe(studio))
            rendered = await studio.producer.versions.wait_rendered(good.name, timeout_s=WAIT_S)
        assert rendered.state == res.VERSION_STATE_RENDERED
        ended = await studio.producer.renders.get(job)
        assert (ended.state, ended.attempts) == (render.JOB_STATE_FAILED, 3)
        alerts: list[alerts_pb2.Alert] = []

        async def are_raised() -> bool:
            alerts[:] = [alert for alert in await api.alerts.open_alerts() if alert.title == rule.title]
            return bool(alerts)

        await eventually(are_raised, within_s=WAIT_S)
        (alert,) = alerts
        assert (alert.raised, len(alert.event_ids)) == (1, 1)
    row(
        "F16 stack",
        "a mix that kills its engine each time, on the whole stack: 1 failure, 1 alert, the next mix is made",
        "3 attempts, 1 failure, 1 alert raised once",
    )
