import os
from pathlib import Path

import pytest
from tapelog_chassis.auth import LocalIssuer
from tapelog_client import StackNotRunning, StackState, Tapelog

STATE = StackState(
    pid=os.getpid(),
    session="127.0.0.1:1",
    render="127.0.0.1:2",
    notify="127.0.0.1:3",
    nats_url="nats://127.0.0.1:4",
    identity_dir="",
    started="2026-01-01T00:00:00+00:00",
)


def test_a_written_state_is_read_again_and_private(tmp_path: Path) -> None:
    """What `tapelog up` writes is what clients read, and only this user can."""
    STATE.write(tmp_path)

    assert StackState.read(tmp_path) == STATE
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_no_state_says_what_to_do(tmp_path: Path) -> None:
    """A folder without a stack names the folder and the remedy."""
    with pytest.raises(StackNotRunning, match=str(tmp_path)) as missing:
        StackState.read(tmp_path)

    assert "tapelog up" in missing.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": 1}', "not json"])
def test_a_damaged_state_is_no_running_stack(tmp_path: Path, text: str) -> None:
    """A half-written or foreign file is refused with its path, not a traceback."""
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(StackNotRunning, match=r"state\.json"):
        StackState.read(tmp_path)


def test_a_dead_process_is_no_running_stack(tmp_path: Path) -> None:
    """A stack that was killed leaves a file; its process number tells that it is gone."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    dead = StackState(**{**_fields(), "pid": child})
    dead.write(tmp_path)

    with pytest.raises(StackNotRunning, match=f"process {child}"):
        StackState.read(tmp_path)


def test_another_version_of_the_state_is_refused(tmp_path: Path) -> None:
    """A client of another version does not guess."""
    StackState(**{**_fields(), "version": 99}).write(tmp_path)

    with pytest.raises(StackNotRunning, match="version 99"):
        StackState.read(tmp_path)


async def test_a_local_client_speaks_as_several_parties(tmp_path: Path) -> None:
    """Views share one client's connections and carry their own tokens."""
    LocalIssuer.open(tmp_path / "identity", create=True)
    StackState(**{**_fields(), "identity_dir": str(tmp_path / "identity")}).write(tmp_path)

    async with Tapelog.local(tmp_path, party="pty-producer") as producer:
        artist = producer.as_party("pty-artist")

        assert "pty-producer" in repr(producer)
        assert "pty-artist" in repr(artist)
        assert artist._channels is producer._channels


def _fields() -> dict[str, object]:
    from dataclasses import asdict

    return asdict(STATE)
