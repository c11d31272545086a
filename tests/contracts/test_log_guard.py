"""Anchors outside of the broker: what is cut, rolled back, changed or forged is found, and nothing is added to it."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tapelog_chassis.anchors import Anchor, AnchorJournal, LogGuard, Rolling, journal_path, read_journal
from tapelog_chassis.anchors.guard import scan
from tapelog_chassis.anchors.journal import ANCHORS_MAX
from tapelog_chassis.anchors.journal import _hash as hash_of
from tapelog_chassis.event_log import (
    AggregateId,
    EventLog,
    JetStreamEventLog,
    LogTampered,
    LogUnavailable,
    MemoryEventLog,
    StoredEvent,
    chain,
)
from tapelog_chassis.nats import api
from tapelog_chassis.testing import Broker, embedded_nats, eventually, new_event

from .event_log_contract import SONG, WHO

OTHER = AggregateId("session", "acme", "sng-2")


async def fill(log: EventLog, count: int, *, first: int = 0, aggregate: AggregateId = SONG, word: str = "") -> None:
    """Append events one by one."""
    for n in range(first, first + count):
        await log.append(aggregate, n, [new_event(f"{aggregate.id}-{word}{n}", f"{word}{n}".encode())], WHO)


@asynccontextmanager
async def guarding(log: EventLog, folder: Path) -> AsyncIterator[LogGuard]:
    """Run a guard of the session log."""
    guard = LogGuard(log, folder, ("session",), delay_s=0.02)
    await guard.check()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(guard.run())
        try:
            yield guard
        finally:
            task.cancel()


def anchored(folder: Path) -> int:
    """Return the position of the last anchor."""
    anchors = read_journal(journal_path(folder, "session"), "session")
    return anchors[-1].position if anchors else 0


async def anchor(log: EventLog, folder: Path) -> None:
    """Let a guard anchor all there is, in at least one line."""
    head = await log.head("session")
    async with guarding(log, folder):
        await eventually(lambda: anchored(folder) == head)


async def rolling_by_hand(log: EventLog) -> Rolling:
    """Return the place at the log's end."""
    place = Rolling.start("session")
    async for event in log.read_all("session"):
        place = place.after(event)
    return place


class _Forged(MemoryEventLog):
    """A log of which somebody who knows all formulas has made another."""

    _is_forged = False

    def forge(self, events: list[StoredEvent]) -> None:
        self._contexts["session"] = events
        self._is_forged = True

    async def head(self, context: str) -> int:
        """Return the last event's position, which is its number no more."""
        return self._contexts[context][-1].position

    async def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """Yield what is behind a position."""
        for event in self._contexts[context]:
            if event.position > after_position:
                yield event

    async def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[StoredEvent]:
        """Yield nothing of a forged one: there is nothing new."""
        if self._is_forged:
            await asyncio.Event().wait()
        async for event in super().tail(context, after_position=after_position):
            yield event


async def test_a_log_that_only_grew_passes(tmp_path: Path) -> None:
    """Anchors carry on from one guard to the next; the last one is the digest of the whole log."""
    log = MemoryEventLog()
    await fill(log, 5)
    await anchor(log, tmp_path)
    await fill(log, 4, first=5)
    await anchor(log, tmp_path)
    anchors = read_journal(journal_path(tmp_path, "session"), "session")
    assert [item.position for item in anchors] == [5, 9]
    assert anchors[-1].rolling == await rolling_by_hand(log) == await scan(log, "session", anchors)
    assert journal_path(tmp_path, "session").stat().st_mode & 0o077 == 0


async def test_a_whole_history_written_anew_is_found(tmp_path: Path) -> None:
    """A log in which every chain is right, of the same length, is not the one that was anchored."""
    log = MemoryEventLog()
    await fill(log, 6)
    await anchor(log, tmp_path)
    other = MemoryEventLog()
    await fill(other, 6, word="forged")
    with pytest.raises(LogTampered, match="not the event that was there"):
        await LogGuard(other, tmp_path, ("session",)).check()


@pytest.mark.parametrize("lost", [1, 3, 6])
async def test_a_missing_end_is_found_at_the_start(lost: int, tmp_path: Path) -> None:
    """A log that ends before its anchor is refused; so is one that was cut and has grown beyond it since."""
    log = MemoryEventLog()
    await fill(log, 6)
    await anchor(log, tmp_path)
    cut = MemoryEventLog()
    await fill(cut, 6 - lost)
    guard = LogGuard(cut, tmp_path, ("session",))
    with pytest.raises(LogTampered, match="its end is missing"):
        await guard.check()
    await fill(cut, lost + 3, first=6 - lost, word="again")
    with pytest.raises(LogTampered, match="not the event that was there"):
        await guard.check()


async def test_a_hole_in_the_past_is_found_by_the_scan_and_appends_are_refused(tmp_path: Path) -> None:
    """The end fits, an aggregate's last event before it is missing: no chain tells, the digest does."""
    log = _Forged()
    await fill(log, 3)
    await fill(log, 3, aggregate=OTHER)
    await anchor(log, tmp_path)
    everything = [event async for event in log.read_all("session")]
    log.forge([event for event in everything if event.position != 3])
    guard = LogGuard(log, tmp_path, ("session",), scan_every_s=0.2)
    await guard.check()
    with pytest.raises(ExceptionGroup) as failures:
        await guard.run()
    assert failures.group_contains(LogTampered)
    with pytest.raises(LogTampered):
        await guard.log.append(SONG, 3, [new_event("x")], WHO)


async def test_a_change_of_a_header_in_the_past_is_found_by_the_scan(tmp_path: Path) -> None:
    """Another actor on an event that nobody loads is noticed."""
    log = _Forged()
    await fill(log, 6)
    await anchor(log, tmp_path)
    events = [event async for event in log.read_all("session")]
    metadata = replace(WHO, actor="pty-somebody-else")
    forged = replace(
        events[2], metadata=metadata, hash=chain.event_hash(events[2].previous_hash, 3, events[2], metadata)
    )
    log.forge([*events[:2], forged, *events[3:]])
    await LogGuard(log, tmp_path, ("session",)).check()
    anchors = read_journal(journal_path(tmp_path, "session"), "session")
    with pytest.raises(LogTampered, match="not what lay there"):
        await scan(log, "session", anchors)


async def test_every_changed_bit_of_a_journal_is_found(tmp_path: Path) -> None:
    """A journal of three lines: each flipped bit but one of a last line feed, each missing line, each swap."""
    with AnchorJournal(tmp_path, "session") as journal:
        place = Rolling.start("session")
        log = MemoryEventLog()
        await fill(log, 3)
        async for event in log.read_all("session"):
            place = place.after(event)
            journal.append(place)
    path = journal_path(tmp_path, "session")
    right = path.read_bytes()
    lines = right.splitlines(keepends=True)
    changed = [lines[1] + lines[2], lines[0] + lines[2], lines[1] + lines[0] + lines[2]]
    changed += [
        right[:at] + bytes([right[at] ^ (1 << bit)]) + right[at + 1 :] for at in range(len(right) - 1) for bit in (0, 6)
    ]
    for content in changed:
        path.write_bytes(content)
        with pytest.raises(LogTampered, match="journal"):
            read_journal(path, "session")
    path.write_bytes(right)
    with pytest.raises(LogTampered, match="journal"):
        read_journal(path, "render")


def test_a_long_journal_is_checked_whole_and_held_in_part(tmp_path: Path) -> None:
    """Of twenty thousand lines four thousand are held at most, the last among them; a change of any line is found."""
    place = Rolling.start("session")
    path, lines = journal_path(tmp_path, "session"), 20_000
    with AnchorJournal(tmp_path, "session") as journal:
        last = journal.append(replace(place, position=1, events=1))
    with path.open("ab") as file:
        for number in range(2, lines + 1):
            fields = {**asdict(last), "number": number, "position": number, "events": number}
            last = Anchor(**{**fields, "hash": hash_of(last.hash, fields)})
            file.write(json.dumps(asdict(last), separators=(",", ":")).encode() + b"\n")
    held = read_journal(path, "session")
    assert len(held) <= ANCHORS_MAX + 1
    assert held[-1] == last
    assert [item.position for item in held] == sorted({item.position for item in held})
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"number":777,', b'"number":778,'))
    with pytest.raises(LogTampered, match="line 777"):
        read_journal(path, "session")


async def test_a_torn_line_was_promised_to_nobody(tmp_path: Path) -> None:
    """What a crash left half written is cut off, and the journal goes on."""
    log = MemoryEventLog()
    await fill(log, 3)
    await anchor(log, tmp_path)
    path = journal_path(tmp_path, "session")
    with path.open("ab") as file:
        file.write(b'{"number":2,"position":7')
    await fill(log, 2, first=3)
    await anchor(log, tmp_path)
    assert [item.position for item in read_journal(path, "session")] == [3, 5]


async def test_a_second_guard_of_a_folder_waits_its_turn(tmp_path: Path) -> None:
    """Two processes on one folder do not both write; the second takes over when the first has ended."""
    log = MemoryEventLog()
    await fill(log, 2)
    async with guarding(log, tmp_path) as first:
        await eventually(lambda: anchored(tmp_path) == 2)
        with pytest.raises(BlockingIOError), AnchorJournal(tmp_path, "session"):
            pass
        assert first.tampered is None
    await fill(log, 2, first=2)
    await anchor(log, tmp_path)
    assert anchored(tmp_path) == 4


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a provisioned server."""
    async with embedded_nats(tmp_path / "data") as broker:
        yield broker


async def test_a_store_that_is_rolled_back_under_a_running_service_is_found(broker: Broker, tmp_path: Path) -> None:
    """
    The broker's files are put back to an older copy and the server is killed: the guard ends with what it found.

    Somebody appends as soon as the server is back, so that positions are given away a second time.
    """
    folder, store = tmp_path / "anchors", tmp_path / "data" / "nats" / "store"
    log = JetStreamEventLog(await broker.connect("session"))
    await fill(log, 5)
    os.kill(broker.server.pid, signal.SIGSTOP)
    shutil.copytree(store, tmp_path / "older")
    os.kill(broker.server.pid, signal.SIGCONT)
    await fill(log, 5, first=5)
    guard = LogGuard(JetStreamEventLog(await broker.connect("session")), folder, ("session",))
    running = asyncio.create_task(guard.run())
    await eventually(lambda: anchored(folder) == 10)
    os.kill(broker.server.pid, signal.SIGSTOP)
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "older", store)
    await broker.kill()
    await fill(JetStreamEventLog(await broker.connect("session")), 12, aggregate=OTHER)
    with pytest.raises(ExceptionGroup) as failures:
        await asyncio.wait_for(running, 20)
    assert failures.group_contains(LogTampered)
    with pytest.raises(LogTampered):
        await guard.log.append(OTHER, 12, [new_event("y")], WHO)
    with pytest.raises(LogTampered):
        await LogGuard(log, folder, ("session",)).check()


async def test_a_deleted_event_is_found_at_the_next_scan(broker: Broker, tmp_path: Path) -> None:
    """The broker's administrator removes one event in the middle by the broker's own command."""
    log = await broker.log("session")
    await fill(log, 4)
    await fill(log, 4, aggregate=OTHER)
    await anchor(log, tmp_path / "anchors")
    admin = await broker.connect("admin")
    await api.request(admin, "STREAM.MSG.DELETE.ES_SESSION", {"seq": 4})
    anchors = read_journal(journal_path(tmp_path / "anchors", "session"), "session")
    with pytest.raises(LogTampered, match="has 7 events"):
        await scan(log, "session", anchors)


async def test_an_unavailable_log_is_not_a_changed_one(broker: Broker, tmp_path: Path) -> None:
    """A server that does not answer makes the check fail with that, and nothing else."""
    connection = await broker.connect("session")
    log = JetStreamEventLog(connection, publish_timeout_s=0.1)
    await fill(log, 2)
    await anchor(log, tmp_path / "anchors")
    os.kill(broker.server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(LogUnavailable):
            await LogGuard(log, tmp_path / "anchors", ("session",)).check()
    finally:
        os.kill(broker.server.pid, signal.SIGCONT)
    assert json.loads(journal_path(tmp_path / "anchors", "session").read_text().splitlines()[-1])["position"] == 2


async def test_a_running_service_finds_a_hole_in_its_past(broker: Broker, tmp_path: Path) -> None:
    """Long after the start, with nothing new to read: the log is read again and again, and the service ends."""
    log = await broker.log("session")
    await fill(log, 4)
    await fill(log, 4, aggregate=OTHER)
    guard = LogGuard(log, tmp_path / "anchors", ("session",), delay_s=0.02, scan_every_s=0.2)
    await guard.check()
    running = asyncio.create_task(guard.run())
    await eventually(lambda: anchored(tmp_path / "anchors") == 8)
    admin = await broker.connect("admin")
    await api.request(admin, "STREAM.MSG.DELETE.ES_SESSION", {"seq": 4})
    with pytest.raises(ExceptionGroup) as failures:
        async with asyncio.timeout(30):
            await running
    assert failures.group_contains(LogTampered)
    with pytest.raises(LogTampered):
        await guard.log.append(SONG, 4, [new_event("x")], WHO)


@pytest.mark.nightly
async def test_a_change_is_found_within_a_minute_in_a_log_of_a_hundred_thousand_events(
    broker: Broker, tmp_path: Path
) -> None:
    """With the settings that services have; the time is printed."""
    log = await broker.log("session")
    for n in range(200):
        song = AggregateId("session", "acme", f"sng-{n}")
        await log.append(song, 0, [new_event(f"{n}-{k}", b"x" * 200) for k in range(500)], WHO)
    guard = LogGuard(log, tmp_path / "anchors", ("session",), key_folder=tmp_path / "keys")
    await guard.check()
    running = asyncio.create_task(guard.run())
    await eventually(lambda: anchored(tmp_path / "anchors") == 100_000, within_s=100)
    admin = await broker.connect("admin")
    await asyncio.sleep(30.0)  # somewhere in a reading
    began_s = time.monotonic()
    await api.request(admin, "STREAM.MSG.DELETE.ES_SESSION", {"seq": 40_000})
    with pytest.raises(ExceptionGroup):
        await running
    took_s = time.monotonic() - began_s
    sys.stderr.write(f"100,000 events, one deleted at run time: found after {took_s:.1f} s\n")
    assert took_s < 60
