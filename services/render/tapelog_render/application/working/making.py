"""Making a result: fetch what it is made of, render, store what was made."""

import asyncio
import contextlib
import dataclasses
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, cast

from tapelog.render.v1.resources_pb2 import RenderedFile, RenderResult
from tapelog_chassis.failpoints import failpoint
from tapelog_chassis.objects import ObjectStore, ObjectStoreUnavailableError
from tapelog_chassis.observability import tracing

from tapelog_render.application.asking import specs
from tapelog_render.application.ports import Engine, EngineFailure, Made, Progress, RenderOrder
from tapelog_render.application.working.sources import ProvedFiles, fetch
from tapelog_render.domain.job import Job

PROGRESS_EVERY_S: Final = 0.1

Report = Callable[[Progress], Awaitable[None]]
"""Tells watchers how far an attempt is."""


async def make(
    engine: Engine, objects: ObjectStore, job: Job, *, proved: ProvedFiles, folder: Path, report: Report
) -> RenderResult:
    """Fetch, render and store; cancelling kills the work.

    Parameters
    ----------
    proved : ProvedFiles
        Which of the store's files need not be hashed again.
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
            sources, unproved = await fetch(objects, specs.assets_of(job.asked), folder)
            failpoint("render.fetch")
        with ticker.stage("render"):
            made = await _render(
                engine, RenderOrder(job.asked, sources, folder / "results"), ticker, proved.prove(unproved)
            )
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


async def _render(engine: Engine, order: RenderOrder, ticker: "_Ticker", proof: Coroutine[Any, Any, None]) -> Made:
    """Render, and prove the sources meanwhile: it is known what a result was made of before it is stored.

    A source that has decayed is the reason, whatever the engine made of it.
    """
    made, proved = await asyncio.gather(engine.render(order, ticker.advance), proof, return_exceptions=True)
    for outcome in (proved, made):
        if isinstance(outcome, BaseException):
            raise outcome
    return cast(Made, made)


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
