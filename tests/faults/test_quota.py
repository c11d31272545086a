"""One tenant fills what it may have: it is told at once, the other one notices nothing, and nothing is restarted."""

import statistics
import time
import uuid
from pathlib import Path
from typing import Final

import grpc
import pytest
from tapelog.render.v1.render_service_pb2 import CancelRenderJobRequest

from tests.integration.render.material import analysis_job, put_audio, tone
from tests.integration.render.studio import running_studio

from .harness.battery import Row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

QUOTA: Final = 30
REFUSALS: Final = 30
REFUSED_S: Final = 0.1


async def test_one_tenants_full_queue(tmp_path: Path, row: Row) -> None:
    """The 31st waiting job of 30 is refused by name in 100 ms; the neighbour's are all taken; a cancelled one heals."""
    async with running_studio(tmp_path, spawn_workers=False, tenant_queue_depth_max=QUOTA) as studio:
        job = analysis_job(await put_audio(studio.objects, studio.folder, tone(1.0, 220.0)))
        full, other = studio.caller(tenant="acme"), studio.caller(tenant="bell")
        waiting = [await studio.create(job, metadata=full) for _ in range(QUOTA)]
        took_s, reasons = [], set()
        for _ in range(REFUSALS):
            begun_s = time.monotonic()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await studio.create(job, metadata=full)
            took_s.append(time.monotonic() - begun_s)
            reasons.add((refused.value.code(), "wait or run already" in str(refused.value.details())))
        neighbours = [await studio.create(job, metadata=other) for _ in range(QUOTA)]
        await studio.stub.CancelRenderJob(
            CancelRenderJobRequest(name=waiting[0].name, request_id=str(uuid.uuid4())), metadata=full
        )
        healed = await studio.create(job, metadata=full)
    middle_s = statistics.median(took_s)
    row(
        "F14",
        "a tenant fills its quota: refused with the reason within 100 ms, others 0 errors, heals without a restart",
        f"{REFUSALS} refused in {1000 * middle_s:.0f} ms (median), the neighbour's {len(neighbours)} all taken, "
        "healed by one cancelled job",
    )
    assert reasons == {(grpc.StatusCode.RESOURCE_EXHAUSTED, True)}
    assert healed.name
    assert middle_s <= REFUSED_S
