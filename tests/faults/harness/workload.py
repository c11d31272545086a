"""
Workload W: clients that write values into songs, one after another, and subscribers that watch.

A value is a note's text, `client-counter`, unique in a run. A call whose outcome is not known is logged as `info` and
asked again with the same request id until it is known; every tenth of these is left alone, as by a client that died.
"""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.testing import eventually
from tapelog_client import Tapelog
from tapelog_client.errors import (
    Aborted,
    DeadlineExceeded,
    ResourceExhausted,
    TapelogApiError,
    Unavailable,
    from_rpc_error,
)

from .history import History, Kind, Op, Window
from .rig import Rig
from .watching import CATCH_UP_S, SEED, caught_up, read_log, watch, watch_and_resume

CLIENTS: Final = 16
SONGS: Final = 10
CALL_S: Final = 2.0
"""Deadline of one attempt: as long as one publish of the service may take."""
AGAIN_S: Final = 0.1
ABANDONED: Final = 0.1
TOKEN_S: Final = 300.0
"""How long a token is used; it lives for 900."""
ON_THE_WAY_S: Final = 0.5
RATE_HZ: Final = 48_000
WRITER: Final = "pty-producer"
ARTIST: Final = "pty-artist"
MEMBERS: Final = (
    res.Member(party=WRITER, roles=[res.ROLE_STUDIO_PRODUCER]),
    res.Member(party=ARTIST, roles=[res.ROLE_ARTIST, res.ROLE_SONGWRITER]),
)
RETRIED: Final = (Unavailable, DeadlineExceeded, Aborted, ResourceExhausted)
"""After the first two nobody knows; the others say that nothing happened, and may be asked again too."""
UNKNOWN: Final = (Unavailable, DeadlineExceeded)


@dataclass
class Workload:
    """A run of W on a rig. Use as `async with workload(rig) as run`.

    Attributes
    ----------
    history : History
    acked : int
    attempts : int
        Calls made, repeats included.
    slowest_s : float
        Longest call of one attempt.
    codes : set of str
        Every code that a call ended with.
    is_cut : bool
        Set by `cut`: what happens from then on happens to a system that is no more.
    """

    rig: Rig
    songs: list[str]
    project: str
    history: History = field(default_factory=History)
    acked: int = 0
    attempts: int = 0
    slowest_s: float = 0.0
    codes: set[str] = field(default_factory=set)
    is_cut: bool = False
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def grow(self, by: int, within_s: float = CATCH_UP_S) -> float:
        """Wait for so many more acknowledgements; return how long it took, in seconds."""
        begun_s, goal = time.monotonic(), self.acked + by
        async with asyncio.timeout(within_s), self._grown:
            await self._grown.wait_for(lambda: self.acked >= goal)
        return time.monotonic() - begun_s

    async def followed(self, by: str = "steady", within_s: float = CATCH_UP_S) -> float:
        """Wait for a subscriber's next event; return how long it took, in seconds."""
        begun_s, seen = time.monotonic(), self.history.subscribers[by]
        before = len(seen)
        await eventually(lambda: len(seen) > before, within_s=within_s)
        return time.monotonic() - begun_s

    @asynccontextmanager
    async def fault(self, name: str) -> AsyncIterator[None]:
        """Note a fault: from here to the end of the block, in which the test also waits for the recovery."""
        begun_s = time.monotonic()
        yield
        self.history.windows.append(Window(name, begun_s, time.monotonic()))

    async def cut(self) -> None:
        """Take what answers are already on their way, then listen to nobody any more."""
        await asyncio.sleep(ON_THE_WAY_S)
        self.is_cut = True

    def note(self, kind: Kind, client: str, request: rpc.AddNoteRequest, *, attempt: int, code: str = "") -> None:
        """Write a line."""
        if self.is_cut:
            return
        song = request.song.rpartition("/")[2]
        self.history.ops.append(Op(time.monotonic(), client, song, request.text, kind, code, attempt))


@asynccontextmanager
async def workload(
    rig: Rig,
    *,
    clients: int = CLIENTS,
    songs: int = SONGS,
    call_s: float = CALL_S,
    pause_s: float = 0.0,
    subscribers: bool = True,
) -> AsyncIterator[Workload]:
    """Run W beside the block; at its end let the clients finish, wait for the subscribers, and read the log.

    Parameters
    ----------
    pause_s : float
        Mean of a client's wait between two values; 0 writes as fast as it goes.
    """
    async with rig.api(WRITER, tenant_roles=("AUDITOR",)) as api:
        project = await api.projects.create("W", "The Testers", MEMBERS)
        names = await asyncio.gather(*(_open_song(api, project.name, f"Song {n}") for n in range(songs)))
        run = Workload(rig, names, project.name.rpartition("/")[2])
        async with asyncio.TaskGroup() as group:
            watchers = [watch(run, api, "steady"), watch_and_resume(run, api, "resuming")] if subscribers else []
            watching = [group.create_task(watcher) for watcher in watchers]
            writing = [
                group.create_task(
                    Client(run, api, f"c{number:02}", call_s, random.Random(SEED + number)).write(number, pause_s)
                )
                for number in range(clients)
            ]
            try:
                yield run
            finally:
                run._stop.set()
            if not run.is_cut:
                await asyncio.gather(*writing)
                await read_log(run)
                await caught_up(run)
            for task in (*watching, *writing):
                task.cancel()


async def look_again(run: Workload, rig: Rig) -> None:
    """Read log and events of another system, started on what is left of the first one."""
    run.rig, run.is_cut, run.history.subscribers = rig, False, {}
    async with rig.api(WRITER, tenant_roles=("AUDITOR",)) as api:
        watching = asyncio.create_task(watch(run, api, "after"))
        try:
            await asyncio.sleep(0)
            await read_log(run)
            await caught_up(run)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _open_song(api: Tapelog, project: str, title: str) -> str:
    """Create a song and bring it to the stage in which notes are written."""
    song = (await api.songs.create(project, title, sample_rate_hz=RATE_HZ, bit_depth=24)).name
    artist = api.as_party(ARTIST)
    await artist.songs.register_work(song, title, [ARTIST])
    await artist.briefs.propose(song, brief_pb2.Brief(intent="Plain."))
    for person in (artist, api):
        await person.briefs.agree(song, 1)
        await person.songs.approve_arrangement(song)
    await api.stages.advance(song, res.STAGE_RECORDING)
    return song


@dataclass
class Client:
    """One of W's clients."""

    run: Workload
    api: Tapelog
    name: str
    call_s: float
    chance: random.Random

    def __post_init__(self) -> None:
        self._issuer = LocalIssuer.open(self.run.rig.plan.session.identity_dir)
        self._token, self._minted_s = "", float("-inf")

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the call's credentials."""
        if time.monotonic() - self._minted_s > TOKEN_S:
            self._token = self._issuer.mint(audiences=["session"], tenant="local", party=WRITER, kind="person")
            self._minted_s = time.monotonic()
        return (("authorization", f"Bearer {self._token}"),)

    async def write(self, number: int, pause_s: float) -> None:
        """Write values into songs in turn until told to stop."""
        counter, songs = 0, self.run.songs
        while not self.run._stop.is_set():
            request = rpc.AddNoteRequest(
                song=songs[(number + counter) % len(songs)],
                text=f"{self.name}-{counter}",
                severity=res.NOTE_SEVERITY_SHOULD,
                request_id=str(uuid.uuid4()),
            )
            await self._ask(request)
            counter += 1
            if pause_s:
                await asyncio.sleep(pause_s * self.chance.uniform(0.5, 1.5))

    async def _ask(self, request: rpc.AddNoteRequest) -> None:
        """Ask until the outcome is known, or leave it."""
        run, attempt, is_unknown = self.run, 0, False
        while True:
            attempt += 1
            failure = await self._attempt(request, attempt)
            if failure is None:
                return
            is_unknown = is_unknown or isinstance(failure, UNKNOWN)
            is_over = not isinstance(failure, RETRIED)
            run.note(
                "fail" if is_over and not is_unknown else "info",
                self.name,
                request,
                attempt=attempt,
                code=failure.code.name,
            )
            if is_over or (is_unknown and self.chance.random() < ABANDONED):
                return
            await asyncio.sleep(AGAIN_S * self.chance.uniform(0.5, 1.5))

    async def _attempt(self, request: rpc.AddNoteRequest, attempt: int) -> TapelogApiError | None:
        """Ask once; return the refusal."""
        run = self.run
        run.attempts += 1
        run.note("invoke", self.name, request, attempt=attempt)
        begun_s = time.monotonic()
        try:
            await self.api.notes._link.session.AddNote(request, timeout=self.call_s, metadata=self._metadata())
        except grpc.aio.AioRpcError as raised:
            failure = from_rpc_error(raised)
            run.codes.add(failure.code.name)
            return failure
        finally:
            run.slowest_s = max(run.slowest_s, time.monotonic() - begun_s)
        run.note("ok", self.name, request, attempt=attempt)
        async with run._grown:
            run.acked += 1
            run._grown.notify_all()
        return None
