"""Uploads that broke off: what is kept of them, for how long, of how many, in a folder and in a bucket."""

import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tapelog_chassis import unfinished
from tapelog_chassis.objects import DigestMismatchError, ObjectNotFoundError, ObjectStore, ObjectTooLargeError
from tapelog_chassis.unfinished import PART_BYTES, BrokeOffError, Coming, UnfinishedUploads, WrongOffsetError

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Serve S3 on a free port, with an empty bucket."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
                          aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
    client.create_bucket(Bucket="uploads")
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Open a store."""
    if request.param == "folder":
        return ObjectStore(tmp_path / "objects")
    address = request.getfixturevalue("s3")
    for name, value in {**KEYS, "AWS_ENDPOINT": address, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    return ObjectStore("s3://uploads")


async def cut(content: bytes, size: int = 1_000_000) -> AsyncIterator[bytes]:
    """Cut content as it arrives."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def coming(content: bytes, key: str = "one", owner: str = "acme") -> Coming:
    """Declare an upload."""
    return Coming(owner, key, len(content), hashlib.sha256(content).hexdigest())


async def test_an_upload_in_pieces_is_one_object(objects: ObjectStore):
    """Three attempts over more than one part: invisible until whole, then the same object, and nothing left over."""
    uploads, content = UnfinishedUploads(objects), os.urandom(PART_BYTES + 5_000_000)
    own = coming(content)
    for begin, end in ((0, 7_000_000), (7_000_000, PART_BYTES + 1_000_000)):
        with pytest.raises(BrokeOffError):
            await uploads.receive(own, begin, cut(content[begin:end]))
        assert await uploads.committed(own) == end
        with pytest.raises(ObjectNotFoundError):
            await objects.stat(own.sha256)
    assert await uploads.head(own, 64) == content[:64]
    with pytest.raises(WrongOffsetError):
        await uploads.receive(own, 5, cut(content[5:]))
    ref = await uploads.receive(own, await uploads.committed(own), cut(content[PART_BYTES + 1_000_000 :]))
    assert ref.size_bytes == len(content)
    found = hashlib.sha256()
    async for chunk in objects.open_stream(own.sha256):
        found.update(chunk)
    assert found.hexdigest() == own.sha256
    assert await uploads.committed(own) == 0


async def test_what_is_not_as_declared_leaves_nothing(objects: ObjectStore):
    """Other bytes and more bytes than declared are refused, and the parts are gone."""
    uploads, content = UnfinishedUploads(objects), os.urandom(300_000)
    own = coming(content, "two")
    with pytest.raises(BrokeOffError):
        await uploads.receive(own, 0, cut(content[:100_000]))
    with pytest.raises(DigestMismatchError):
        await uploads.receive(own, 100_000, cut(os.urandom(200_000)))
    assert await uploads.committed(own) == 0
    with pytest.raises(ObjectTooLargeError):
        await uploads.receive(own, 0, cut(content + b"more"))
    assert await uploads.committed(own) == 0


async def test_uploads_that_nobody_goes_on_with_expire(objects: ObjectStore):
    """Younger ones stay; older ones are dropped, with what a killed process left half written."""
    uploads, content = UnfinishedUploads(objects), os.urandom(200_000)
    own = coming(content, "three")
    with pytest.raises(BrokeOffError):
        await uploads.receive(own, 0, cut(content[:100_000]))
    assert await uploads.expire(older_than_s=60.0) == 0
    assert await uploads.committed(own) == 100_000
    assert await uploads.expire(older_than_s=-60.0) == 1
    assert await uploads.committed(own) == 0


async def test_half_written_parts_expire_too(tmp_path: Path):
    """What kill -9 leaves is no part, so nobody goes on with it; it is swept away by its age."""
    objects = ObjectStore(tmp_path)
    left = tmp_path / "unfinished" / "acme" / "dead" / "000000000000.aa#1"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(1000))
    uploads = UnfinishedUploads(objects)
    assert await uploads.committed(Coming("acme", "dead", 5000, "0" * 64)) == 0
    assert await uploads.expire(older_than_s=60.0) == 0
    old_s = time.time() - 120.0
    for path in (left, left.parent):
        os.utime(path, (old_s, old_s))
    assert await uploads.expire(older_than_s=60.0) == 1
    assert not left.parent.exists()


async def test_an_owner_keeps_so_many_and_no_more(tmp_path: Path):
    """Beyond the limit an upload still arrives, but what came of it is not kept; other owners are not concerned."""
    objects = ObjectStore(tmp_path)
    for number in range(unfinished.UPLOADS_MAX):
        part = tmp_path / "unfinished" / "acme" / f"upload-{number}" / "000000000000.aa"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"x")
    uploads, content = UnfinishedUploads(objects), os.urandom(200_000)
    for owner, kept in (("acme", 0), ("other", 100_000)):
        own = coming(content, "late", owner)
        with pytest.raises(BrokeOffError):
            await uploads.receive(own, 0, cut(content[:100_000], 50_000))
        assert await uploads.committed(own) == kept
        assert (await uploads.receive(own, kept, cut(content[kept:]))).sha256 == own.sha256
