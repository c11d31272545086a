"""`verify_log` against a real broker's files: what somebody did to them is told, and nothing else."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client
from tapelog_chassis.anchors import LogGuard, journal_path, read_journal
from tapelog_chassis.anchors.guard import scan
from tapelog_chassis.event_log import AggregateId, CorruptStream, EventLog, JetStreamEventLog, LogTampered
from tapelog_chassis.nats import EmbeddedNats, NatsIdentity, api, connected
from tapelog_chassis.nats.permissions import MAINTENANCE, SERVICES
from tapelog_chassis.testing import embedded_nats, eventually, new_event
from tapelog_chassis.verification import LogReport, verify_log

from .event_log_contract import SONG, WHO

OTHER = AggregateId("session", "acme", "sng-2")
EVENTS = 40
BLOCKS = "nats/store/**/streams/ES_SESSION/msgs/*.blk"


async def fill(log: EventLog, folder: Path, count: int, *, first: int = 0) -> None:
    """Append events to two songs in turn, and have all of them anchored."""
    guard = LogGuard(log, folder, ("session",), delay_s=0.02)
    path = journal_path(folder, "session")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(guard.run())
        for n in range(first, first + count):
            song = SONG if n % 2 else OTHER
            await log.append(song, n // 2, [new_event(f"{n}", f"body of {n}".encode())], WHO)
        await eventually(lambda: bool(found := read_journal(path, "session")) and found[-1].events == first + count)
        task.cancel()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a stopped data folder with `EVENTS` events, anchored in two lines or more."""
    folder = tmp_path_factory.mktemp("filled")

    async def make() -> None:
        async with embedded_nats(folder) as broker:
            log = await broker.log("session")
            await fill(log, folder / "anchors", EVENTS // 2)
            await fill(log, folder / "anchors", EVENTS // 2, first=EVENTS // 2)

    asyncio.run(make())
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """Copy it, to be done something to."""
    return Path(shutil.copytree(filled, tmp_path / "data"))


@asynccontextmanager
async def reading(folder: Path, *, user: str = "maintenance") -> AsyncIterator[Client]:
    """Start the folder's broker and connect."""
    async with EmbeddedNats(folder, port=-1) as nats:
        creds = nats.identity.mint_user(user, MAINTENANCE if user == "maintenance" else SERVICES[user])
        async with connected(nats.url, name=user, creds=creds) as connection:
            yield connection


async def report_of(folder: Path) -> LogReport:
    """Verify the session log of a folder."""
    async with reading(folder) as connection:
        return await verify_log(connection, "session", folder / "anchors")


def block_of(folder: Path) -> Path:
    """Return the file in which the broker keeps the session's events."""
    (path,) = folder.glob(BLOCKS)
    return path


def forget_index(folder: Path) -> None:
    """Take away what the broker knows of its blocks, as after a kill."""
    for path in folder.glob("nats/store/**/index.db"):
        path.unlink()


async def test_an_untouched_log_is_right(folder: Path) -> None:
    """Every event is counted, every anchor compared, nothing is wrong."""
    found = await report_of(folder)
    assert found.wrong == []
    assert (found.place.events, found.aggregates) == (EVENTS, 2)
    assert found.anchors == len(read_journal(journal_path(folder / "anchors", "session"), "session")) >= 2


@pytest.mark.parametrize("word", [b"body of 7", b"tl-actor:", b"tl-role-used:", b"ce-source:", b"ce-time:"])
@pytest.mark.parametrize("keeps_index", [True, False], ids=["index", "no index"])
async def test_a_flipped_bit_in_the_brokers_file_is_found(folder: Path, word: bytes, keeps_index: bool) -> None:
    """One bit of one event, in the body or a header: whether the broker drops the event, cuts the log, or serves it."""
    block = block_of(folder)
    content = bytearray(block.read_bytes())
    content[content.index(word) + len(word)] ^= 1
    block.write_bytes(content)
    if not keeps_index:
        forget_index(folder)
    found = await report_of(folder)
    assert found.wrong_count >= 1, found


async def test_a_file_that_was_cut_is_found(folder: Path) -> None:
    """The last third of the block is gone: the broker starts as if nothing were missing."""
    block = block_of(folder)
    block.write_bytes(block.read_bytes()[: 2 * block.stat().st_size // 3])
    forget_index(folder)
    found = await report_of(folder)
    assert any("ends at position" in line or "missing" in line for line in found.wrong), found
    async with EmbeddedNats(folder, port=-1) as nats:
        creds = nats.identity.mint_user("session", SERVICES["session"])
        async with connected(nats.url, name="session", creds=creds) as connection:
            with pytest.raises(LogTampered, match="its end is missing"):
                await LogGuard(JetStreamEventLog(connection), folder / "anchors", ("session",)).check()


async def test_a_stream_that_is_gone_is_found(folder: Path) -> None:
    """A power cut can take a young stream with its definition."""
    async with reading(folder, user="admin") as admin:
        await api.request(admin, "STREAM.DELETE.ES_SESSION")
    assert (await report_of(folder)).wrong == ["the stream ES_SESSION is not there"]


async def test_a_missing_journal_is_told(folder: Path) -> None:
    """Without anchors the chains may be right, but nobody knows whether the end is there."""
    journal_path(folder / "anchors", "session").unlink()
    (line,) = (await report_of(folder)).wrong
    assert "no journal" in line


async def test_a_foreign_message_is_told_changes_no_anchor_and_can_be_taken_out(folder: Path) -> None:
    """Its song is refused, the other is extended and anchored; without it everything is as if it had not been there."""
    async with (
        reading(folder, user="session") as session,
        also(folder, session, "admin") as admin,
        also(folder, session, "maintenance") as reader,
    ):
        log = JetStreamEventLog(session)
        answer = await session.request(SONG.subject, b"junk", timeout=2)
        position = int(json.loads(answer.data)["seq"])
        await log.append(OTHER, EVENTS // 2, [new_event("behind", b"behind")], WHO)
        guard = LogGuard(log, folder / "anchors", ("session",), delay_s=0.02)
        await guard.check()
        await anchored(guard, folder, EVENTS + 1)
        found = await verify_log(reader, "session", folder / "anchors")
        assert found.closed == {SONG.subject}
        assert [line for line in found.wrong if f"position {position} is not an event" in line] == found.wrong
        assert len(guard.foreign["session"]) == 1
        with pytest.raises(CorruptStream, match=f"sequence {EVENTS // 2 + 1}"):
            await log.load(SONG)
        await api.request(admin, "STREAM.MSG.DELETE.ES_SESSION", {"seq": position})
        assert len(await log.load(SONG)) == EVENTS // 2
        anchors = read_journal(journal_path(folder / "anchors", "session"), "session")
        assert (await scan(log, "session", anchors)).events == EVENTS + 1
        (line,) = (await verify_log(reader, "session", folder / "anchors")).wrong
        assert f"before position {position + 1} are missing" in line


async def anchored(guard: LogGuard, folder: Path, events: int) -> None:
    """Let a guard anchor so many events."""
    path = journal_path(folder / "anchors", "session")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(guard.run())
        await eventually(lambda: read_journal(path, "session")[-1].events == events)
        task.cancel()


@asynccontextmanager
async def also(folder: Path, connection: Client, user: str) -> AsyncIterator[Client]:
    """Connect as another user to the broker that a connection is to."""
    creds = NatsIdentity.create(folder / "nats").mint_user(
        user, MAINTENANCE if user == "maintenance" else SERVICES[user]
    )
    async with connected(connection.connected_url.geturl(), name=user, creds=creds) as client:
        yield client
