"""The object store in a local folder: whole, verified, durable, or not there."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog_chassis.objects import (
    CHUNK_BYTES,
    DigestMismatchError,
    InvalidDigestError,
    ObjectCorruptError,
    ObjectNotFoundError,
    ObjectRef,
    ObjectStore,
    ObjectStoreUnavailableError,
    ObjectTooLargeError,
)

MIB = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """Make an empty local store."""
    return ObjectStore(tmp_path / "objects")


async def chunks_of(content: bytes, size: int = 700_000) -> AsyncIterator[bytes]:
    """Cut content as an upload would."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def content_of(store: ObjectStore, sha256: str, offset: int = 0, length: int | None = None) -> bytes:
    """Read all of a stream."""
    return b"".join([chunk async for chunk in store.open_stream(sha256, offset, length)])


def files(store: ObjectStore) -> list[Path]:
    """List every file the store has on disk, visible or not."""
    assert store._folder is not None
    return [path for path in store._folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 9 * MIB + 17])
async def test_content_comes_back_under_its_digest(store: ObjectStore, size: int) -> None:
    """Any length is stored under its SHA-256 and read back in chunks of at most 1 MiB."""
    content = random.Random(size).randbytes(size)
    ref = await store.put_stream(chunks_of(content), max_bytes=size)
    assert ref == ObjectRef(hashlib.sha256(content).hexdigest(), size)
    assert await store.stat(ref.sha256) == ref
    assert await store.exists(ref.sha256)
    received = [chunk async for chunk in store.open_stream(ref.sha256)]
    assert b"".join(received) == content
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in received)
    path = store.local_path(ref.sha256)
    assert path is not None
    assert path.read_bytes() == content
    assert files(store) == [path]


async def test_ranges_are_read_exactly(store: ObjectStore) -> None:
    """A range gives its bytes; one outside the object is refused with the object's length."""
    content = random.Random(1).randbytes(3 * MIB)
    sha256 = (await store.put_stream(chunks_of(content), max_bytes=len(content))).sha256
    for offset, length in [(0, 10), (5, 0), (MIB - 3, 7), (100, None), (3 * MIB, None), (0, 3 * MIB)]:
        end = None if length is None else offset + length
        assert await content_of(store, sha256, offset, length) == content[offset:end]
    for offset, length in [(3 * MIB + 1, None), (3 * MIB - 1, 2), (-1, 1)]:
        with pytest.raises(ValueError, match=str(3 * MIB)):
            await content_of(store, sha256, offset, length)


async def test_the_same_content_is_stored_once(store: ObjectStore) -> None:
    """Storing again, also from many tasks at once and from a file, is a success that changes nothing."""
    content = random.Random(2).randbytes(2 * MIB)
    puts = [store.put_stream(chunks_of(content, 1000 + n), max_bytes=len(content)) for n in range(6)]
    refs = await asyncio.gather(*puts)
    source = Path(str(store._folder) + ".wav")
    await asyncio.to_thread(source.write_bytes, content)
    assert {*refs, await store.put_file(source)} == {refs[0]}
    assert len(files(store)) == 1


async def test_wrong_content_becomes_invisible(store: ObjectStore) -> None:
    """Another digest than announced and too many bytes are typed errors; nothing stays on disk."""
    content = b"x" * MIB
    wrong = hashlib.sha256(b"y").hexdigest()
    with pytest.raises(DigestMismatchError) as mismatch:
        await store.put_stream(chunks_of(content), max_bytes=MIB, expected_sha256=wrong)
    assert (mismatch.value.expected, mismatch.value.actual) == (wrong, hashlib.sha256(content).hexdigest())
    with pytest.raises(ObjectTooLargeError, match=str(MIB - 1)):
        await store.put_stream(chunks_of(content), max_bytes=MIB - 1)
    with pytest.raises(InvalidDigestError):
        await store.put_stream(chunks_of(content), max_bytes=MIB, expected_sha256="../../etc/passwd")
    assert files(store) == []


async def test_an_upload_that_breaks_off_leaves_nothing(store: ObjectStore) -> None:
    """A source that fails and a cancelled task, each after 20 MiB, leave nothing visible and nothing on disk."""
    started = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)
        raise ConnectionResetError("the uploader is gone")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)
        started.set()
        await asyncio.Event().wait()

    with pytest.raises(ConnectionResetError):
        await store.put_stream(broken(), max_bytes=100 * MIB)
    upload = asyncio.create_task(store.put_stream(endless(), max_bytes=100 * MIB))
    await started.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert files(store) == []


async def test_what_is_not_there_is_said(store: ObjectStore) -> None:
    """An unknown digest and a name that is no digest are different typed errors."""
    unknown = "0" * 64
    assert not await store.exists(unknown)
    assert store.local_path(unknown) is None
    with pytest.raises(ObjectNotFoundError, match=unknown):
        await content_of(store, unknown)
    for name in ("", "ABC", "../../../etc/passwd", unknown[:-1]):
        with pytest.raises(InvalidDigestError):
            await store.stat(name)
        with pytest.raises(InvalidDigestError):
            store.local_path(name)


async def test_a_flipped_bit_is_detected(store: ObjectStore, tmp_path: Path) -> None:
    """A whole read of changed content fails at its end, and no copy of it appears."""
    sha256 = (await store.put_stream(chunks_of(bytes(2 * MIB)), max_bytes=2 * MIB)).sha256
    path = store.local_path(sha256)
    assert path is not None
    with path.open("r+b") as file:
        file.seek(MIB)
        file.write(b"\x01")
    with pytest.raises(ObjectCorruptError, match=sha256):
        await content_of(store, sha256)
    with pytest.raises(ObjectCorruptError):
        await store.fetch_to(sha256, tmp_path / "copy.wav")
    assert not (tmp_path / "copy.wav").exists()


async def test_a_copy_appears_whole(store: ObjectStore, tmp_path: Path) -> None:
    """Fetching writes the content to the named file, and through a `file://` URL it is the same store."""
    content = random.Random(3).randbytes(3 * MIB)
    sha256 = (await store.put_stream(chunks_of(content), max_bytes=len(content))).sha256
    again = ObjectStore(f"file://{store._folder}")
    await again.fetch_to(sha256, tmp_path / "copy.wav")
    assert (tmp_path / "copy.wav").read_bytes() == content


async def test_half_written_files_are_swept(store: ObjectStore) -> None:
    """What a killed process left is deleted once it is old, and nothing else."""
    kept = await store.put_stream(chunks_of(b"kept"), max_bytes=4)
    assert store._folder is not None
    for name, age_s in (("old#1", 10_000), ("new#1", 0)):
        path = store._folder / "partial" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime - age_s, path.stat().st_mtime - age_s))
    assert await store.sweep(older_than_s=3600) == 1
    assert sorted(path.name for path in files(store)) == sorted([kept.sha256, "new#1"])


async def test_a_failing_disk_is_a_typed_error(store: ObjectStore) -> None:
    """A folder that cannot be written to is named as the store's failure, not as a stray exception."""
    assert store._folder is not None
    store._folder.rmdir()
    store._folder.write_bytes(b"a file where the folder was")
    with pytest.raises(ObjectStoreUnavailableError, match="object"):
        await store.put_stream(chunks_of(b"content"), max_bytes=7)
