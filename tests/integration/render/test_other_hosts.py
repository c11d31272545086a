"""Workers elsewhere: a bucket, the broker's address, their credentials, and nothing of the service's machine."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tapelog.render.v1.resources_pb2 import JobState
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.testing import eventually

from .material import mix_job, mix_recipe, put_audio, tone
from .studio import running_studio

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(300)]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Serve S3 with a bucket; return the settings of the environment that reach it."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="test",
                 aws_secret_access_key="test").create_bucket(Bucket="studio")  # fmt: skip
    reach = {**KEYS, "AWS_ENDPOINT": address, "AWS_ALLOW_HTTP": "true"}
    for name, value in reach.items():
        monkeypatch.setenv(name, value)
    yield reach
    running.stop()


async def worker(folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a worker in an environment of its own."""
    environment = {"PATH": os.environ["PATH"], "TAPELOG_DATA_DIR": str(folder), **settings}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tapelog_render.worker", stdin=asyncio.subprocess.DEVNULL, env=environment
    )


async def test_from_no_worker_to_two_and_back_with_a_bucket(tmp_path: Path, bucket: dict[str, str]):
    """Jobs wait while nobody works; two workers with two addresses do them; drained, the next job waits again."""
    async with running_studio(tmp_path, spawn_workers=False, ack_wait_s=30.0, object_url="s3://studio") as studio:
        store = ObjectStore("s3://studio")
        assets = [await put_audio(store, studio.folder, tone(2.0, 200.0 + n, seed=n)) for n in range(3)]
        jobs = [
            await studio.create(mix_job(mix_recipe(assets, gain_db=-6.0 - n), key=f"mixVersions/{n}")) for n in range(6)
        ]
        assert {(await studio.get(job.name)).state for job in jobs} == {JobState.JOB_STATE_QUEUED}
        reach = {
            "TAPELOG_NATS_URL": studio.broker.url,
            "TAPELOG_NATS_CREDS": str(studio.settings.worker_nats_creds),
            "TAPELOG_OBJECT_URL": "s3://studio",
            **bucket,
        }
        workers = [await worker(tmp_path / f"host-{n}", reach) for n in range(2)]
        try:
            ended = [await studio.ended(job.name, within_s=120.0) for job in jobs]
        finally:
            for process in workers:
                process.terminate()
            codes = [await process.wait() for process in workers]
        assert codes == [0, 0]
        assert {job.state for job in ended} == {JobState.JOB_STATE_SUCCEEDED}
        for job in ended:
            assert (await store.stat(job.result.audio[0].sha256)).size_bytes == job.result.audio[0].size_bytes
        late = await studio.create(mix_job(mix_recipe(assets, gain_db=-20.0), key="mixVersions/late"))

        async def waits() -> bool:
            return await studio.queue_depth() == 1

        await eventually(waits)
        assert (await studio.get(late.name)).state == JobState.JOB_STATE_QUEUED
