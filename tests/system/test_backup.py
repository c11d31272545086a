"""Drills: a backup of a stack that is written to, its loss, and its return; and what somebody does to a stopped one."""

import asyncio
import json
import shutil
import subprocess
import sys
import uuid
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_client import Tapelog
from tapelog_client.errors import DataLoss

from tests.faults.harness.battery import Row

from .conftest import System, clean_environment, kill_tree, start_system
from .studio import RATE_HZ, open_studio, record_stems

pytestmark = pytest.mark.faults

COMMAND_S: Final = 90
BLOCKS: Final = "nats/store/**/streams/ES_SESSION/msgs/*.blk"


def tapelog(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    command = [sys.executable, "-m", "tapelog_cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_S, check=False, env=clean_environment()
    )


async def told(*arguments: str | Path) -> dict[str, Any]:
    """Run a command that must succeed, beside what else happens, and return what it prints as JSON."""
    done = await asyncio.to_thread(tapelog, *arguments, "--json")
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


async def write(api: Tapelog, project: str, written: list[str]) -> None:
    """Create songs one after another; note each that was acknowledged."""
    while True:
        song = await api.songs.create(project, f"Song {uuid.uuid4()}", sample_rate_hz=RATE_HZ, bit_depth=24)
        written.append(song.name)


@pytest.mark.timeout(300)
async def test_a_stack_that_is_lost_comes_back_as_it_was_backed_up(tmp_path: Path, row: Row) -> None:
    """
    Two backups while songs are written, kill -9, all files gone; the restored stack has every song acknowledged before.

    It goes on being written to, verifies, and tells a follower whose position is lost that it is.
    """
    data, copy, new = tmp_path / "data", tmp_path / "copy", tmp_path / "new"
    first = start_system(data, "embedded")
    written: list[str] = []
    try:
        async with first.api("pty-producer") as api:
            studio = await open_studio(api, "Kept")
            await record_stems(studio, tmp_path, tracks=2, length_s=1.0)
            writing = asyncio.create_task(write(studio.producer, studio.project, written))
            one = await told("backup", "--data-dir", data, "--to", copy)
            before = list(written)
            assert (await told("verify", "--data-dir", data))["wrong"] == []
            two = await told("backup", "--data-dir", data, "--to", copy)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            songs = {name: await api.songs.get(name) for name in (*before, studio.song)}
    finally:
        kill_tree(first.process)
    shutil.rmtree(data)
    assert before
    assert (one["objects_copied"], two["objects_copied"], two["objects_kept"]) == (
        two["objects_kept"],
        0,
        one["objects_copied"],
    )
    assert one["objects_copied"] > 0

    restored = await told("restore", "--from", copy, "--data-dir", new)
    assert tapelog("restore", "--from", copy, "--data-dir", new).returncode == ExitCode.CONFIG
    private = [path for name in ("identity", "notify", "anchors", "nats/keys") for path in (new / name).rglob("*")]
    assert private
    assert [path for path in private if path.stat().st_mode & 0o077] == []
    second = start_system(new, "embedded")
    try:
        await _check_restored(second, songs, studio.project, two)
    finally:
        kill_tree(second.process)
    done = tapelog("verify", "--objects", "--data-dir", new)
    assert done.returncode == ExitCode.OK, done.stdout
    row(
        "F20",
        "two backups under writes, everything gone: every song acknowledged before is there, the log goes on",
        f"{len(before)} songs acked before the second backup, lost 0; backups {one['took_s']} s and {two['took_s']} s, "
        f"restore of {restored['events']} events {restored['took_s']} s",
    )


async def _check_restored(system: System, songs: dict[str, Any], project: str, backup: dict[str, Any]) -> None:
    async with system.api("pty-producer", tenant_roles=("AUDITOR",)) as api:
        for name, song in songs.items():
            assert await api.songs.get(name) == song
        more = await api.songs.create(project, "After the loss", sample_rate_hz=RATE_HZ, bit_depth=24)
        song, ids = more.name.rpartition("/")[2], []
        async with asyncio.timeout(COMMAND_S), aclosing(api.events.subscribe(after_position=0)) as events:
            async for event in events:
                ids.append(event.id)
                if event.song == song:
                    break
        assert len(ids) == len(set(ids)) >= backup["heads"]["session"]["events"]
        with pytest.raises(DataLoss, match="restored"):
            async with aclosing(api.events.subscribe(after_position=10**6)) as events:
                await anext(events)
    found = json.loads((await asyncio.to_thread(tapelog, "verify", "--json", "--data-dir", system.data_dir)).stdout)
    assert found["wrong"] == []
    assert found["logs"]["session"]["position"] > backup["heads"]["session"]["position"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a data folder with a song, stopped in order; `older` beside it is the broker's store of some time before."""
    data = tmp_path_factory.mktemp("stopped") / "data"

    async def add(title: str) -> None:
        system = start_system(data, "embedded")
        try:
            async with system.api("pty-producer", tenant_roles=("AUDITOR",)) as api:
                await open_studio(api, title)
        finally:
            system.process.terminate()
            assert system.process.wait(COMMAND_S) == 0

    asyncio.run(add("First"))
    shutil.copytree(data / "nats" / "store", data.parent / "older")
    asyncio.run(add("Second"))
    return data


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """Copy it, to be done something to."""
    copy = Path(shutil.copytree(stopped, tmp_path / "data"))
    assert tapelog("verify", "--data-dir", copy).returncode == ExitCode.OK
    return copy


def refuses(folder: Path) -> str:
    """Return what is said by `up` and `verify`, which both must refuse."""
    up = tapelog("up", "--data-dir", folder)
    assert up.returncode == ExitCode.CONFIG, up.stdout + up.stderr
    verify = tapelog("verify", "--data-dir", folder)
    assert verify.returncode == ExitCode.FAILURE, verify.stdout
    assert "session" in verify.stdout
    return up.stderr


def test_a_header_that_was_edited_stops_the_stack(folder: Path) -> None:
    """Another actor stands on an event in the middle of the log, with one byte of the broker's file changed."""
    (block,) = folder.glob(BLOCKS)
    content = bytearray(block.read_bytes())
    at = content.index(b"tl-actor: pty-") + len(b"tl-actor: pty-")
    content[at] ^= 1
    block.write_bytes(content)
    for index in folder.glob("nats/store/**/index.db"):
        index.unlink()
    assert "restore" in refuses(folder)


def test_a_log_whose_end_was_cut_stops_the_stack(folder: Path) -> None:
    """The last third of the session's file is gone."""
    (block,) = folder.glob(BLOCKS)
    block.write_bytes(block.read_bytes()[: 2 * block.stat().st_size // 3])
    for index in folder.glob("nats/store/**/index.db"):
        index.unlink()
    assert "session log is not what it was" in refuses(folder)


def test_a_store_that_was_rolled_back_stops_the_stack(stopped: Path, folder: Path) -> None:
    """All of the broker's files are those of some time before, each right in itself."""
    shutil.rmtree(folder / "nats" / "store")
    shutil.copytree(stopped.parent / "older", folder / "nats" / "store")
    assert "its end is missing" in refuses(folder)


def test_a_changed_backup_is_not_restored(folder: Path, tmp_path: Path) -> None:
    """One byte of any part is other: refused before anything is made of it."""
    copy = tmp_path / "copy"
    assert tapelog("backup", "--data-dir", folder, "--to", copy).returncode == ExitCode.OK
    stream = next((copy / "streams").glob("ES_SESSION-*"))
    content = bytearray(stream.read_bytes())
    content[len(content) // 2] ^= 1
    stream.write_bytes(content)
    done = tapelog("restore", "--from", copy, "--data-dir", tmp_path / "new")
    assert done.returncode == ExitCode.FAILURE
    assert "ES_SESSION" in done.stderr
    assert not (tmp_path / "new").exists()
