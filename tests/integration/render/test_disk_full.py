"""A store that is full at the N-th write: nothing partial is visible, no failure is billed, space is all it needs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tapelog.render.v1.resources_pb2 import JobState, UsageState
from tapelog_chassis.objects import ObjectStore, ObjectStoreUnavailableError

from tests.faults.harness.battery import Row

from .conftest import StudioFactory
from .material import mix_job, mix_recipe, put_audio, tone

pytestmark = pytest.mark.faults

OBJECT_BYTES = 3_000_000
STEP_BYTES = 65_536
MOUNT, UMOUNT = shutil.which("mount") or "mount", shutil.which("umount") or "umount"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 4 MiB; needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([UMOUNT, "-l", str(folder)], check=True)


def visible(folder: Path) -> set[str]:
    """Return the names of objects that a reader would find."""
    return {path.name for path in folder.rglob("*") if path.is_file() and len(path.name) == 64}


async def test_fifty_places_to_run_out_of_space(small_disk: Path, tmp_path: Path, row: Row):
    """Filled up so that the N-th block does not fit, N = 1 to 50: a typed error, nothing visible, then fine."""
    source = tmp_path / "object"
    source.write_bytes(os.urandom(OBJECT_BYTES))
    ballast = small_disk / "ballast"
    for n in range(1, 51):
        folder = small_disk / f"store-{n}"
        store = ObjectStore(folder)
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        ballast.write_bytes(bytes(max(0, free - n * STEP_BYTES + STEP_BYTES // 2)))
        if n * STEP_BYTES - STEP_BYTES // 2 < OBJECT_BYTES:
            with pytest.raises(ObjectStoreUnavailableError):
                await store.put_file(source)
            assert visible(folder) == set()
        ballast.unlink()
        ref = await store.put_file(source)
        assert visible(folder) == {ref.sha256}
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()
    row(
        "F13 store",
        "store full at the N-th block, N = 1 to 50: a typed error, nothing visible, then fine",
        "partial objects 0 of 50",
    )


async def test_a_job_on_a_full_store_is_tried_again_and_not_billed(
    open_studio: StudioFactory, small_disk: Path, row: Row
):
    """Results that do not fit fail the job without a bill and leave nothing; with space again the next one is made."""
    async with open_studio(workers=1, object_url=str(small_disk / "objects")) as studio:
        store = ObjectStore(small_disk / "objects")
        asset = await put_audio(store, studio.folder, tone(4.0, 220.0))
        before = visible(small_disk)
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        ballast.write_bytes(bytes(free - 100_000))
        job = await studio.ended((await studio.create(mix_job(mix_recipe([asset]), song="sng-full"))).name)
        assert job.state == JobState.JOB_STATE_FAILED
        assert "OBJECT_STORE_UNAVAILABLE" in str(job.error.details[0])
        await studio.usage("sng-full", states={UsageState.USAGE_STATE_RELEASED})
        assert visible(small_disk) == before
        ballast.unlink()
        job = await studio.ended((await studio.create(mix_job(mix_recipe([asset]), song="sng-after"))).name)
        assert job.state == JobState.JOB_STATE_SUCCEEDED
        await studio.usage("sng-after", states={UsageState.USAGE_STATE_SETTLED})
    row(
        "F13",
        "results that do not fit: the job fails unbilled and leaves nothing; with room the next one is made",
        "visible 0, billed 0; the next succeeded",
    )
