"""The object store in a bucket, against a server that speaks S3."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tapelog_chassis.objects import (
    DigestMismatchError,
    ObjectCorruptError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
)

BUCKET = "tapelog"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve S3 on a free port."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """Open a store by URL on an empty bucket, with the settings of the environment."""
    for name, value in {**KEYS, "AWS_ENDPOINT": server, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id="test",
                          aws_secret_access_key="test")  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    yield ObjectStore(f"s3://{BUCKET}")
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)


async def chunks_of(content: bytes, size: int = 700_000) -> AsyncIterator[bytes]:
    """Cut content as an upload would."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [0, 10, 20_000_000])
async def test_content_comes_back_by_its_digest(bucket: ObjectStore, tmp_path: Path, size: int):
    """Empty, small, and in several parts: stored once, read whole, in ranges, and into a verified file."""
    content = os.urandom(size)
    ref = await bucket.put_stream(chunks_of(content), max_bytes=size)
    assert (ref.sha256, ref.size_bytes) == (hashlib.sha256(content).hexdigest(), size)
    assert await bucket.put_stream(chunks_of(content), max_bytes=size) == ref
    assert b"".join([chunk async for chunk in bucket.open_stream(ref.sha256)]) == content
    assert (
        b"".join([chunk async for chunk in bucket.open_stream(ref.sha256, size // 3, size // 3)])
        == (content[size // 3 : size // 3 * 2])
    )
    await bucket.fetch_to(ref.sha256, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert bucket.local_path(ref.sha256) is None
    assert [found.sha256 async for found in bucket.stored()] == [ref.sha256]


async def test_nothing_wrong_becomes_visible(bucket: ObjectStore):
    """Content that is not what was announced leaves no object, and nothing half written."""
    with pytest.raises(DigestMismatchError):
        await bucket.put_stream(chunks_of(b"other"), max_bytes=10, expected_sha256="ab" * 32)
    assert [found async for found in bucket.stored()] == []
    with pytest.raises(ObjectNotFoundError):
        await bucket.stat("ab" * 32)


async def test_an_object_that_was_changed_is_found_out(bucket: ObjectStore, server: str):
    """Content that no longer fits its name is refused when it is read whole."""
    ref = await bucket.put_stream(chunks_of(b"a take"), max_bytes=10)
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id="test",
                          aws_secret_access_key="test")  # fmt: skip
    client.put_object(Bucket=BUCKET, Key=f"sha256/{ref.sha256[:2]}/{ref.sha256}", Body=b"a fake")
    with pytest.raises(ObjectCorruptError):
        _ = [chunk async for chunk in bucket.open_stream(ref.sha256)]


async def test_only_what_is_old_is_deleted(bucket: ObjectStore):
    """A young object stays, an old one goes, and one that is gone already is no error."""
    ref = await bucket.put_stream(chunks_of(b"a take"), max_bytes=10)
    now = datetime.now(UTC)
    assert not await bucket.delete_older(ref.sha256, now - timedelta(hours=1))
    assert await bucket.exists(ref.sha256)
    assert await bucket.delete_older(ref.sha256, now + timedelta(hours=1))
    assert not await bucket.exists(ref.sha256)
    assert await bucket.delete_older(ref.sha256, now + timedelta(hours=1))


async def test_a_bucket_that_is_not_there_is_said_so(bucket: ObjectStore):
    """A wrong name is an unavailable store, not a missing object."""
    other = ObjectStore("s3://no-such-bucket")
    with pytest.raises(ObjectStoreUnavailableError):
        await other.put_stream(chunks_of(b"a take"), max_bytes=10)
