"""
Making a backup while everything runs.

The order matters: what is made from something else is copied before it, so that no copy is ahead of what it follows
from. Journals first, then snapshots of state, the public stream with its consumers, the logs, and last the audio, which
was stored before the events that name it. People's keys go into a folder of their own, after the records under them.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nats.aio.client import Client
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.topology import CONTEXTS, PARTY_KEYS, PUB, SNAP, STREAMS, es_stream
from tapelog_chassis.verification import verify_log

from tapelog_cli.backup.errors import BackupBusy, BackupDamaged, BackupRefused, NoBackup
from tapelog_cli.backup.keystore import Keystore, keystore_beside
from tapelog_cli.backup.layout import STORES, DeploymentLayout, Layout
from tapelog_cli.backup.manifest import (
    Manifest,
    StreamCopy,
    appear,
    sha256_of,
    sync_folder,
    write_part,
    write_private,
)
from tapelog_cli.backup.sealing import Seal, in_one
from tapelog_cli.backup.streams import copy_log, copy_whole

LOGS: Final = (PUB, *(es_stream(context) for context in CONTEXTS))
"""Streams that only grow."""
FIRST: Final = (SNAP, *LOGS)
"""Streams in this order; the others after them."""
APART: Final = PARTY_KEYS
"""Is in no backup, but in the keystore."""
LOCK: Final = ".lock"


@dataclass(slots=True)
class Copied:
    """How much was copied, and how much was there from the last time."""

    objects: int = 0
    object_bytes: int = 0
    objects_kept: int = 0
    stream_bytes: int = 0
    stream_bytes_kept: int = 0


async def make_backup(
    connection: Client, layout: Layout, to: Path, *, keystore: Path | None = None, seal: Seal | None = None
) -> tuple[Manifest, Copied]:
    """
    Copy an installation into a backup folder, over the last backup in it.

    Until the new manifest is written the last backup stands; a run that was broken off is continued by the next one.

    Parameters
    ----------
    connection
        Of a user that may copy streams.
    layout, to
        From where, and into which folder.
    keystore
        Folder of the keys of people's records; None is the folder beside `to`.
    seal
        With what each part is sealed; None leaves them as they are.

    Raises
    ------
    BackupRefused
        If the log does not verify.
    BackupBusy
        If another run writes there.
    """
    with _locked(to):
        made = datetime.now(UTC).isoformat(timespec="milliseconds")
        form = "deployment" if isinstance(layout, DeploymentLayout) else "stack"
        manifest, copied = Manifest(made=made, sealed=seal is not None, form=form), Copied()
        for name in await asyncio.to_thread(lambda: list(layout.small_files())):
            content = await asyncio.to_thread((layout.folder / name).read_bytes)
            if name.endswith(".anchors"):
                content = content[: content.rfind(b"\n") + 1]  # a line may be half written just now
            manifest.files[name] = await _copy_file(content, to / "files", seal)
        before = await asyncio.to_thread(_streams_of_before, to, seal)
        for stream in (*FIRST, *(spec.name for spec in STREAMS if spec.name not in (*FIRST, APART))):
            folder = to / "streams"
            if stream in LOGS:
                copy, written = await copy_log(connection, stream, folder, seal, before.get(stream))
            else:
                copy, written = await copy_whole(connection, stream, folder, seal)
            manifest.streams[stream] = copy
            copied.stream_bytes += written
            copied.stream_bytes_kept += copy.size_bytes + sum(part.size_bytes for part in copy.segments) - written
        await _check_logs(connection, layout, manifest)
        for store in STORES:
            manifest.objects[store] = await _copy_objects(layout.objects(store), to / store, copied, seal)
        await copy_keystore(connection, keystore or keystore_beside(to), seal=seal)
        await asyncio.to_thread(manifest.write, to, seal)
        await asyncio.to_thread(_clear, to, manifest)
    return manifest, copied


async def copy_keystore(connection: Client, folder: Path, *, seal: Seal | None = None) -> Keystore:
    """Copy the keys of people's records as they are now; of the copy before, nothing is left."""
    made = datetime.now(UTC).isoformat(timespec="milliseconds")
    copy, _ = await copy_whole(connection, APART, folder, seal)
    keystore = Keystore(made=made, stream=copy)
    await asyncio.to_thread(keystore.write, folder, seal)
    return keystore


async def _copy_file(content: bytes, folder: Path, seal: Seal | None) -> str:
    """Write a file under the digest of what lies there then; return it."""
    sealed = content if seal is None else b"".join([block async for block in seal.sealed(in_one(content))])
    digest = hashlib.sha256(sealed).hexdigest()
    await asyncio.to_thread(write_private, folder / digest, sealed)
    return digest


def _streams_of_before(folder: Path, seal: Seal | None) -> dict[str, StreamCopy]:
    """Return the streams of the backup that is there; nothing of one that cannot be read is taken over."""
    try:
        return Manifest.read(folder, seal).streams
    except (NoBackup, BackupDamaged):
        return {}


async def _check_logs(connection: Client, layout: Layout, manifest: Manifest) -> None:
    """Read each log up to where it was copied: what is damaged must not replace a good backup."""
    wrong: list[str] = []
    for context in CONTEXTS:
        last = manifest.streams[es_stream(context)].last_position
        report = await verify_log(
            connection, context, layout.anchors(context), last_position=last, verifier=layout.verifier(context)
        )
        wrong += [f"{context}: {line}" for line in report.wrong]
        place = report.place
        manifest.heads[context] = {"position": place.position, "events": place.events, "digest": place.digest}
    if wrong:
        raise BackupRefused(wrong)


async def _copy_objects(have: ObjectStore | None, target: Path, copied: Copied, seal: Seal | None) -> dict[str, int]:
    """Copy what is not there yet; content that does not fit its name is not taken over."""
    if have is None:
        return {}
    store, kept = ObjectStore(str(target)), dict[str, int]()
    async for found in have.stored():
        path = sealed_object(target, found.sha256)
        if await asyncio.to_thread(path.is_file) if seal is not None else await store.exists(found.sha256):
            copied.objects_kept += 1
        else:
            chunks = have.open_stream(found.sha256)
            if seal is None:
                await store.put_stream(chunks, max_bytes=found.size_bytes, expected_sha256=found.sha256)
            else:
                _, _, partial = await write_part(seal.sealed(chunks), path.parent, found.sha256)
                appear(partial, path.name)
            copied.objects += 1
            copied.object_bytes += found.size_bytes
        kept[found.sha256] = found.size_bytes
    return kept


def sealed_object(folder: Path, sha256: str) -> Path:
    """Return the file of a sealed object: it is named by its content, not by what lies there."""
    return folder / "sealed" / sha256[:2] / sha256


def _clear(to: Path, manifest: Manifest) -> None:
    """Remove what only earlier backups named."""
    named = {name for copy in manifest.streams.values() for name, _ in copy.parts}
    for path in (to / "streams").iterdir():
        if path.name not in named:
            path.unlink()
    for path in (to / "files").iterdir():
        if path.name not in manifest.files.values():
            path.unlink()
    sync_folder(to / "streams")
    sync_folder(to / "files")


@contextmanager
def _locked(to: Path) -> Iterator[None]:
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(to / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupBusy(to) from None
    finally:
        os.close(descriptor)


def check_parts(folder: Path, manifest: Manifest) -> list[str]:
    """Compare streams and files of a backup with their digests; return what is wrong."""
    parts = [(folder / "streams" / name, sha256) for copy in manifest.streams.values() for name, sha256 in copy.parts]
    parts += [(folder / "files" / digest, digest) for digest in manifest.files.values()]
    wrong = []
    for path, digest in parts:
        if not path.is_file():
            wrong.append(f"{path.name} is missing")
        elif sha256_of(path) != digest:
            wrong.append(f"{path.name} does not fit its digest")
    return wrong
