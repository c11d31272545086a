"""W's subscribers, and what the log holds: what came of the values that clients wrote."""

import asyncio
import random
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from tapelog.session.v1 import events_pb2
from tapelog_client import Tapelog
from tapelog_client.errors import Unavailable

from .history import Seen

if TYPE_CHECKING:  # the workload runs the subscribers
    from .workload import Workload

RESUME_EVERY_S: Final = (1.0, 5.0)
STEP_BACK: Final = 40
SEED: Final = 20261120
CATCH_UP_S: Final = 60.0


async def watch(run: "Workload", api: Tapelog, name: str) -> None:
    """Follow the project from its first event; the client resumes by itself."""
    seen = run.history.subscribers.setdefault(name, [])
    async with aclosing(api.events.subscribe(projects=[run.project], after_position=0)) as events:
        async for event in events:
            if event.song:
                seen.append(_seen_of(event.song, event.sequence, event.id, event.data))


async def watch_and_resume(run: "Workload", api: Tapelog, name: str) -> None:
    """Follow it, end the stream at random, and begin anew from a cursor some events back."""
    seen, chance, cursor = run.history.subscribers.setdefault(name, []), random.Random(SEED), 0
    while True:
        end_s = time.monotonic() + chance.uniform(*RESUME_EVERY_S)
        async with aclosing(api.events.subscribe(projects=[run.project], after_position=cursor)) as events:
            while True:
                try:
                    async with asyncio.timeout(max(0.01, end_s - time.monotonic())):
                        event = await anext(events)
                except (TimeoutError, Unavailable):
                    break  # its time is over; or the stream was not opened even once, as the client says after a while
                cursor = event.position
                if event.song:
                    seen.append(_seen_of(event.song, event.sequence, event.id, event.data))
        cursor = max(0, cursor - chance.randrange(STEP_BACK))


def _seen_of(song: str, sequence: int, event_id: str, data: Any) -> Seen:
    added = events_pb2.NoteAdded()
    return Seen(song, sequence, event_id, added.note.text if data.Unpack(added) else "")


async def read_log(run: "Workload") -> None:
    """Read what the log holds of the run's songs, past the services."""
    songs = {song.rpartition("/")[2] for song in run.songs}
    async with run.rig.log() as log:
        run.history.log = []
        async for stored in log.read_all("session"):
            if stored.aggregate.id not in songs:
                continue
            added = events_pb2.NoteAdded()
            is_note = stored.schema == added.DESCRIPTOR.full_name
            text = events_pb2.NoteAdded.FromString(stored.data).note.text if is_note else ""
            run.history.log.append(Seen(stored.aggregate.id, stored.sequence, stored.event_id, text))


async def caught_up(run: "Workload") -> None:
    """Wait until every subscriber has seen the last event of every song."""
    ends = {seen.song: seen.event_id for seen in run.history.log}
    deadline_s = time.monotonic() + CATCH_UP_S
    for seen in run.history.subscribers.values():
        while not set(ends.values()) <= {event.event_id for event in seen}:
            if time.monotonic() > deadline_s:
                return  # the checker says what is missing
            await asyncio.sleep(0.1)
