"""
Uploads that broke off: what came is kept in parts, so that only the rest has to come again.

A part lies under `unfinished/<owner>/<upload>/<first byte>.<anything>`, where no reader of objects looks, and is there
whole or not at all. The object appears when every byte has come and the digest of all of them is the declared one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError

from tapelog_chassis import telemetry
from tapelog_chassis.objects import (
    CHUNK_BYTES,
    LIST_BATCH,
    PARTS_IN_FLIGHT,
    DigestMismatchError,
    ObjectRef,
    ObjectStore,
    ObjectStoreError,
    ObjectTooLargeError,
    store_errors,
)
from tapelog_chassis.objects import PART_BYTES as WRITE_BYTES

FOLDER: Final = "unfinished"
PART_BYTES: Final = 32 * 1024 * 1024
"""What an upload loses at most when the server is killed; one of fewer bytes is never copied."""
KEEP_S: Final = 24 * 3600.0
"""How long an upload that broke off is kept."""
UPLOADS_MAX: Final = 256
"""Of one owner that are kept; one more is not, and begins anew when it breaks off."""
BYTES_MAX: Final = 64 * 1024**3
"""Of one owner that are kept."""
_OFFSET_DIGITS: Final = 12


class WrongOffsetError(ObjectStoreError):
    """An upload was to go on where it did not break off."""

    def __init__(self, offset: int, committed: int) -> None:
        super().__init__(f"{committed} bytes are kept, so it cannot go on from byte {offset}")
        self.committed = committed


class BrokeOffError(ObjectStoreError):
    """An upload ended before all bytes had come; what came is kept."""

    def __init__(self, received: int) -> None:
        super().__init__(f"the upload ended after {received} bytes")
        self.received = received


@dataclass(frozen=True, slots=True)
class Coming:
    """
    What is being uploaded.

    Attributes
    ----------
    owner, key
        Whose it is, and which of theirs; each a name of letters, digits and hyphens.
    size_bytes, sha256
        Of all of it, as declared.
    """

    owner: str
    key: str
    size_bytes: int
    sha256: str

    @property
    def folder(self) -> str:
        """Where its parts lie."""
        return f"{FOLDER}/{self.owner}/{self.key}"


@dataclass(frozen=True, slots=True)
class _Part:
    path: str
    start: int
    end: int


class UnfinishedUploads:
    """Receives uploads, and remembers those that broke off."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._store: Any = objects.backend
        self._active: dict[str, _Receiving] = {}

    def __repr__(self) -> str:
        return f"UnfinishedUploads({self._objects!r})"

    async def committed(self, coming: Coming) -> int:
        """Return how many of its first bytes are kept; raises `ObjectStoreUnavailableError`."""
        # Whoever asks has lost the connection that this side may still believe in: what it brought counts.
        active = self._active.get(coming.folder)
        if active is not None:
            await active.keep()
        return _end(await self._kept(coming))

    async def head(self, coming: Coming, length: int) -> bytes:
        """Return at most so many of its first bytes, of those that are kept."""
        head = b""
        async for chunk in self._read(await self._kept(coming)):
            head += chunk[: length - len(head)]
            if len(head) >= length:
                break
        return head

    async def receive(self, coming: Coming, offset: int, chunks: AsyncIterator[bytes]) -> ObjectRef:
        """
        Store an upload as it arrives, from an offset on; memory does not depend on its length.

        Cancelling keeps what came, and so does an early end of `chunks`; any other error of theirs drops the upload.

        Parameters
        ----------
        offset
            0 begins anew; else what `committed` said.

        Raises
        ------
        WrongOffsetError, BrokeOffError
            See there.
        ObjectTooLargeError, DigestMismatchError
            It is not what was declared; nothing of it is kept.
        ObjectStoreUnavailableError
            The store fails; nothing becomes visible.
        """
        parts = list(await self._kept(coming)) if offset else []
        if _end(parts) != offset:
            raise WrongOffsetError(offset, _end(parts))
        receiving = _Receiving(self._objects, coming, parts, keeps=await self._has_room(coming))
        self._active[coming.folder] = receiving
        try:
            await receiving.take(chunks)
            ref = await self._finish(coming, receiving)
        except (asyncio.CancelledError, BrokeOffError):
            await _to_the_end(self._keep(coming, receiving))
            raise
        except BaseException:
            await receiving.keep()
            await self._drop(coming.folder)
            raise
        finally:
            if self._active.get(coming.folder) is receiving:
                del self._active[coming.folder]
        await self._drop(coming.folder)
        return ref

    async def expire(self, *, older_than_s: float = KEEP_S) -> int:
        """Drop the uploads to which nothing came for so long; return how many. Raises `ObjectStoreUnavailableError`."""
        before_s = time.time() - older_than_s
        latest: dict[str, float] = {}
        if self._objects.folder is not None:
            latest = await asyncio.to_thread(_latest_in, self._objects.folder)
        else:
            async for path, _, modified_s in self._list(f"{FOLDER}/"):
                folder = path.rpartition("/")[0]
                latest[folder] = max(modified_s, latest.get(folder, 0.0))
        stale = [folder for folder, modified_s in latest.items() if modified_s < before_s]
        for folder in stale:
            await self._drop(folder)
        return len(stale)

    async def _keep(self, coming: Coming, receiving: _Receiving) -> None:
        await receiving.keep()
        if not receiving.keeps:
            await self._drop(coming.folder)

    async def _finish(self, coming: Coming, receiving: _Receiving) -> ObjectRef:
        parts = receiving.parts
        if receiving.sha256 is not None and len(parts) == 1:
            if receiving.sha256 != coming.sha256:
                raise DigestMismatchError(coming.sha256, receiving.sha256)
            await self._objects.publish(parts[0].path, coming.sha256)
            telemetry.OBJECT_BYTES.inc(coming.size_bytes)
            return ObjectRef(coming.sha256, coming.size_bytes)
        whole = self._read(parts)
        return await self._objects.put_stream(whole, max_bytes=coming.size_bytes, expected_sha256=coming.sha256)

    async def _has_room(self, coming: Coming) -> bool:
        """Whether its owner may keep one more upload that breaks off."""
        others, size_bytes = {coming.folder}, coming.size_bytes
        async for path, part_bytes, _ in self._list(f"{FOLDER}/{coming.owner}/"):
            others.add(path.rpartition("/")[0])
            size_bytes += part_bytes
        return len(others) <= UPLOADS_MAX and size_bytes <= BYTES_MAX

    async def _kept(self, coming: Coming) -> Sequence[_Part]:
        """Return parts that follow each other from the first byte on, as far as any reach."""
        found = []
        async for path, part_bytes, _ in self._list(f"{coming.folder}/"):
            start = int(path.rpartition("/")[2].partition(".")[0])
            found.append(_Part(path, start, start + part_bytes))
        # Two attempts at once leave parts that overlap: any that fit onto each other will do, the digest decides.
        reached: dict[int, list[_Part]] = {0: []}
        for part in sorted(found, key=lambda part: (part.start, part.end)):
            if part.start in reached:
                reached.setdefault(part.end, [*reached[part.start], part])
        return reached[max(reached)]

    async def _read(self, parts: Sequence[_Part]) -> AsyncIterator[bytes]:
        for part in parts:
            with store_errors("an upload could not be read back"):
                result = await obstore.get_async(self._store, part.path)
                async for block in result.stream(min_chunk_size=CHUNK_BYTES):
                    yield bytes(block)

    async def _list(self, prefix: str) -> AsyncIterator[tuple[str, int, float]]:
        """Yield path, length and time of every part; one that is being written is not there yet."""
        with store_errors("unfinished uploads could not be listed"):
            async for batch in obstore.list(self._store, prefix=prefix, chunk_size=LIST_BATCH):
                for found in batch:
                    yield str(found["path"]), int(found["size"]), found["last_modified"].timestamp()

    async def _drop(self, folder: str) -> None:
        """Remove an upload's parts; what cannot be removed is invisible, and expires."""
        if self._objects.folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._objects.folder / folder, ignore_errors=True)
            return
        with suppress(BaseError, OSError, ObjectStoreError):
            async for path, _, _ in self._list(f"{folder}/"):
                await obstore.delete_async(self._store, path)


class _Receiving:
    """One attempt at an upload: cuts what comes into parts."""

    def __init__(self, objects: ObjectStore, coming: Coming, parts: list[_Part], *, keeps: bool) -> None:
        self.parts = parts
        self._objects = objects
        self._coming = coming
        self.keeps = keeps
        self._received = _end(parts)
        self._digest = None if parts else hashlib.sha256()
        self._writer: Any = None
        self._open: _Part | None = None
        self._lock = asyncio.Lock()

    @property
    def sha256(self) -> str | None:
        """Digest of all that came, or None where a part of it came before."""
        return None if self._digest is None else self._digest.hexdigest()

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        """Take everything; raises `BrokeOffError` when that is not all."""
        async for chunk in chunks:
            if self._received + len(chunk) > self._coming.size_bytes:
                raise ObjectTooLargeError(self._coming.size_bytes)
            if self._digest is not None:
                self._digest.update(chunk)
            async with self._lock:
                with store_errors("an upload could not be received"):
                    # A writer that is interrupted in the middle of a chunk cannot be closed well any more.
                    await _to_the_end(self._write(chunk))
        async with self._lock:
            with store_errors("an upload could not be received"):
                await _to_the_end(self._close())
        if self._received < self._coming.size_bytes:
            raise BrokeOffError(self._received)

    async def keep(self) -> None:
        """Make a part of what came, so that the upload can go on there; a store that fails just loses it."""
        async with self._lock:
            with suppress(BaseError, OSError):
                await self._close()

    async def _write(self, chunk: bytes) -> None:
        if self._open is None:
            path = f"{self._coming.folder}/{self._received:0{_OFFSET_DIGITS}d}.{uuid.uuid4().hex}"
            self._open = _Part(path, self._received, self._received)
            self._writer = obstore.open_writer_async(
                self._objects.backend, path, buffer_size=WRITE_BYTES, max_concurrency=PARTS_IN_FLIGHT
            )
        await self._writer.write(chunk)
        self._received += len(chunk)
        if self._received - self._open.start >= PART_BYTES:
            await self._close()

    async def _close(self) -> None:
        """Make the part that is being written appear, and last."""
        writer, part = self._writer, self._open
        if part is None:
            return
        self._writer = self._open = None
        await writer.close()
        if self._objects.folder is not None:
            await asyncio.to_thread(_sync, self._objects.folder / part.path)
        self.parts.append(_Part(part.path, part.start, self._received))


def _end(parts: Sequence[_Part]) -> int:
    return parts[-1].end if parts else 0


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something short to its end, whoever cancels meanwhile; only then be cancelled."""
    doing, is_cancelled = asyncio.create_task(work), False
    while not doing.done():
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError:
            is_cancelled = True
    doing.result()
    if is_cancelled:
        raise asyncio.CancelledError


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _latest_in(root: Path) -> dict[str, float]:
    """Return when something came last to each upload in a local folder, half-written parts included."""
    return {
        str(folder.relative_to(root)): max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
        for folder in (root / FOLDER).glob("*/*")
    }
