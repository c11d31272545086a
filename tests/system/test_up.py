"""`tapelog up` as a process: one a folder, one a port, and a good end."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from tapelog_cli.backup.manifest import Manifest
from tapelog_cli.exit_codes import ExitCode
from tapelog_client.local import STATE_FILE

from tests.faults.harness.battery import Row

from .conftest import System, clean_environment, eventually, kill_tree, start_system
from .studio import open_studio

UP_S_MAX: Final = 60
BACKUP_S: Final = 240
"""A backup is made with low priority: on a machine that is busy it takes its time."""


def _tapelog(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tapelog_cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=UP_S_MAX, check=False, env=clean_environment()
    )


def test_status_shows_every_service(system: System) -> None:
    """All three serve, and the answer is also there for programs."""
    done = _tapelog("status", "--json", "--data-dir", str(system.data_dir))

    assert done.returncode == ExitCode.OK, done.stderr
    services = json.loads(done.stdout)["services"]
    assert {name: service["health"] for name, service in services.items()} == {
        "session": "SERVING",
        "render": "SERVING",
        "notify": "SERVING",
    }


def test_everything_listens_on_loopback_alone(system: System) -> None:
    """S16: no port of services, broker, review page or workers is reachable from another machine."""
    family = [psutil.Process(system.process.pid), *psutil.Process(system.process.pid).children(recursive=True)]
    listening = {
        connection.laddr
        for process in family
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(listening) >= 5
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_a_second_up_on_the_folder_names_folder_and_process(system: System) -> None:
    """The second one ends with 78, changes nothing, and says whom to stop."""
    before = (system.data_dir / STATE_FILE).read_bytes()

    done = _tapelog("up", "--data-dir", str(system.data_dir))

    assert done.returncode == ExitCode.CONFIG
    assert str(system.data_dir) in done.stderr
    assert str(json.loads(before)["pid"]) in done.stderr
    assert "Traceback" not in done.stderr
    assert (system.data_dir / STATE_FILE).read_bytes() == before


@pytest.mark.parametrize("part", ["session", "render", "notify", "console", "nats"])
def test_a_port_in_use_is_named(part: str, tmp_path: Path) -> None:
    """Starting on a taken port ends with 78 and names the port; nothing stays behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _tapelog("up", "--data-dir", str(tmp_path / "data"), f"--{part}-port", str(port))

    assert done.returncode == ExitCode.CONFIG, done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / STATE_FILE).exists()


async def test_a_song_is_shown_and_its_events_are_printed(system: System) -> None:
    """What the client made is what `song show` and `events tail` print."""
    async with system.api("pty-producer") as api:
        studio = await open_studio(api, "Shown")
        facts = [event.id async for event in studio.producer.songs.events(studio.song)]
    where = ("--data-dir", str(system.data_dir), "--as", "pty-producer")

    shown = _tapelog("song", "show", studio.song, "--json", *where)
    tailed = _tapelog("events", "tail", "--from", "0", "--type", "tapelog.song.*", "--count", str(len(facts)), *where)

    assert json.loads(shown.stdout)["title"] == "Shown"
    assert [json.loads(line)["id"] for line in tailed.stdout.splitlines()] == facts


def test_the_key_and_the_state_are_private(system: System) -> None:
    """Nobody else can read the issuer's key, the state, or the services' credentials."""
    secret = [
        system.data_dir / "identity" / "issuer.ed25519.pem",
        system.data_dir / STATE_FILE,
        *(system.data_dir / "creds").iterdir(),
    ]
    assert [path for path in secret if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_everything_well(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM drain the parts in order: exit code 0, no process and no state file left."""
    started = start_system(tmp_path / "data", "embedded")
    try:
        family = psutil.Process(started.process.pid).children(recursive=True)
        started.process.send_signal(number)

        assert started.process.wait(UP_S_MAX) == ExitCode.OK
        assert [process for process in family if process.is_running()] == []
        assert not (started.data_dir / STATE_FILE).exists()
    finally:
        kill_tree(started.process)


@pytest.mark.faults
async def test_a_killed_stack_leaves_nothing_running_and_loses_nothing(tmp_path: Path, row: Row) -> None:
    """`kill -9` of `tapelog up`: broker and workers end by themselves; the next one finds every acknowledged fact."""
    first = start_system(tmp_path / "data", "embedded")
    family = psutil.Process(first.process.pid).children(recursive=True)
    async with first.api("pty-producer") as api:
        studio = await open_studio(api, "Kept")
        facts = [event.id async for event in studio.producer.songs.events(studio.song)]
    first.process.kill()
    first.process.wait(UP_S_MAX)
    eventually(lambda: not any(process.is_running() for process in family), timeout_s=UP_S_MAX)

    second = start_system(tmp_path / "data", "embedded")
    try:
        async with second.api("pty-producer") as api:
            assert [event.id async for event in api.songs.events(studio.song)] == facts
    finally:
        kill_tree(second.process)
    row(
        "P10 stack",
        "kill -9 of `tapelog up`: its children end by themselves, the next one has every acknowledged fact",
        f"{len(family)} children ended, {len(facts)} facts of a song, lost 0",
    )


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_backups_are_made_beside_the_stack(tmp_path: Path, row: Row) -> None:
    """`up --backup-to`: one backup after another, told by `status`; one that fails is told too, and made good."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    copy.write_text("in the way")
    command = [
        sys.executable,
        "-m",
        "tapelog_cli",
        "up",
        "--data-dir",
        data,
        "--backup-to",
        copy,
        "--backup-every",
        "1s",
    ]
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=clean_environment())
    system = System(data, process, "embedded")

    def backup() -> dict[str, Any]:
        done = _tapelog("status", "--data-dir", str(data), "--json")
        return dict(json.loads(done.stdout)["backup"] or {}) if done.stdout.startswith("{") else {}

    try:
        eventually(lambda: backup().get("failures", 0) > 0, timeout_s=BACKUP_S)
        failed = _tapelog("status", "--data-dir", str(data))
        assert failed.returncode == ExitCode.UNAVAILABLE
        assert "backup into" in failed.stdout
        assert "backup failed" in (tmp_path / "up.log").read_text()
        copy.unlink()
        eventually(lambda: backup().get("made", "") != "", timeout_s=BACKUP_S)
        made = backup()
        assert (made["failures"], made["wrong"]) == (0, "")
        eventually(lambda: backup()["made"] > made["made"], timeout_s=BACKUP_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(UP_S_MAX) == ExitCode.OK
        assert not (data / "backup.json").exists()
        assert Manifest.read(copy).form == "stack"
    finally:
        kill_tree(system.process)
    row(
        "F20 schedule",
        "`up --backup-to`: a run that fails is told by log and status and made good, then one backup after another",
        f"{made['failures']} failures left, the first backup took {made['took_s']} s, the next followed",
    )
