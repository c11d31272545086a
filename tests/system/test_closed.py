"""Everything on one machine is closed: loopback alone, private files, and logs and metrics that hold no secret."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import psutil
import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2, session_service_pb2_grpc
from tapelog_client import StackState
from tapelog_client.errors import TapelogApiError
from tapelog_client.tokens import LocalKeyTokenSource
from tapelog_notify.testing_endpoint import Receiver

from .conftest import STOP_S, System, clean_environment, eventually, kill_tree
from .studio import RATE_HZ, open_studio, write_stem

LOOPBACK: Final = {"127.0.0.1", "::1"}
MARK: Final = "canary"
"""Is in every word that nobody may find again."""
PROFILE_S: Final = 30.0


def _family(system: System) -> list[psutil.Process]:
    parent = psutil.Process(system.process.pid)
    return [parent, *parent.children(recursive=True)]


def test_only_loopback_listens(system: System) -> None:
    """Every listening socket of the stack and its children, the broker among them, is on 127.0.0.1 or ::1."""
    sockets = [
        (process.name(), connection.laddr)
        for process in _family(system)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(sockets) >= 5
    assert [found for found in sockets if found[1].ip.removeprefix("::ffff:") not in LOOPBACK] == []
    assert [
        connection
        for process in _family(system)
        for connection in process.net_connections("inet")
        if connection.type.name == "SOCK_DGRAM"
    ] == []


def test_nobody_else_can_read_or_write_anything(system: System) -> None:
    """Every folder is 0700 and every file 0600 at most, whatever the umask; audio alone may be read-only."""
    open_to_others = {
        str(path.relative_to(system.data_dir)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in [system.data_dir, *system.data_dir.rglob("*")]
        if path.exists() and path.lstat().st_mode & 0o077 and not path.is_symlink()
    }
    assert open_to_others == {}


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[System]:
    """Run a stack that logs all it can, with metrics on."""
    command = [sys.executable, "-m", "tapelog_cli", "up", "--data-dir", str(tmp_path / "data"), "--log-level", "debug"]
    environment = {**clean_environment(), "GRPC_VERBOSITY": "ERROR"}
    log = (tmp_path / "data.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    system = System(tmp_path / "data", process, "embedded")
    try:
        eventually((system.data_dir / "state.json").exists, timeout_s=60)
        yield system
    finally:
        kill_tree(process)
        log.close()


@pytest.mark.faults
async def test_what_is_private_is_in_no_log_metric_or_error(talkative: System, tmp_path: Path) -> None:
    """
    Names, addresses, titles, briefs, notes, URLs, secrets, tokens and broken requests, marked; DEBUG logs are searched.

    The profile that SIGUSR2 makes is searched too.
    """
    token = LocalKeyTokenSource(talkative.data_dir / "identity", tenant="local", party="pty-producer")
    state = StackState.read(talkative.data_dir)
    said: list[str] = []
    async with talkative.api("pty-producer", tenant_roles=("INTEGRATION",)) as api, Receiver() as receiver:
        await api.parties.upsert("pty-producer", f"Name {MARK}", email=f"{MARK}@example.test")
        await api.subscriptions.create_webhook(f"Title {MARK}", f"{receiver.url}?{MARK}=1")
        studio = await open_studio(api, f"Song {MARK}")
        await studio.recording.takes.define_track(studio.song, "lead", f"Track {MARK}")
        await studio.recording.takes.record(
            studio.song, "lead", write_stem(tmp_path / f"{MARK}.wav", seed=1, length_s=1)
        )
        await studio.recording.takes.wait_checked(studio.song)
        for wrong in (f"projects/{MARK}!/songs/x", f"projects/prj-{MARK}/songs/sng-{MARK}"):
            with pytest.raises(TapelogApiError) as refused:
                await api.songs.get(wrong)
            said.append(refused.value.reason)
        with pytest.raises(TapelogApiError):
            await api.songs.create(studio.project, "x" * 5000 + MARK, sample_rate_hz=RATE_HZ, bit_depth=24)
        with pytest.raises(TapelogApiError):
            await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
        await receiver.wait_for(5)
    bearer = token.token() if callable(getattr(token, "token", None)) else ""
    async with grpc.aio.insecure_channel(state.session) as channel:
        stub = session_service_pb2_grpc.SessionServiceStub(channel)
        for header in (f"Bearer {MARK}", f"Bearer {bearer}x{MARK}", f"Basic {MARK}"):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stub.GetSong(
                    session_service_pb2.GetSongRequest(name=studio.song), metadata=(("authorization", header),)
                )
            assert MARK not in (failed.value.details() or "")
    os.kill(talkative.process.pid, signal.SIGUSR2)
    await asyncio.to_thread(
        eventually, lambda: bool(list((talkative.data_dir / "profiles").glob("*.folded"))), timeout_s=PROFILE_S
    )
    profile = "".join(path.read_text() for path in (talkative.data_dir / "profiles").glob("*.folded"))
    assert "_run_once" in profile
    talkative.process.send_signal(signal.SIGTERM)
    assert talkative.process.wait(STOP_S) == 0
    text = (talkative.data_dir.parent / "data.log").read_text()
    assert len(text.splitlines()) > 15
    told = [line for line in (text + profile).splitlines() if MARK in line and str(tmp_path) not in line]
    assert told == []
    secrets = ["PRIVATE KEY", "whsec_", "SUACC", "-----BEGIN"]
    assert [line for line in text.splitlines() if any(secret in line for secret in secrets)] == []
    # A token has three parts in base64; what begins like one is one.
    assert [line for line in text.splitlines() if "eyJ" in line and "sign-in" not in line] == []
    assert json.dumps(said).count(MARK) == 0
