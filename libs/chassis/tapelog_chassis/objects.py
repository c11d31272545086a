"""
The object store: large content by its SHA-256, in a local folder or a bucket.

An object appears under `sha256/<first two digits>/<digest>` whole, verified and durable, or not at all; what is being
written lies under `partial/`, where nothing looks.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from tapelog_chassis import telemetry

CHUNK_BYTES: Final = 1024 * 1024
"""Longest chunk handed out: the unit of uploads and downloads everywhere."""
PART_BYTES: Final = 8 * 1024 * 1024
"""One part of an upload to a bucket; 10,000 parts make 80 GiB, the largest object."""
PARTS_IN_FLIGHT: Final = 4
"""Bounds the memory of one upload to PARTS_IN_FLIGHT x PART_BYTES."""
PARTIAL: Final = "partial"
LIST_BATCH: Final = 1000
"""Objects of one answer to a listing, which is as many as a bucket gives."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class ObjectStoreError(Exception):
    """Root of this module's errors."""


class ObjectNotFoundError(ObjectStoreError):
    """No object has this digest."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"there is no object {sha256}")
        self.sha256 = sha256


class InvalidDigestError(ObjectStoreError, ValueError):
    """A name is not 64 lower-case hexadecimal digits."""


class DigestMismatchError(ObjectStoreError):
    """The content received is not the content announced; nothing was stored."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"the content has SHA-256 {actual}, not {expected}: send it again")
        self.expected = expected
        self.actual = actual


class ObjectTooLargeError(ObjectStoreError):
    """More bytes came than were allowed; nothing was stored."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the content is longer than the limit of {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class ObjectCorruptError(ObjectStoreError):
    """A stored object no longer has the content its name says; restore it from a backup."""

    def __init__(self, sha256: str, actual: str) -> None:
        super().__init__(f"object {sha256} now has SHA-256 {actual}: restore it from a backup")
        self.sha256 = sha256


class ObjectStoreUnavailableError(ObjectStoreError):
    """The store did not do what was asked (disk full, bucket unreachable, permission); trying again is safe."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names content: its digest (hex) and its length."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that is there, and when it was stored last."""

    sha256: str
    size_bytes: int
    stored_at: datetime


class ObjectStore:
    """
    Content-addressed objects.

    Parameters
    ----------
    url
        A folder (path or `file://` URL, made if missing), or `s3://`, `gs://`, `az://` with the settings of the
        environment.
    """

    def __init__(self, url: str | Path) -> None:
        text = str(url)
        scheme = urlsplit(text).scheme
        self._folder: Path | None = None
        if scheme in ("", "file"):
            self._folder = Path(unquote(urlsplit(text).path) if scheme else text).absolute()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store: Any = LocalStore(self._folder)
        else:
            self._store = from_url(text)

    def __repr__(self) -> str:
        return f"ObjectStore({self._store!r})"

    @property
    def folder(self) -> Path | None:
        """The local folder that holds the objects, or None."""
        return self._folder

    @property
    def backend(self) -> Any:
        """The store beneath, for what is no object yet."""
        return self._store

    async def put_stream(
        self, chunks: AsyncIterator[bytes], *, max_bytes: int, expected_sha256: str | None = None
    ) -> ObjectRef:
        """
        Store content as it arrives; memory use does not depend on its length.

        Storing what is there already is a success that changes nothing.

        Raises
        ------
        ObjectTooLargeError
            As soon as more than `max_bytes` came.
        DigestMismatchError
            If the content is not `expected_sha256`.
        ObjectStoreUnavailableError
            If the store fails. In every case nothing becomes visible.
        """
        if expected_sha256 is not None:
            _checked(expected_sha256)
        partial = f"{PARTIAL}/{uuid.uuid4().hex}"
        try:
            ref = await self._receive(partial, chunks, max_bytes)
            if expected_sha256 not in (None, ref.sha256):
                raise DigestMismatchError(str(expected_sha256), ref.sha256)
            await self.publish(partial, ref.sha256)
            telemetry.OBJECT_BYTES.inc(ref.size_bytes)
        finally:
            await asyncio.shield(self._discard(partial))
        return ref

    async def put_file(self, path: Path, *, max_bytes: int | None = None) -> ObjectRef:
        """Store a file's content. Raises as `put_stream`; `max_bytes` None allows the file's own length."""
        limit_bytes = (await asyncio.to_thread(path.stat)).st_size if max_bytes is None else max_bytes
        async with aclosing(_read_file(path)) as chunks:
            return await self.put_stream(chunks, max_bytes=limit_bytes)

    async def open_stream(self, sha256: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """
        Yield content in chunks of at most `CHUNK_BYTES`.

        Raises
        ------
        ObjectNotFoundError
            If there is no such object.
        ObjectCorruptError
            At the end of a whole read, if the content does not fit its name.
        ValueError
            If the range lies outside the object.
        ObjectStoreUnavailableError
            If the store fails.
        """
        size_bytes = (await self.stat(sha256)).size_bytes
        length = size_bytes - offset if length is None else length
        if offset < 0 or length < 0 or offset + length > size_bytes:
            raise ValueError(f"bytes {offset} to {offset + length} are outside object {sha256} of {size_bytes} bytes")
        digest = hashlib.sha256() if length == size_bytes else None
        if length:
            with store_errors(f"object {sha256} could not be read"):
                options = {"range": (offset, offset + length)}
                result = await obstore.get_async(self._store, _key(sha256), options=options)  # type: ignore[arg-type]
                async for block in result.stream(min_chunk_size=CHUNK_BYTES):
                    if digest is not None:
                        digest.update(block)
                    for start in range(0, len(block), CHUNK_BYTES):
                        yield bytes(memoryview(block)[start : start + CHUNK_BYTES])
        if digest is not None and digest.hexdigest() != sha256:
            raise ObjectCorruptError(sha256, digest.hexdigest())

    def local_path(self, sha256: str) -> Path | None:
        """Return the object's file if the store is a local folder and has it: for reading only."""
        if self._folder is None:
            return None
        path = self._folder / _key(sha256)
        return path if path.is_file() else None

    async def fetch_to(self, sha256: str, path: Path) -> None:
        """Copy an object to a file that appears whole and verified. Raises as `open_stream`."""
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with await asyncio.to_thread(temporary.open, "xb") as file:
                async for chunk in self.open_stream(sha256):
                    await asyncio.to_thread(file.write, chunk)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    async def exists(self, sha256: str) -> bool:
        """Whether there is such an object."""
        try:
            await self.stat(sha256)
        except ObjectNotFoundError:
            return False
        return True

    async def stat(self, sha256: str) -> ObjectRef:
        """Return digest and length; raises `ObjectNotFoundError`, `ObjectStoreUnavailableError`."""
        key = _key(sha256)
        with store_errors(f"object {sha256} could not be looked up"):
            try:
                found = await obstore.head_async(self._store, key)
            except FileNotFoundError as error:
                raise ObjectNotFoundError(sha256) from error
        return ObjectRef(sha256, int(found["size"]))

    async def stored(self) -> AsyncIterator[StoredObject]:
        """Yield every object, in no order; raises `ObjectStoreUnavailableError`."""
        with store_errors("the objects could not be listed"):
            async for batch in obstore.list(self._store, prefix="sha256", chunk_size=LIST_BATCH):
                for found in batch:
                    sha256 = str(found["path"]).rpartition("/")[2]
                    if _DIGEST.fullmatch(sha256):
                        yield StoredObject(sha256, int(found["size"]), found["last_modified"])

    async def delete_older(self, sha256: str, before: datetime) -> bool:
        """
        Delete an object unless it was stored, or stored again, at or after a time; return whether it is gone.

        Raises
        ------
        ObjectStoreUnavailableError
            If the store fails.
        """
        key = _key(sha256)
        with store_errors(f"object {sha256} could not be deleted"):
            try:
                if (await obstore.head_async(self._store, key))["last_modified"] >= before:
                    return False
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                return True
        return True

    async def sweep(self, *, older_than_s: float = 24 * 3600.0) -> int:
        """Delete what killed processes left half written in a local folder; return how many files."""
        if self._folder is None:
            # A bucket's own rule for incomplete uploads does this.
            return 0
        return await asyncio.to_thread(_sweep, self._folder / PARTIAL, time.time() - older_than_s)

    async def _receive(self, partial: str, chunks: AsyncIterator[bytes], max_bytes: int) -> ObjectRef:
        writer = obstore.open_writer_async(
            self._store, partial, buffer_size=PART_BYTES, max_concurrency=PARTS_IN_FLIGHT
        )
        digest, size_bytes = hashlib.sha256(), 0
        async for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > max_bytes:
                raise ObjectTooLargeError(max_bytes)
            digest.update(chunk)
            with store_errors("an object could not be received"):
                await writer.write(chunk)
        with store_errors("an object could not be received"):
            await writer.close()
        return ObjectRef(digest.hexdigest(), size_bytes)

    async def publish(self, partial: str, sha256: str) -> None:
        """
        Give finished content its name: on disk before it is visible, visible before this returns.

        Parameters
        ----------
        partial
            Where it lies in the backend; moved or copied from there.
        sha256
            What its digest is, which is not looked at again here.

        Raises
        ------
        ObjectStoreUnavailableError
            If the store fails.
        """
        with store_errors(f"object {sha256} could not be stored"):
            await self._publish(partial, sha256)

    async def _publish(self, partial: str, sha256: str) -> None:
        key = _key(sha256)
        if self._folder is None:
            # Buckets make an object visible whole; the same name always has the same content, so no race matters.
            await obstore.copy_async(self._store, partial, key)
            return
        await asyncio.to_thread(_sync, self._folder / partial)
        try:
            await obstore.rename_async(self._store, partial, key, overwrite=False)
        except AlreadyExistsError:
            # Stored anew, as far as the collection of garbage is concerned: whoever stores it is about to name it.
            await asyncio.to_thread(os.utime, self._folder / key)
            return
        target = self._folder / key
        for folder in (target.parent, target.parent.parent, self._folder):
            await asyncio.to_thread(_sync, folder)

    async def _discard(self, partial: str) -> None:
        """Remove what was received; what cannot be removed is invisible anyway and left to `sweep`."""
        with suppress(BaseError, OSError):
            if self._folder is not None:
                await asyncio.to_thread(_unlink_partial, self._folder / partial)
            else:
                await obstore.delete_async(self._store, partial)


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn what the backend raises into `ObjectStoreUnavailableError`."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise ObjectStoreUnavailableError(f"{what}: {_first_line(error)}") from error


def _checked(sha256: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise InvalidDigestError(f"{sha256!r} is not a SHA-256 of 64 lower-case hexadecimal digits")
    return sha256


def _key(sha256: str) -> str:
    return f"sha256/{_checked(sha256)[:2]}/{sha256}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink_partial(path: Path) -> None:
    for name in (path, *path.parent.glob(f"{path.name}#*")):
        name.unlink(missing_ok=True)


def _sweep(folder: Path, before_s: float) -> int:
    stale = [path for path in folder.glob("*") if path.stat().st_mtime < before_s]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


async def _read_file(path: Path) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
