"""A render worker: `python -m tapelog_render.worker`. One process, one engine, one job at a time."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import structlog
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.errors import ConfigRefusal, DataLoss, ServiceError, WrittenByNewer
from tapelog_chassis.event_log import InvalidEvent, JetStreamEventLog
from tapelog_chassis.lifecycle import Ready, run_service
from tapelog_chassis.nats import RECONNECT_CROWD_S, connected
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.observability import tracing
from tapelog_chassis.observability.exposition import exposing

from tapelog_render.adapters.engine_process import EngineProcess
from tapelog_render.adapters.job_puller import DeliveredJob, JobPuller
from tapelog_render.adapters.processes import die_with, worker_id
from tapelog_render.adapters.signals import NatsWorkSignals
from tapelog_render.application.events import job_repository
from tapelog_render.application.ports import EngineFailure
from tapelog_render.application.working.work import Bench, work_on
from tapelog_render.settings import WorkerSettings

PAUSE_S: Final = 1.0
"""After a job could not be worked on because the log did not answer."""
NEWER_DELAY_S: Final = 30.0
"""Until a job that a newer version has written to is offered again, to whichever version's worker asks then."""
MIB: Final = 2**20

_log = structlog.get_logger(__name__)


async def run(settings: WorkerSettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Work until `stop` is set; then finish the job at hand, or give it back when that takes too long."""
    if settings.parent_pid and not die_with(settings.parent_pid, signal.SIGTERM):
        return
    worker = worker_id(os.getpid())
    hurry = asyncio.Event()
    structlog.contextvars.bind_contextvars(worker=worker)
    objects = ObjectStore(settings.objects_at)
    with own_folder(settings.scratch_root) as scratch:
        engine = EngineProcess(
            memory_limit_bytes=settings.job_memory_limit_mib * MIB,
            time_limit_s=settings.job_time_limit_s,
            read=() if objects.folder is None else (objects.folder,),
            write=(scratch,),
            sandbox_required=settings.sandbox_required,
            node_cache=settings.node_cache_at,
            node_cache_bytes=settings.node_cache_mib * MIB,
        )
        async with (
            connected(
                settings.nats_url,
                name="worker",
                creds=settings.nats_creds,
                tls_ca=settings.nats_tls_ca,
                tls_pair=settings.client_pair,
                reconnect_s=RECONNECT_CROWD_S,
            ) as connection,
            _started(engine),
            JobPuller(connection) as puller,
            exposing(settings) as metrics,
        ):
            bench = Bench(
                worker=worker,
                jobs=job_repository(JetStreamEventLog(connection)),
                objects=objects,
                engine=engine,
                signals=NatsWorkSignals(connection),
                heartbeat_s=settings.heartbeat_s,
                scratch=scratch,
                clock=SystemClock(),
                hurry=hurry,
            )
            ready(worker=worker, engine_version=engine.version, metrics=metrics)
            async with asyncio.TaskGroup() as group:
                deadline = group.create_task(_hurry_after(stop, hurry, settings.worker_drain_s))
                while (lease := await _next(puller, stop)) is not None:
                    await _work(bench, lease)
                deadline.cancel()


@contextlib.asynccontextmanager
async def _started(engine: EngineProcess) -> AsyncIterator[None]:
    """Start the engine before the first job, so that none waits for it."""
    try:
        await engine.start()
    except EngineFailure as failure:
        raise ConfigRefusal(f"this worker cannot render: {failure.message}") from failure
    try:
        yield
    finally:
        await engine.close()


async def _next(puller: JobPuller, stop: asyncio.Event) -> DeliveredJob | None:
    """Return the next job, or None when the worker is to stop."""
    if stop.is_set():
        return None
    taking = asyncio.create_task(puller.next())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
        return taking.result() if taking.done() else None
    finally:
        taking.cancel()
        stopping.cancel()
        await asyncio.gather(taking, stopping, return_exceptions=True)


async def _work(bench: Bench, lease: DeliveredJob) -> None:
    with structlog.contextvars.bound_contextvars(job=lease.key.job, tenant=lease.key.tenant):
        try:
            with tracing.span("work on a job", kind=tracing.SpanKind.CONSUMER, parent=lease.traceparent):
                await work_on(bench, lease)
        except InvalidEvent as error:
            await lease.refuse(f"it names no job: {error}")
        except DataLoss as failure:
            await lease.refuse(f"its history is damaged: {failure.message}")
        except WrittenByNewer as failure:
            _log.warning("job of a newer version given back", detail=failure.message)
            await lease.give_back(delay_s=NEWER_DELAY_S)
        except ServiceError as failure:
            # The lease runs out by itself and the job comes again, to whoever can reach the log then.
            _log.error("job put off", reason=failure.reason, detail=failure.message)
            await asyncio.sleep(PAUSE_S)


async def _hurry_after(stop: asyncio.Event, hurry: asyncio.Event, drain_s: float) -> None:
    await stop.wait()
    await asyncio.sleep(drain_s)
    hurry.set()


@contextlib.contextmanager
def own_folder(root: Path) -> Iterator[Path]:
    """Make a folder for this process alone, removed at its end; clear away those of processes that were killed."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for other in root.glob("wrk-*"):
        _remove_if_orphaned(other)
    folder = root / f"wrk-{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_if_orphaned(folder: Path) -> None:
    """Remove a folder that no living process holds."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


def main() -> int:
    """Run a worker process."""
    return run_service(run, WorkerSettings, service="render-worker", stop_s_max=120.0)


if __name__ == "__main__":
    sys.exit(main())
