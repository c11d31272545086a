"""The logs in a backup: each message is written once, whatever was changed is found and written again."""

import shutil
from pathlib import Path

import pytest
from nats.aio.client import Client
from tapelog_chassis.nats import api, connected
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.nats.stream_copy import snapshot_stream
from tapelog_chassis.testing import Broker, embedded_nats
from tapelog_chassis.topology import SESSION_PROCESS, es_stream
from tapelog_cli.backup.archive import Records
from tapelog_cli.backup.crc32c import crc32c
from tapelog_cli.backup.errors import ArchiveError, BackupDamaged
from tapelog_cli.backup.keystore import keystore_beside
from tapelog_cli.backup.layout import layout_of
from tapelog_cli.backup.make import LOGS, make_backup
from tapelog_cli.backup.manifest import Manifest
from tapelog_cli.backup.restore import Source, restore_backup
from tapelog_cli.backup.s2 import IDENTIFIER, S2Reader, encoded
from tapelog_cli.backup.sealing import Seal
from tapelog_cli.backup.streams import copy_whole

from tests.faults.harness.battery import Row
from tests.faults.harness.quiet import Stopwatch

from .logs import CONTEXT, fill

LOG = es_stream(CONTEXT)
TOTAL, LATER = 100_000, 1_000
RESTORED_S = 60.0


@pytest.fixture
async def broker(tmp_path: Path):
    """Run a provisioned server on a data folder."""
    async with embedded_nats(tmp_path / "data") as broker:
        yield broker


@pytest.fixture
async def reader(broker: Broker):
    """Connect as the one who makes backups."""
    creds = broker.server.identity.mint_user("maintenance", MAINTENANCE)
    async with connected(broker.url, name="maintenance", creds=creds) as connection:
        yield connection


async def events_of(broker: Broker) -> list[object]:
    """Return the whole log."""
    return [event async for event in (await broker.log(CONTEXT)).read_all(CONTEXT)]


def source_of(copy: Path, seal: Seal | None = None) -> Source:
    """Return a backup with the keystore beside it."""
    return Source(folder=copy, keystore=keystore_beside(copy), seal=seal)


@pytest.mark.parametrize("is_sealed", [False, True])
async def test_a_run_writes_what_is_new(broker: Broker, reader: Client, tmp_path: Path, *, is_sealed: bool) -> None:
    """400 events, then 20, then none: each is written once; restored, log and places are those of the last run."""
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    seal = Seal.read(tmp_path / "key", create=True) if is_sealed else None
    log = await broker.log(CONTEXT)
    await fill(log, data / "anchors", 400)
    one, _ = await make_backup(reader, layout_of(data), copy, seal=seal)
    await fill(log, data / "anchors", 20, first=400)
    subscription = await (await broker.connect(CONTEXT)).jetstream().pull_subscribe_bind(SESSION_PROCESS, LOG)
    for message in await subscription.fetch(7, timeout=5):
        await message.ack_sync()
    two, copied = await make_backup(reader, layout_of(data), copy, seal=seal)
    assert one.streams[LOG].segments == two.streams[LOG].segments[:1]
    assert [(part.first, part.last) for part in two.streams[LOG].segments] == [(1, 400), (401, 420)]
    assert two.streams[LOG].segments[1].size_bytes < one.streams[LOG].segments[0].size_bytes / 5
    assert copied.stream_bytes_kept == one.streams[LOG].segments[0].size_bytes
    events = await events_of(broker)
    three, copied = await make_backup(reader, layout_of(data), copy, seal=seal)
    assert three.streams[LOG].segments == two.streams[LOG].segments
    assert {part.name for part in (copy / "streams").glob(f"{LOG}-*")} == {name for name, _ in three.streams[LOG].parts}
    await restore_backup(source_of(copy, seal), new)
    async with embedded_nats(new) as second:
        assert await events_of(second) == events
        info = await api.request(await second.connect(CONTEXT), f"CONSUMER.INFO.{LOG}.{SESSION_PROCESS}")
        assert info["ack_floor"]["stream_seq"] == 7


async def test_many_runs_make_few_segments(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """After 12 runs of ten events each there are at most four, without a gap, and the log is whole."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    log = await broker.log(CONTEXT)
    for run in range(12):
        await fill(log, data / "anchors", 10, first=10 * run)
        manifest, _ = await make_backup(reader, layout_of(data), copy)
        ends = [(part.first, part.last) for part in manifest.streams[LOG].segments]
        assert len(ends) <= 4
        assert [first for first, _ in ends] == [1, *(last + 1 for _, last in ends[:-1])]
        assert ends[-1][1] == 10 * (run + 1)
    events = await events_of(broker)
    await restore_backup(source_of(copy), tmp_path / "new")
    async with embedded_nats(tmp_path / "new") as second:
        assert await events_of(second) == events


@pytest.mark.parametrize("harm", ["changed", "missing"])
async def test_a_damaged_segment_is_found_and_written_again(
    broker: Broker, reader: Client, tmp_path: Path, harm: str
) -> None:
    """It is not restored from; the next run writes it again, and what was behind it."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    log = await broker.log(CONTEXT)
    await fill(log, data / "anchors", 200)
    await make_backup(reader, layout_of(data), copy)
    await fill(log, data / "anchors", 20, first=200)
    manifest, _ = await make_backup(reader, layout_of(data), copy)
    path = copy / "streams" / manifest.streams[LOG].segments[0].file
    content = path.read_bytes()
    path.unlink()
    if harm == "changed":
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(BackupDamaged, match=path.name):
        await restore_backup(source_of(copy), tmp_path / "new")
    await make_backup(reader, layout_of(data), copy)
    restored = await restore_backup(source_of(copy), tmp_path / "new")
    assert restored.heads[CONTEXT]["events"] == 220


async def test_another_log_is_copied_from_its_beginning(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """A backup of one log is not continued with messages of another one, however long that is."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    await fill(await broker.log(CONTEXT), data / "anchors", 40)
    await make_backup(reader, layout_of(data), copy)
    async with embedded_nats(tmp_path / "other") as other:
        await fill(await other.log(CONTEXT), tmp_path / "other" / "anchors", 60, body=b"another")
        events = await events_of(other)
        creds = other.server.identity.mint_user("maintenance", MAINTENANCE)
        async with connected(other.url, name="maintenance", creds=creds) as connection:
            manifest, _ = await make_backup(connection, layout_of(tmp_path / "other"), copy)
    assert [(part.first, part.last) for part in manifest.streams[LOG].segments] == [(1, 60)]
    await restore_backup(source_of(copy), tmp_path / "new")
    async with embedded_nats(tmp_path / "new") as second:
        assert await events_of(second) == events


async def test_a_backup_of_the_form_before_is_restored(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """Version 2 has each stream whole; the next run goes on with segments."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    await fill(await broker.log(CONTEXT), data / "anchors", 40)
    manifest, _ = await make_backup(reader, layout_of(data), copy)
    for stream in LOGS:
        manifest.streams[stream], _ = await copy_whole(reader, stream, copy / "streams", None)
    manifest.version = 2
    manifest.write(copy)
    assert (await restore_backup(source_of(copy), tmp_path / "new")).heads[CONTEXT]["events"] == 40
    again, _ = await make_backup(reader, layout_of(data), copy)
    assert (again.version, Manifest.read(copy).streams[LOG].is_split) == (3, True)


async def test_an_archive_is_read_as_it_was_written(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """The broker's archive, unpacked, has every message; in pieces of any size it is the same; packed again, too."""
    await fill(await broker.log(CONTEXT), tmp_path / "data" / "anchors", 300, body=b"abc" * 50)
    _, chunks = await snapshot_stream(reader, LOG)
    packed = b"".join([chunk async for chunk in chunks])
    contents = []
    for size in (1, 7, 128 * 1024):
        unpacked = S2Reader()
        content = b"".join(
            block for start in range(0, len(packed), size) for block in unpacked.take(packed[start : start + size])
        )
        unpacked.end()
        contents.append(content)
    assert len(set(contents)) == 1
    records = Records()
    assert [number for number, _ in records.take(contents[0])] == list(range(1, 301))
    records.end()
    again = S2Reader()
    assert b"".join(block for piece in encoded([contents[0]]) for block in again.take(piece)) == contents[0]


def framed(block: bytes, content: bytes) -> bytes:
    """Return a compressed block in its frame: kind, length and the masked check sum of what it holds."""
    code = crc32c(content)
    masked = ((code >> 15) | (code << 17) & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF
    return IDENTIFIER + bytes([0]) + (len(block) + 4).to_bytes(3, "little") + masked.to_bytes(4, "little") + block


def test_check_sums_and_blocks_are_those_of_the_standards() -> None:
    """CRC-32C as in RFC 3720 B.4; a copy, copies that repeat its offset, and blocks that cannot be."""
    known = {bytes(32): 0x8A9136AA, b"\xff" * 32: 0x62A8AB43, bytes(range(32)): 0x46DD794E, b"123456789": 0xE3069283}
    assert {content: crc32c(content) for content in known} == known
    # "abcd", 4 bytes from 4 before, 4 more from there by S2's short form, and 4 + 8 more by the one with a byte.
    block = bytes([24, 3 << 2]) + b"abcd" + bytes([0x01, 4, 0x01, 0, 0x15, 0, 4])
    assert b"".join(S2Reader().take(framed(block, b"abcd" * 6))) == b"abcd" * 6
    for wrong in (bytes([4, 0x01, 9]), bytes([200, 1, 4]) + b"ab", bytes([3, 0])):
        with pytest.raises(ArchiveError):
            list(S2Reader().take(framed(wrong, b"")))
    with pytest.raises(ArchiveError, match="begin"):
        list(S2Reader().take(b"something else"))
    flipped = bytearray(b"".join(encoded([b"content"])))
    flipped[-1] ^= 1
    with pytest.raises(ArchiveError, match="check sum"):
        list(S2Reader().take(bytes(flipped)))
    with pytest.raises(ArchiveError):
        list(Records().take(b"some other archive"))


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_events_are_restored_within_a_minute(tmp_path: Path, row: Row) -> None:
    """Backed up, 1,000 more, backed up again, all lost, restored, each time verified; sizes and times are told."""
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    told = []
    async with embedded_nats(data) as broker:
        log = await broker.log(CONTEXT)
        creds = broker.server.identity.mint_user("maintenance", MAINTENANCE)
        async with connected(broker.url, name="maintenance", creds=creds) as connection:
            for first, count in ((0, TOTAL), (TOTAL, LATER)):
                await fill(log, data / "anchors", count, first=first, batch=500, body=b"x" * 200)
                watch = Stopwatch()
                manifest, copied = await make_backup(connection, layout_of(data), copy)
                told.append((watch.lap().quiet_s, copied.stream_bytes / 1e6))
    shutil.rmtree(data)
    watch = Stopwatch()
    restored = await restore_backup(source_of(copy), new)
    lap = watch.lap()
    assert restored.heads[CONTEXT] == manifest.heads[CONTEXT]
    assert restored.heads[CONTEXT]["events"] == TOTAL + LATER
    (first_s, first_mb), (second_s, second_mb) = told
    row(
        "F20 restore",
        "100,000 events backed up, 1,000 more backed up again, all lost: restored and verified within 60 s",
        f"first backup {first_s:.0f} s and {first_mb:.1f} MB, second {second_s:.0f} s and {second_mb:.2f} MB; "
        f"restore {lap.quiet_s:.0f} s, heads equal ({lap.clock_s:.0f} s with the wait for a shared processor)",
    )
    assert second_mb < first_mb / 10
    assert lap.quiet_s < RESTORED_S
