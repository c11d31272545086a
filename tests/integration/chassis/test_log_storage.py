"""What the disk does to the log: a flipped bit is reported, a full stream refuses and recovers, a restart keeps all."""

from pathlib import Path

import pytest
from tapelog_chassis.event_log import AggregateId, CorruptStream, LogFull, Metadata
from tapelog_chassis.nats import api
from tapelog_chassis.testing import Broker, embedded_nats, new_event

SONG = AggregateId("session", "acme", "sng-1")
WHO = Metadata(actor="usr-ann")


def flip_bit(folder: Path, marker: bytes) -> None:
    """Change one bit of the one stored message that holds the marker."""
    for block in folder.rglob("*.blk"):
        content = bytearray(block.read_bytes())
        if (place := content.find(marker)) >= 0:
            content[place] ^= 1
            block.write_bytes(content)
            return
    raise AssertionError(f"{marker!r} is in no block file")


async def test_a_restart_keeps_the_log(tmp_path: Path) -> None:
    """What one run stored, the next reads, verifies and continues."""
    async with embedded_nats(tmp_path) as broker:
        stored = await (await broker.log("session")).append(SONG, 0, [new_event("1"), new_event("2")], WHO)
    async with embedded_nats(tmp_path) as broker:
        log = await broker.log("session")
        assert await log.load(SONG) == stored
        stored += await log.append(SONG, 2, [new_event("3")], WHO)
        assert [event async for event in log.read_all("session")] == stored


@pytest.mark.parametrize("marker", [b"body-07", b"body-01"])
async def test_a_flipped_bit_is_reported(tmp_path: Path, marker: bytes) -> None:
    """The server skips a damaged message without a word; load does not."""
    async with embedded_nats(tmp_path) as broker:
        log = await broker.log("session")
        for n in range(12):
            await log.append(SONG, n, [new_event(str(n), b"body-%02d" % n)], WHO)
    flip_bit(tmp_path / "nats" / "store", marker)
    async with embedded_nats(tmp_path) as broker:
        with pytest.raises(CorruptStream, match=SONG.subject.replace(".", r"\.")):
            await (await broker.log("session")).load(SONG)


async def test_a_full_log_refuses_and_recovers(broker: Broker) -> None:
    """At its size limit the stream refuses with a typed error and keeps what it has; with room it goes on."""
    log, admin = await broker.log("session"), await broker.connect("admin")
    config = (await api.request(admin, "STREAM.INFO.ES_SESSION"))["config"]
    await api.request(admin, "STREAM.UPDATE.ES_SESSION", {**config, "max_bytes": 64 * 1024})
    stored = 6
    for n in range(stored):
        await log.append(SONG, n, [new_event(str(n), bytes(10_000))], WHO)
    with pytest.raises(LogFull, match="max_bytes"):
        await log.append(SONG, stored, [new_event("one", bytes(10_000))], WHO)
    with pytest.raises(LogFull):
        await log.append(SONG, stored, [new_event("a", bytes(10_000)), new_event("b", bytes(10_000))], WHO)
    assert len(await log.load(SONG)) == stored
    await api.request(admin, "STREAM.UPDATE.ES_SESSION", config)
    assert (await log.append(SONG, stored, [new_event("a"), new_event("b")], WHO))[-1].sequence == stored + 2
