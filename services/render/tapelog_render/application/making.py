"""Making a result: fetch what it is made of, render, store what was made."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from tapelog.render.v1.resources_pb2 import RenderedFile, RenderResult
from tapelog_chassis.objects import (
    ObjectCorruptError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
)

from tapelog_render.application import admission
from tapelog_render.application.ports import Engine, EngineFailure, Made, Progress, RenderOrder
from tapelog_render.domain.job import Job

PROGRESS_EVERY_S: Final = 0.1

Report = Callable[[Progress], Awaitable[None]]
"""Tells watchers how far an attempt is."""


async def make(engine: Engine, objects: ObjectStore, job: Job, *, folder: Path, report: Report) -> RenderResult:
    """Fetch, render and store; cancelling kills the work.

    Parameters
    ----------
    folder : Path
        Made for this attempt alone, and removed at its end.

    Raises
    ------
    EngineFailure
    """
    timings_s: dict[str, float] = {}
    try:
        (folder / "results").mkdir(parents=True)
        with _timed(timings_s, "fetch"):
            sources = await _fetch(objects, admission.assets_of(job.asked), folder)
        order = RenderOrder(job.asked, sources, folder / "results")
        with _timed(timings_s, "engine"):
            made = await _render(engine, job.fence, order, report)
        with _timed(timings_s, "store"):
            result = await _store(objects, made)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
    for stage, seconds in timings_s.items():
        result.timings_s[f"worker.{stage}"] = round(seconds, 4)
    return result


async def _render(engine: Engine, fence: int, order: RenderOrder, report: Report) -> Made:
    """Run the engine, and tell watchers how far it is."""
    start_s = time.monotonic()
    latest = Progress(fence, 0.0, 0.0)

    def on_progress(share: float) -> None:
        nonlocal latest
        elapsed_s = time.monotonic() - start_s
        left_s = elapsed_s * (1.0 - share) / share if share > 0 else 0.0
        latest = Progress(fence, round(100.0 * min(max(share, 0.0), 1.0), 1), round(left_s, 1))

    async def keep_reporting() -> None:
        reported = None
        while True:
            if latest != reported:
                reported = latest
                await report(reported)
            await asyncio.sleep(PROGRESS_EVERY_S)

    reporter = asyncio.create_task(keep_reporting(), name="progress")
    try:
        return await engine.render(order, on_progress)
    finally:
        reporter.cancel()
        await asyncio.gather(reporter, return_exceptions=True)


async def _fetch(objects: ObjectStore, assets: Sequence[str], folder: Path) -> dict[str, Path]:
    """Return a file for every asset: the store's own where it is a local folder, else a copy."""
    sources = {}
    for sha256 in assets:
        path = objects.local_path(sha256)
        if path is None:
            path = folder / sha256
            try:
                await objects.fetch_to(sha256, path)
            except ObjectNotFoundError as error:
                raise EngineFailure(
                    "SOURCE_MISSING",
                    f"asset {sha256} is not in the object store: upload it again, then ask for the render again",
                    is_final=True,
                ) from error
            except ObjectCorruptError as error:
                raise EngineFailure("SOURCE_CORRUPT", str(error), is_final=False) from error
            except ObjectStoreUnavailableError as error:
                raise EngineFailure("OBJECT_STORE_UNAVAILABLE", str(error), is_final=False) from error
        sources[sha256] = path
    return sources


async def _store(objects: ObjectStore, made: Made) -> RenderResult:
    """Put everything that was made into the object store, under its own digest."""
    result = RenderResult()
    result.CopyFrom(made.result)
    try:
        for audio, path in zip(result.audio, made.audio, strict=True):
            if path is None:
                continue
            ref = await objects.put_file(path)
            if ref.sha256 != audio.sha256:
                raise EngineFailure(
                    "RESULT_CHANGED",
                    f"the rendered file has SHA-256 {ref.sha256} on disk, the engine wrote {audio.sha256}",
                    is_final=False,
                )
        for file in made.files:
            ref = await objects.put_file(file.path)
            result.files.append(
                RenderedFile(role=file.role, sha256=ref.sha256, media_type=file.media_type, size_bytes=ref.size_bytes)
            )
    except ObjectStoreUnavailableError as error:
        raise EngineFailure("OBJECT_STORE_UNAVAILABLE", str(error), is_final=False) from error
    return result


class _timed(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a word in a `with`
    """Adds the seconds spent inside to a mapping."""

    def __init__(self, timings_s: dict[str, float], stage: str) -> None:
        self._timings_s = timings_s
        self._stage = stage
        self._start_s = 0.0

    def __enter__(self) -> None:
        self._start_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._timings_s[self._stage] = time.monotonic() - self._start_s
