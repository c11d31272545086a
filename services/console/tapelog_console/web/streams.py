"""Server-sent events: a page hears that something changed, and reads itself again."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import TapelogApiError

from tapelog_console.live.hub import Watcher
from tapelog_console.reading.alerts import read_alerts
from tapelog_console.reading.board import digest_of, read_board

from .context import api_of, console_of, person_of, song_of

TICK_S: Final = 1.0
"""How often a stream looks whether its browser has gone: a page that was left must not keep its seat."""
HEARTBEAT_S: Final = 15.0
"""Proxies cut connections that are silent for 30 s or more."""
STREAM_S_MAX: Final = 1800.0
"""After this the browser connects again, with a cookie and roles that are looked at anew."""
WRITE_S_MAX: Final = 10.0
"""A browser that takes nothing for this long is let go; its cursor brings it back without a loss."""
RETRY_MS: Final = 2_000
JOBS_MAX: Final = 8
"""Renders whose progress one page shows."""
BOARD_PAUSE_S: Final = 1.0
"""A board, or the alerts, are read at most this often for one page."""
ALERT_TYPES: Final = "tapelog.alert"
"""What the types of events about alerts and their rules begin with."""

_CURSOR: Final = re.compile(r"[0-9a-f]{1,32}")


class Stream:
    """One open event stream to a browser."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        self._lock = asyncio.Lock()
        self._begin_s = self._spoken_s = asyncio.get_running_loop().time()

    @property
    def cursor(self) -> str:
        """What the browser has seen: its own last id, else the one of its page."""
        value = self._request.headers.get("Last-Event-ID", "") or self._request.query.get("after", "")
        return value if _CURSOR.fullmatch(value) else ""

    async def open(self) -> None:
        """Begin to answer."""
        await self._response.prepare(self._request)
        await self._write(f"retry: {RETRY_MS}\n\n")

    async def send(self, event: str, data: object, *, cursor: str = "") -> None:
        """Send an event."""
        lines = [f"event: {event}", f"data: {json.dumps(data, separators=(',', ':'))}"]
        await self._write("\n".join([f"id: {cursor}", *lines] if cursor else lines) + "\n\n")

    async def is_open(self) -> bool:
        """Say whether the browser still listens; keeps the line alive."""
        transport = self._request.transport
        now_s = asyncio.get_running_loop().time()
        if transport is None or transport.is_closing() or now_s - self._begin_s > STREAM_S_MAX:
            return False
        console, person = console_of(self._request), person_of(self._request)
        if console.hub.is_closed or f"session:{person.session}" in console.spent:
            return False
        if now_s - self._spoken_s > HEARTBEAT_S:
            await self._write(": alive\n\n")
        return True

    async def _write(self, text: str) -> None:
        async with self._lock, asyncio.timeout(WRITE_S_MAX):
            await self._response.write(text.encode())
        self._spoken_s = asyncio.get_running_loop().time()

    async def close(self) -> web.StreamResponse:
        """End the answer, if anybody still hears it."""
        transport = self._request.transport
        if transport is not None and not transport.is_closing():
            await self._response.write_eof()
        return self._response


async def song_events(request: web.Request) -> web.StreamResponse:
    """Tell a song's page that the song moved on, and how far its renders are."""
    console, api, person, name = console_of(request), api_of(request), person_of(request), song_of(request)
    song = await api.songs.get(name)  # who may not read the song does not hear of it either
    _, project_id, _, song_id = name.split("/")
    with console.page_seats.take(person.tenant, person.party):
        async with console.hub.watch(person.tenant, frozenset({project_id}), song_id) as watcher:
            stream = Stream(request)
            await stream.open()
            follower = _SongFollower(stream, api, name)
            await _serve(stream, lambda: follower.run(watcher, song))
    return await stream.close()


async def alert_events(request: web.Request) -> web.StreamResponse:
    """Tell the page of alerts that one was raised, made silent or closed, or that a rule came or went."""
    console, api, person = console_of(request), api_of(request), person_of(request)
    shows_all = "all" in request.query
    await read_alerts(api)  # who may not read them does not hear of them either

    async def digest() -> str:
        return (await read_alerts(api, resolved=shows_all)).digest

    with console.page_seats.take(person.tenant, person.party):
        async with console.hub.watch(person.tenant, types=ALERT_TYPES) as watcher:
            stream = Stream(request)
            await stream.open()
            await _serve(stream, lambda: _follow(stream, watcher, digest))
    return await stream.close()


async def board_events(request: web.Request) -> web.StreamResponse:
    """Tell a board that one of its songs moved on."""
    console, api, person = console_of(request), api_of(request), person_of(request)
    project = f"projects/{request.match_info['project']}" if "project" in request.match_info else ""
    board = await read_board(api, person, project=project)
    ids = frozenset(item.name.split("/")[1] for item in board.projects)

    async def digest() -> str:
        return digest_of(await read_board(api, person, project=project))

    with console.page_seats.take(person.tenant, person.party):
        async with console.hub.watch(person.tenant, ids) as watcher:
            stream = Stream(request)
            await stream.open()
            await _serve(stream, lambda: _follow(stream, watcher, digest))
    return await stream.close()


async def _follow(stream: Stream, watcher: Watcher, digest: Callable[[], Awaitable[str]]) -> None:
    """Send that the page is not what it was, whenever its digest says so, for ever."""
    seen = stream.cursor
    while True:
        await watcher.changed()
        now = await digest()
        if now != seen:
            await stream.send("changed", {}, cursor=now)
            seen = now
        await asyncio.sleep(BOARD_PAUSE_S)


async def _serve(stream: Stream, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work until the browser has gone, the stream is old, or it may not listen any more."""
    task = asyncio.ensure_future(work())
    try:
        while not task.done() and await stream.is_open():
            await asyncio.wait({task}, timeout=TICK_S)
        if task.done():
            task.result()
    except Exception as error:  # noqa: BLE001 - looked at below; what nobody knows is raised again
        await _told(stream, first_leaf(error))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _told(stream: Stream, error: BaseException) -> None:
    """End a stream well: tell what a service refused; a browser that has gone, or takes nothing, needs no words."""
    if isinstance(error, TapelogApiError):
        with contextlib.suppress(ConnectionError, TimeoutError):
            await stream.send("ended", {"message": error.message})
    elif not isinstance(error, (ConnectionError, TimeoutError)):
        raise error


def first_leaf(error: BaseException) -> BaseException:
    """Return what a group of errors began with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _SongFollower:
    """Follows one song for one page."""

    def __init__(self, stream: Stream, api: Tapelog, name: str) -> None:
        self._stream = stream
        self._api = api
        self._name = name
        self._jobs: set[str] = set()

    async def run(self, watcher: Watcher, song: res.Song) -> None:
        """Send what changes, for ever."""
        seen = int(self._stream.cursor) if self._stream.cursor.isdigit() else song.sequence
        async with asyncio.TaskGroup() as group:
            self._follow_jobs(group, {job.split("/")[-1] for job in _open_jobs(song)})
            while True:
                change = await watcher.changed()
                sequence = change.sequence
                if change.unsure:
                    sequence = max(sequence, (await self._api.songs.get(self._name)).sequence)
                if sequence > seen or change.beside:
                    seen = max(sequence, seen)
                    await self._stream.send("changed", {"sequence": seen}, cursor=str(seen))
                self._follow_jobs(group, set(change.jobs))

    def _follow_jobs(self, group: asyncio.TaskGroup, jobs: set[str]) -> None:
        for job in sorted(jobs - self._jobs)[: max(JOBS_MAX - len(self._jobs), 0)]:
            self._jobs.add(job)
            group.create_task(self._progress(job), name=f"progress of {job}")

    async def _progress(self, job: str) -> None:
        """Send how far a render is, until it has ended."""
        try:
            async with contextlib.aclosing(self._api.renders.watch(f"renderJobs/{job}")) as states:
                async for state in states:
                    await self._stream.send("progress", _progress_of(state))
        except TapelogApiError as error:
            await self._stream.send("progress", {"job": job, "ended": True, "text": error.message})
        finally:
            self._jobs.discard(job)


def _progress_of(job: render.RenderJob) -> dict[str, object]:
    state = render.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()
    left = f", about {job.seconds_left:.0f} s left" if job.seconds_left else ""
    what = " ".join(job.reference.key.replace("Versions/", " ").split("/"))
    return {
        "job": job.name.split("/")[-1],
        "what": what,
        "percent": round(job.progress_percent),
        "text": f"{state}{left}",
        "ended": job.state not in (render.JOB_STATE_QUEUED, render.JOB_STATE_RUNNING),
    }


def _open_jobs(song: res.Song) -> list[str]:
    versions = [one.render_job for one in song.versions if one.state == res.VERSION_STATE_PROPOSED]
    alternates = [one.render_job for one in song.alternates if not one.HasField("audio") and not one.render_error]
    return [job for job in (*versions, *alternates) if job]
