"""How long a song may grow: loading 1,000, 10,000 and 50,000 events from a real broker, with and without snapshot."""

import gc
import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.versioned import FORMAT
from tapelog_chassis.event_log import Metadata, NewEvent
from tapelog_chassis.testing import Broker
from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.song_snapshot import SongCodec
from tapelog_session.main import collect_seldom

SONG_MESSAGES = 4
"""Facts about one note in turn: added, answered, addressed, reopened; then the next note, over and over."""
NOTES = 4000
BATCH = 500
LOAD_S_MAX = 2.0


def history(count: int) -> list[Any]:
    """Return the facts of a much discussed song."""
    created = events_pb2.SongCreated(song="sng-1", project="prj-1", title="Long", sample_rate_hz=48_000, bit_depth=24)
    found: list[Any] = [created]
    turn = 0
    while len(found) < count:
        note, step = f"nt-{turn // SONG_MESSAGES % NOTES + 1}", turn % SONG_MESSAGES
        is_first = turn < NOTES * SONG_MESSAGES
        text = f"chorus {turn}: the voice could be a little louder against the guitars"
        if step == 0 and is_first:
            found.append(events_pb2.NoteAdded(note=pb.Note(id=note, text=text, severity=pb.NOTE_SEVERITY_SHOULD)))
        elif step == 1 and is_first:
            reply = pb.NoteReply(author="mia", author_role=pb.ROLE_MIXING_ENGINEER, text=text)
            found.append(events_pb2.NoteReplied(note=note, reply=reply))
        elif step == 2:
            found.append(events_pb2.NoteAddressed(note=note, answer=text))
        else:
            found.append(events_pb2.NoteReopened(note=note, reason=text))
        turn += 1
    return found


async def _write(broker: Broker, aggregates: Aggregates, count: int) -> Any:
    """Append the history in large appends."""
    log = await broker.log("session")
    aggregate = aggregates.songs.aggregate("acme", f"sng-{count}")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    sequence = 0
    facts = history(count)
    for first in range(0, count, BATCH):
        events = [
            NewEvent(
                event_id=str(uuid.uuid4()),
                type=EVENTS.type_of(fact),
                schema=fact.DESCRIPTOR.full_name,
                data=fact.SerializeToString(),
                time=start + timedelta(seconds=first + index),
            )
            for index, fact in enumerate(facts[first : first + BATCH])
        ]
        metadata = Metadata(actor="pia", project="prj-1", song=aggregate.id, request_id=str(uuid.uuid4()))
        sequence = (await log.append(aggregate, sequence, events, metadata))[-1].sequence
    return aggregate


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _loaded(aggregates: Aggregates, aggregate: Any) -> tuple[Any, float, float, float]:
    """Return the song, wall and processor time in s, and how much the process grew by in MiB."""
    gc.collect()
    before_mib, before_s, before_cpu_s = _rss_mib(), time.perf_counter(), time.process_time()
    versioned = await aggregates.songs.load(aggregate)
    spent_s, spent_cpu_s = time.perf_counter() - before_s, time.process_time() - before_cpu_s
    return versioned, spent_s, spent_cpu_s, _rss_mib() - before_mib


@pytest.mark.bench
@pytest.mark.parametrize("count", [1_000, 10_000, 50_000])
async def test_a_long_song_is_loaded_in_time(broker: Broker, count: int, capsys: Any) -> None:
    """50,000 events in 2 s or less, cold, as the service loads them; the snapshot gives the state of the whole fold."""
    collect_seldom()
    log, snapshots = await broker.log("session"), await broker.snapshots("session")
    aggregate = await _write(broker, Aggregates.on(log), count)
    runs = [await _loaded(Aggregates.on(log), aggregate) for _ in range(3)]
    folded, _, _, growth_mib = runs[0]
    seconds, cpu_s = min(run[1] for run in runs), min(run[2] for run in runs)
    await Aggregates.on(log, snapshots=snapshots).songs._history.keep_snapshot(aggregate, 0, folded)
    kept = await snapshots.get(aggregate, f"{FORMAT}-{SongCodec().schema_hash}")
    again = [await _loaded(Aggregates.on(log, snapshots=snapshots), aggregate) for _ in range(3)]
    assert again[0][0].state == folded.state
    size = f"{len(kept.data) / 1024:.0f} KiB" if kept else "too large to keep"
    with capsys.disabled():
        print(  # noqa: T201 - the figure is what the bench is for
            f"\n{count} events: {seconds:.3f} s ({cpu_s:.3f} s of processor time), {growth_mib:.0f} MiB; "
            f"with snapshot ({size}) "
            f"{min(run[1] for run in again):.3f} s"
        )
    assert min(run[1] for run in again) <= LOAD_S_MAX
