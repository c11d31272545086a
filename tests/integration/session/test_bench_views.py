"""How long lists take to be made anew: `pytest -m bench -s tests/integration/session/test_bench_views.py`."""

import asyncio
import resource
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.event_log import EventLog, Metadata, NewEvent
from tapelog_chassis.testing import Broker
from tapelog_session.application.aggregates import CONTEXT, EVENTS, Aggregates
from tapelog_session.application.reading.views import Views

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

EVENTS_TOTAL: Final = 100_000
PER_SONG: Final = 500
SONGS_PER_PROJECT: Final = 10
WRITERS: Final = 4
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
REBUILD_S_MAX: Final = 60.0


def _project(project: str) -> Sequence[Message]:
    members = [events_pb2.MemberAdded(party=f"pty-{n}", roles=[pb.ROLE_ARTIST]) for n in range(9)]
    return [events_pb2.ProjectCreated(project=project, title="Album", artist_name="TNP"), *members]


def _song(project: str, song: str) -> Iterator[Message]:
    """Yield the facts of a busy song: notes that are answered, versions that are rendered and reviewed."""
    yield events_pb2.SongCreated(song=song, project=project, title=song, sample_rate_hz=48_000, external_ref=song)
    for number in range(1, PER_SONG):
        turn, note = number % 5, f"nt-{number // 5}"
        if turn == 0:
            sha256 = f"{number:064x}"
            audio = [audio_pb2.AudioResult(sha256=sha256, sample_digest=sha256, size_bytes=1 << 20)]
            yield events_pb2.VersionRendered(kind=pb.VERSION_KIND_MIX, number=number, audio=audio, render_job="job-1")
        elif turn == 1:
            yield events_pb2.VersionSubmittedForReview(kind=pb.VERSION_KIND_MIX, number=number, deadline_hours=24)
        elif turn == 2:
            content = pb.Note(id=note, text="louder, please", severity=pb.NOTE_SEVERITY_SHOULD)
            yield events_pb2.NoteAdded(note=content)
        elif turn == 3:
            yield events_pb2.NoteAddressed(note=note, answer="3 dB more")
        else:
            yield events_pb2.NoteVerified(note=note)


async def _append(log: EventLog, id_: str, project: str, facts: Sequence[Message]) -> None:
    aggregate = Aggregates.on(log).songs.aggregate("acme", id_)
    events = [
        NewEvent(
            event_id=str(uuid.uuid4()),
            type=EVENTS.type_of(fact),
            schema=fact.DESCRIPTOR.full_name,
            data=fact.SerializeToString(),
            time=START + timedelta(seconds=number),
        )
        for number, fact in enumerate(facts)
    ]
    await log.append(aggregate, 0, events, Metadata(actor="pia", project=project, song=id_))


async def _write(log: EventLog) -> int:
    """Append projects and songs until there are enough events; returns how many there are."""
    written, songs = 0, iter(range(EVENTS_TOTAL // PER_SONG + 1))
    places = [(number // SONGS_PER_PROJECT, number) for number in songs]
    for project in sorted({project for project, _ in places}):
        await _append(log, f"prj-{project}", f"prj-{project}", _project(f"prj-{project}"))
        written += len(_project(""))

    async def write(mine: Sequence[tuple[int, int]]) -> None:
        for project, song in mine:
            await _append(log, f"sng-{song}", f"prj-{project}", list(_song(f"prj-{project}", f"sng-{song}")))

    async with asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            group.create_task(write(places[writer::WRITERS]))
    return written + PER_SONG * len(places)


async def test_lists_are_made_anew_from_a_hundred_thousand_events(broker: Broker, capsys: Any) -> None:
    """Live rows that followed every event, rows rebuilt beside them, and rows of a new process are equal."""
    log = await broker.log("session")
    live = Views(log, CONTEXT, EVENTS)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(live.run())
        count = await _write(log)
        await live.caught_up(timeout_s=300)
        begun, cpu = time.perf_counter(), time.process_time()
        is_equal = await live.rebuild()
        rebuilt_s, rebuilt_cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        following.cancel()
    cold = Views(log, CONTEXT, EVENTS)
    begun = time.perf_counter()
    async for event in log.read_all(CONTEXT):
        cold.apply(event)
    cold_s = time.perf_counter() - begun
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what the bench is for
            f"\n{count} events: rebuilt while serving in {rebuilt_s:.2f} s ({rebuilt_cpu_s:.2f} s CPU, "
            f"{count / rebuilt_s:.0f} events/s), read cold in {cold_s:.2f} s, "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most"
        )
    assert count >= EVENTS_TOTAL
    assert is_equal
    assert cold._lists == live._lists
    assert rebuilt_s <= REBUILD_S_MAX
