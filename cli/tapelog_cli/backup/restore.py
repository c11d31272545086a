"""Putting a backup into a new folder: everything is checked before it is used, and again when it is there."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tapelog_chassis.nats import EmbeddedNats, connected, provision
from tapelog_chassis.nats.permissions import MAINTENANCE, RESTORE, SERVICES
from tapelog_chassis.nats.stream_copy import restore_stream
from tapelog_chassis.objects import ObjectCorruptError, ObjectNotFoundError, ObjectStore
from tapelog_chassis.topology import CONTEXTS
from tapelog_chassis.verification import verify_log

from tapelog_cli.backup.errors import BackupDamaged, FolderNotEmpty, KeystoreTooOld, RestoreFailed
from tapelog_cli.backup.keystore import Keystore
from tapelog_cli.backup.layout import DeploymentLayout, Layout, layout_of
from tapelog_cli.backup.make import check_parts, sealed_object
from tapelog_cli.backup.manifest import Manifest, sync_folder, write_private
from tapelog_cli.backup.sealing import Seal, as_stream, content_of
from tapelog_cli.backup.streams import content_of_stream
from tapelog_cli.installation.data_folder import DataFolder

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Where a restore takes things from.

    Attributes
    ----------
    folder
        Of the backup.
    keystore
        Folder of the keys of people's records; None restores without, and nobody's name can be read any more.
    seal
        Opens sealed parts; None if the backup is not sealed.
    """

    folder: Path
    keystore: Path | None
    seal: Seal | None = None

    def read(self) -> tuple[Manifest, Keystore | None]:
        """Read and check all of it but the audio; raises as `restore_backup`."""
        manifest = Manifest.read(self.folder, self.seal)
        if wrong := check_parts(self.folder, manifest):
            raise BackupDamaged(self.folder, wrong)
        if self.keystore is None:
            return manifest, None
        keystore = Keystore.read(self.keystore, self.seal)
        if keystore.made < manifest.made:
            raise KeystoreTooOld(self.keystore, keystore.made, manifest.made)
        return manifest, keystore


async def restore_backup(source: Source, data_dir: Path, *, object_url: str = "") -> Manifest:
    """
    Restore a backup into a folder that is empty or not there; `tapelog up` on it goes on from where the backup ends.

    Whoever was erased after the backup stays erased: the key is in no keystore that is newer than the backup.
    `object_url` is where the audio goes that is not to be in the folder.

    Raises
    ------
    FolderNotEmpty
        Nothing was touched.
    NoBackup, BackupDamaged, SealBroken, KeyUnusable
        A part of the backup is missing or changed, or the key is another; found before the log is put back.
    NoKeystore, KeystoreTooOld
        The keys of people's records are not there, or not all of them.
    RestoreFailed
        The restored log is not the one that was backed up.
    """
    if await asyncio.to_thread(_holds_something, data_dir):
        raise FolderNotEmpty(data_dir)
    manifest, keystore = await asyncio.to_thread(source.read)
    with DataFolder(data_dir):
        await asyncio.to_thread(_put_files, source, manifest, data_dir)
        layout = layout_of(data_dir, object_url=object_url)
        for store, wanted in manifest.objects.items():
            await _put_objects(source, store, wanted, layout)
        with _broker_folder(layout) as folder:
            await _fill_store(source, manifest, keystore, folder)
            async with EmbeddedNats(folder) as nats:
                admin = nats.identity.mint_user("admin", SERVICES["admin"])
                async with connected(nats.url, name="admin", creds=admin) as connection:
                    await provision(connection, store_bytes=nats.store_bytes)
                await _check(nats, manifest, layout)
    return manifest


@contextmanager
def _broker_folder(layout: Layout) -> Iterator[Path]:
    """Return a folder that a broker can be started on; what it has stored is then where the layout wants it."""
    if not isinstance(layout, DeploymentLayout):
        yield layout.folder
        return
    folder = layout.folder / "state" / "restoring"
    (folder / "nats").mkdir(mode=0o700, parents=True)
    shutil.copytree(layout.keys / "keys", folder / "nats" / "keys")
    sized = json.loads((layout.folder / "nats" / "pinned.json").read_text())
    write_private(folder / "nats" / "pinned.json", json.dumps({**sized, "port": -1}).encode())
    yield folder
    layout.store.parent.mkdir(mode=0o700, exist_ok=True)
    (folder / "nats" / "store").replace(layout.store)
    shutil.rmtree(folder)
    sync_folder(layout.store.parent)


def _holds_something(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _put_files(source: Source, manifest: Manifest, data_dir: Path) -> None:
    for name, digest in manifest.files.items():
        write_private(data_dir / name, b"".join(content_of(source.folder / "files" / digest, source.seal)))
    pinned = data_dir / "nats" / "pinned.json"
    values = json.loads(pinned.read_text())
    if manifest.form == "stack" and not _is_free(values["port"]):
        # The old one may still run beside it; the next start keeps the port that this one chooses.
        write_private(pinned, json.dumps({**values, "port": -1}).encode())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def _put_objects(source: Source, name: str, wanted: dict[str, int], layout: Layout) -> None:
    if not wanted:
        return
    have, store, wrong = ObjectStore(str(source.folder / name)), layout.new_objects(name), []
    for sha256, size_bytes in wanted.items():
        chunks = have.open_stream(sha256)
        if source.seal is not None:
            chunks = as_stream(source.seal.opened(sealed_object(source.folder / name, sha256)))
        try:
            await store.put_stream(chunks, max_bytes=size_bytes, expected_sha256=sha256)
        except (ObjectNotFoundError, ObjectCorruptError, FileNotFoundError) as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise BackupDamaged(source.folder, wrong)


async def _fill_store(source: Source, manifest: Manifest, keystore: Keystore | None, data_dir: Path) -> None:
    """
    Give the streams to a broker that syncs nothing, then sync its files.

    A broker that syncs always does so for every 32 KiB that it unpacks: 100,000 events took 70 s, verification
    included, instead of 16.
    """
    copies = [(source.folder / "streams", copy) for copy in manifest.streams.values()]
    if keystore is not None and source.keystore is not None:
        copies.append((source.keystore, keystore.stream))
    async with EmbeddedNats(data_dir, syncs=False) as nats:
        creds = nats.identity.mint_user("restore", RESTORE)
        async with connected(nats.url, name="restore", creds=creds) as connection:
            for folder, copy in copies:
                await restore_stream(connection, copy.described, content_of_stream(folder, copy, source.seal))
    await asyncio.to_thread(_sync_all, data_dir / "nats" / "store")


def _sync_all(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def _check(nats: EmbeddedNats, manifest: Manifest, layout: Layout) -> None:
    wrong: list[str] = []
    creds = nats.identity.mint_user("maintenance", MAINTENANCE)
    async with connected(nats.url, name="maintenance", creds=creds) as connection:
        for context in CONTEXTS:
            report = await verify_log(connection, context, layout.anchors(context), verifier=layout.verifier(context))
            wrong += [f"{context}: {line}" for line in report.wrong]
            place = report.place
            found = {"position": place.position, "events": place.events, "digest": place.digest}
            if found != manifest.heads[context]:
                wrong.append(f"{context}: it has {found}, the backup had {manifest.heads[context]}")
    if wrong:
        raise RestoreFailed(layout.folder, wrong)
