"""Making a result: fetch what it is made of, render, store what was made."""

import asyncio
import contextlib
import dataclasses
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tapelog.render.v1.resources_pb2 import RenderedFile, RenderResult
from tapelog_chassis import tracing
from tapelog_chassis.failpoints import failpoint
from tapelog_chassis.objects import (
    ObjectCorruptError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
)

from tapelog_render.application import specs
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
    ticker = _Ticker(job.fence)
    reporter = asyncio.create_task(ticker.keep_reporting(report), name="progress")
    try:
        (folder / "results").mkdir(parents=True)
        with ticker.stage("fetch"):
            sources = await _fetch(objects, specs.assets_of(job.asked), folder)
            failpoint("render.fetch")
        with ticker.stage("render"):
            made = await engine.render(RenderOrder(job.asked, sources, folder / "results"), ticker.advance)
            tracing.note({f"engine.{stage}_s": seconds for stage, seconds in made.result.timings_s.items()})
        with ticker.stage("store"):
            result = await _store(objects, made)
    finally:
        reporter.cancel()
        await asyncio.gather(reporter, return_exceptions=True)
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
    for stage, seconds in ticker.seconds.items():
        result.timings_s[f"worker.{stage}"] = seconds
    return result


class _Ticker:
    """How far an attempt is: told by the engine, read by whoever watches."""

    def __init__(self, fence: int) -> None:
        self._latest = Progress(fence, 0.0, 0.0)
        self._render_start_s = 0.0
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Say that a stage is on, and how long it took when it has ended well."""
        start_s = self._render_start_s = time.monotonic()
        self._latest = dataclasses.replace(self._latest, stage=name, stage_seconds=dict(self.seconds))
        with tracing.span(name):
            yield
        self.seconds[name] = round(time.monotonic() - start_s, 4)

    def advance(self, share: float) -> None:
        """Take the share that the engine says is done."""
        failpoint("render.decode")
        if share >= 0.5:
            failpoint("render.mid_render")
        elapsed_s = time.monotonic() - self._render_start_s
        left_s = elapsed_s * (1.0 - share) / share if share > 0 else 0.0
        percent = round(100.0 * min(max(share, 0.0), 1.0), 1)
        self._latest = dataclasses.replace(self._latest, percent=percent, seconds_left=round(left_s, 1))

    async def keep_reporting(self, report: Report) -> None:
        """Report whatever changes, for ever."""
        reported = None
        while True:
            if self._latest != reported:
                reported = self._latest
                await report(reported)
            await asyncio.sleep(PROGRESS_EVERY_S)


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
            failpoint("render.upload")
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
