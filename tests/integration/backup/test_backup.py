"""Backups of a real broker's folder: whole, consistent, taken up again, and never worse than the last one."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from tapelog_chassis.anchors import LogGuard
from tapelog_chassis.event_log import JetStreamEventLog
from tapelog_chassis.nats import api, connected, direct
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.testing import Broker, embedded_nats, eventually, new_event
from tapelog_chassis.topology import PARTY_KEYS, SESSION_PROCESS, es_stream, party_key_subject, party_subject
from tapelog_cli.backup.errors import (
    BackupBusy,
    BackupDamaged,
    BackupRefused,
    FolderNotEmpty,
    KeystoreTooOld,
    KeyUnusable,
    NoKeystore,
    SealBroken,
)
from tapelog_cli.backup.keystore import FILE as KEYSTORE
from tapelog_cli.backup.keystore import keystore_beside
from tapelog_cli.backup.layout import layout_of
from tapelog_cli.backup.make import copy_keystore, make_backup
from tapelog_cli.backup.manifest import MANIFEST, Manifest
from tapelog_cli.backup.restore import Source, restore_backup
from tapelog_cli.backup.sealing import Seal
from tapelog_cli.commands.backup import backup
from tapelog_client.local import StackState
from tapelog_session.adapters.parties import JetStreamParties
from tapelog_session.application.ports import PartyRecord

from .logs import CONTEXT, WHO, fill, song


def source_of(copy: Path, *, seal: Seal | None = None) -> Source:
    """Return a backup with the keystore beside it."""
    return Source(folder=copy, keystore=keystore_beside(copy), seal=seal)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a provisioned server on a data folder with forty events."""
    async with embedded_nats(tmp_path / "data") as broker:
        await fill(await broker.log(CONTEXT), tmp_path / "data" / "anchors", 40)
        yield broker


@pytest.fixture
async def reader(broker: Broker) -> AsyncIterator[Client]:
    """Connect as the one who makes backups."""
    creds = broker.server.identity.mint_user("maintenance", MAINTENANCE)
    async with connected(broker.url, name="maintenance", creds=creds) as connection:
        yield connection


@asynccontextmanager
async def restored(folder: Path) -> AsyncIterator[Broker]:
    """Run a server on a restored folder."""
    async with embedded_nats(folder) as broker:
        yield broker


async def consumer(connection: Client) -> dict[str, Any]:
    """Return how far a durable has come."""
    return dict((await api.request(connection, f"CONSUMER.INFO.ES_SESSION.{SESSION_PROCESS}"))["ack_floor"])


async def test_all_comes_back_with_positions_and_the_places_of_consumers(
    broker: Broker, reader: Client, tmp_path: Path
) -> None:
    """Events with their positions, names, and what a consumer had acknowledged are those of the time of the backup."""
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    connection = await broker.connect(CONTEXT)
    subscription = await connection.jetstream().pull_subscribe_bind(SESSION_PROCESS, es_stream(CONTEXT))
    for message in await subscription.fetch(7, timeout=5):
        await message.ack_sync()
    await connection.request(party_subject("acme", "pty-ana"), b"sealed name", timeout=2)
    log = JetStreamEventLog(connection)
    events = [event async for event in log.read_all(CONTEXT)]
    await make_backup(reader, layout_of(data), copy)
    await log.append(song(0), 10, [new_event("later")], WHO)

    await restore_backup(source_of(copy), new)
    async with restored(new) as second:
        again = await second.log(CONTEXT)
        assert [event async for event in again.read_all(CONTEXT)] == events
        assert (await consumer(await second.connect(CONTEXT)))["stream_seq"] == 7
        (stored,) = await again.append(song(0), 10, [new_event("after")], WHO)
        assert stored.position == 41
        await LogGuard(again, new / "anchors", (CONTEXT,)).check()


async def test_audio_is_copied_once_and_a_broken_off_run_is_taken_up(
    broker: Broker, reader: Client, tmp_path: Path
) -> None:
    """The second run copies what is new; one that fails on the way leaves the backup of before, and what it copied."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    store = ObjectStore(str(data / "objects"))

    async def put(content: bytes) -> str:
        path = tmp_path / "audio"
        await asyncio.to_thread(path.write_bytes, content)
        return (await store.put_file(path)).sha256

    for n in range(3):
        await put(bytes([n]) * 1000)
    _, first = await make_backup(reader, layout_of(data), copy)
    assert (first.objects, first.objects_kept, first.object_bytes) == (3, 0, 3000)
    before = (copy / MANIFEST).read_bytes()
    bad = await put(b"bad" * 1000)
    await put(b"good" * 1000)
    path = store.local_path(bad)
    assert path is not None
    content = path.read_bytes()
    path.write_bytes(b"BAD" + content[3:])
    with pytest.raises(Exception, match=bad[:8]):
        await make_backup(reader, layout_of(data), copy)
    assert (copy / MANIFEST).read_bytes() == before
    await restore_backup(source_of(copy), tmp_path / "new")
    path.write_bytes(content)
    manifest, last = await make_backup(reader, layout_of(data), copy)
    assert last.objects + last.objects_kept == len(manifest.objects["objects"]) == 5
    assert last.objects <= 2


async def test_a_backup_from_before_an_erasure_does_not_bring_the_person_back(
    broker: Broker, reader: Client, tmp_path: Path
) -> None:
    """
    Two people, a backup, one is erased, the keystore is copied: restored from the backup, only the other has a name.

    No file of backup and keystore holds the key that was destroyed, and the restored log verifies.
    """
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    parties = JetStreamParties(await broker.connect(CONTEXT))
    for party in ("pty-ana", "pty-ben"):
        record = PartyRecord(party, f"Name of {party}", f"{party}@example.test", "pty-ana")
        assert await parties.put("acme", record, 0)
    key = await direct.get_last(reader, PARTY_KEYS, party_key_subject("acme", "pty-ana"), timeout_s=2)
    assert key is not None
    await make_backup(reader, layout_of(data), copy)
    assert "KV_party_keys" not in Manifest.read(copy).streams
    before = {path.name for path in keystore_beside(copy).iterdir()}
    assert any(key.data in path.read_bytes() for path in keystore_beside(copy).iterdir())
    await parties.erase("acme", "pty-ana")
    await copy_keystore(reader, keystore_beside(copy))
    after = {path.name for path in keystore_beside(copy).iterdir()}
    assert before & after == {KEYSTORE}

    await restore_backup(source_of(copy), new)
    async with restored(new) as second:
        again = JetStreamParties(await second.connect(CONTEXT))
        ana, ben = [await again.get("acme", party) for party in ("pty-ana", "pty-ben")]
        assert ana is not None
        assert ben is not None
        assert (ana.record.erased, ana.record.display_name, ana.record.email) == (True, "", "")
        assert ben.record.display_name == "Name of pty-ben"
    for folder in (copy, keystore_beside(copy), new):
        for path in folder.rglob("*"):
            assert not path.is_file() or key.data not in path.read_bytes(), path


async def test_a_keystore_is_needed_and_has_to_be_as_new_as_the_backup(
    broker: Broker, reader: Client, tmp_path: Path
) -> None:
    """None, one from before the backup, and one that was changed are refused; without is possible when it is said."""
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    parties = JetStreamParties(await broker.connect(CONTEXT))
    assert await parties.put("acme", PartyRecord("pty-ana", "Ana", "", "pty-ana"), 0)
    await make_backup(reader, layout_of(data), copy)
    old = Path(shutil.copytree(keystore_beside(copy), tmp_path / "old"))
    await make_backup(reader, layout_of(data), copy)
    with pytest.raises(KeystoreTooOld):
        await restore_backup(Source(folder=copy, keystore=old), new)
    with pytest.raises(NoKeystore):
        await restore_backup(Source(folder=copy, keystore=tmp_path / "nowhere"), new)
    for part in keystore_beside(copy).iterdir():
        content = part.read_bytes()
        part.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        with pytest.raises(BackupDamaged):
            await restore_backup(source_of(copy), new)
        part.write_bytes(content)
    assert not new.exists()
    await restore_backup(Source(folder=copy, keystore=None), new)
    async with restored(new) as second:
        entry = await JetStreamParties(await second.connect(CONTEXT)).get("acme", "pty-ana")
        assert entry is not None
        assert entry.record.erased


async def test_a_sealed_backup_opens_with_its_key_alone(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """No part of it holds anything readable; another key, no key, a changed or swapped part are refused."""
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    audio = tmp_path / "audio"
    audio.write_bytes(b"somebody sings" * 200_000)
    stored = await ObjectStore(str(data / "objects")).put_file(audio)
    (data / "notify").mkdir(mode=0o700)
    (data / "notify" / "secrets.key").write_bytes(b"a key that nobody may see")
    seal = Seal.read(tmp_path / "key", create=True)
    manifest, first = await make_backup(reader, layout_of(data), copy, seal=seal)
    assert (manifest.sealed, first.objects) == (True, 1)
    _, second = await make_backup(reader, layout_of(data), copy, seal=seal)
    assert (second.objects, second.objects_kept) == (0, 1)
    for folder in (copy, keystore_beside(copy)):
        for path in folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            for word in (b"somebody sings", b"nobody may see", b"body 7", b"PRIVATE KEY"):
                assert word not in content, path
    with pytest.raises(KeyUnusable):
        await restore_backup(source_of(copy), new)
    with pytest.raises(BackupDamaged):
        await restore_backup(source_of(copy, seal=Seal(b"another key, of the same length.")), new)
    object_file = copy / "objects" / "sealed" / stored.sha256[:2] / stored.sha256
    content = object_file.read_bytes()
    for changed in (content[:-1], content[:-20], content + b"x", content[:500] + b"?" + content[501:]):
        object_file.write_bytes(changed)
        with pytest.raises((SealBroken, BackupDamaged)):
            await restore_backup(source_of(copy, seal=seal), new)
        shutil.rmtree(new)
    object_file.write_bytes(content)
    await restore_backup(source_of(copy, seal=seal), new)
    assert (new / "notify" / "secrets.key").read_bytes() == b"a key that nobody may see"
    assert b"".join([block async for block in ObjectStore(str(new / "objects")).open_stream(stored.sha256)]) == (
        audio.read_bytes()
    )


async def test_a_damaged_log_does_not_replace_a_good_backup(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """An event is missing: the run is refused, the last backup stands and is restored."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    await make_backup(reader, layout_of(data), copy)
    before = (copy / MANIFEST).read_bytes()
    await api.request(await broker.connect("admin"), "STREAM.MSG.DELETE.ES_SESSION", {"seq": 11})
    with pytest.raises(BackupRefused, match="missing"):
        await make_backup(reader, layout_of(data), copy)
    assert (copy / MANIFEST).read_bytes() == before
    manifest = await restore_backup(source_of(copy), tmp_path / "new")
    assert manifest.heads[CONTEXT]["events"] == 40


async def test_every_changed_part_is_found_before_anything_is_restored(
    broker: Broker, reader: Client, tmp_path: Path
) -> None:
    """Each stream, file and the manifest, with one byte changed, and each of them missing."""
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    await make_backup(reader, layout_of(data), copy)
    parts = [*(copy / "streams").iterdir(), *(copy / "files").iterdir(), copy / MANIFEST]
    assert len(parts) > 15
    for part in parts:
        content = part.read_bytes()
        part.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        with pytest.raises(BackupDamaged):
            await restore_backup(source_of(copy), new)
        part.unlink()
        with pytest.raises(BackupDamaged):
            await restore_backup(source_of(copy), new)
        part.write_bytes(content)
        assert not new.exists()
    new.mkdir()
    (new / "something").touch()
    with pytest.raises(FolderNotEmpty):
        await restore_backup(source_of(copy), new)


async def test_two_runs_into_one_folder_do_not_mix(broker: Broker, reader: Client, tmp_path: Path) -> None:
    """The second is refused while the first runs."""
    both = (make_backup(reader, layout_of(tmp_path / "data"), tmp_path / "copy") for _ in range(2))
    done = await asyncio.gather(*both, return_exceptions=True)
    assert {type(item) for item in done} == {tuple, BackupBusy}
    assert Manifest.read(tmp_path / "copy").heads[CONTEXT]["events"] == 40


async def test_backups_go_on_by_themselves(broker: Broker, tmp_path: Path) -> None:
    """`tapelog backup --every` makes one after another; what was written between two is in the second."""
    data, copy = tmp_path / "data", tmp_path / "copy"

    def events() -> int:
        return int(Manifest.read(copy).heads[CONTEXT]["events"]) if (copy / MANIFEST).exists() else 0

    StackState(
        pid=os.getpid(), session="", render="", notify="", nats_url=broker.url, identity_dir="", started="", console=""
    ).write(data)
    going_on = asyncio.create_task(backup(to=copy, data_dir=data, every=0.2, json=True))
    await eventually(lambda: events() == 40, within_s=30)
    await fill(await broker.log(CONTEXT), data / "anchors", 20, first=40)
    await eventually(lambda: events() == 60, within_s=30)
    going_on.cancel()
    await asyncio.gather(going_on, return_exceptions=True)
