"""New keys for the anchors: lines from before verify, whatever the old key signs later does not."""

import json
from pathlib import Path

import pytest
from tapelog_chassis.anchors import (
    AnchorJournal,
    AnchorKey,
    AnchorVerifier,
    Rolling,
    journal_path,
    read_journal,
    rotate_anchor_key,
)
from tapelog_chassis.anchors.signing import handovers_path, key_path
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.event_log import LogTampered

CONTEXT = "session"


def write(folder: Path, count: int, *, keys: Path | None = None) -> None:
    """Add lines to the journal with the key of today."""
    with AnchorJournal(folder, CONTEXT, key=AnchorKey.open(keys or folder / "keys", CONTEXT)) as journal:
        start = journal.last.position if journal.last else 0
        for n in range(start + 1, start + 1 + count):
            journal.append(Rolling(n, n, f"{n:064x}", f"{n:064x}"))


def rotate(folder: Path) -> None:
    """Replace the key."""
    rotate_anchor_key(folder, folder / "keys", CONTEXT)


def lines_of(folder: Path) -> int:
    """Verify the journal with the public halves; return how many lines it has."""
    anchors = read_journal(
        journal_path(folder, CONTEXT), CONTEXT, verifier=AnchorVerifier.read(folder / "keys", CONTEXT)
    )
    return len(anchors)


def test_each_line_verifies_with_the_key_of_its_time(tmp_path: Path) -> None:
    """Five rotations, with lines between them and without: the journal is whole each time, and goes on."""
    write(tmp_path, 3)
    publics = set()
    for more in (2, 0, 0, 4, 1):
        rotate(tmp_path)
        publics.add((tmp_path / "keys" / "session.pub.pem").read_bytes())
        before = lines_of(tmp_path)
        write(tmp_path, more)
        assert lines_of(tmp_path) == before + more
    assert (lines_of(tmp_path), len(publics)) == (10, 5)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_a_key_without_a_line_is_replaced_without_a_handover(tmp_path: Path) -> None:
    """Nothing was signed with it, so nothing is handed over."""
    AnchorKey.open(tmp_path / "keys", CONTEXT)
    rotate(tmp_path)
    assert json.loads(handovers_path(tmp_path / "keys", CONTEXT).read_text()) == []
    write(tmp_path, 1)
    assert lines_of(tmp_path) == 1


def test_what_the_old_key_signs_later_is_refused(tmp_path: Path) -> None:
    """A thief goes on with the old key, or from an earlier line, or forges the handover: found each time."""
    write(tmp_path, 3)
    stolen = tmp_path / "stolen"
    stolen.mkdir()
    key_path(stolen, CONTEXT).write_bytes(key_path(tmp_path / "keys", CONTEXT).read_bytes())
    key_path(stolen, CONTEXT).chmod(0o600)
    path = journal_path(tmp_path, CONTEXT)
    rotate(tmp_path)
    right = path.read_bytes()
    write(tmp_path, 2, keys=stolen)
    with pytest.raises(LogTampered, match="signed"):
        lines_of(tmp_path)
    path.write_bytes(b"".join(right.splitlines(keepends=True)[:2]))
    with pytest.raises(LogTampered, match="ends before line 3"):
        lines_of(tmp_path)
    write(tmp_path, 4, keys=stolen)
    forged = path.read_bytes()
    with pytest.raises(LogTampered):
        lines_of(tmp_path)
    path.write_bytes(right)
    write(tmp_path, 2)
    path.write_bytes(forged)
    with pytest.raises(LogTampered):
        lines_of(tmp_path)
    path.unlink()
    with pytest.raises(LogTampered, match="missing"):
        lines_of(tmp_path)
    path.write_bytes(right)
    handovers = handovers_path(tmp_path / "keys", CONTEXT)
    (handover,) = json.loads(handovers.read_text())
    for name, value in (("number", 2), ("line_hash", "0" * 64), ("public", handover["signature"][:44])):
        handovers.write_text(json.dumps([{**handover, name: value}]))
        with pytest.raises(ConfigRefusal, match="does not fit"):
            lines_of(tmp_path)


def test_a_rotation_that_was_broken_off_is_finished_by_the_next(tmp_path: Path) -> None:
    """Between any two of its steps the service refuses to start and says what to do; asked again, all is well."""
    write(tmp_path, 3)
    keys = tmp_path / "keys"
    files = {path.name: path.read_bytes() for path in keys.iterdir()}
    rotate(tmp_path)
    done = {path.name: path.read_bytes() for path in keys.iterdir()}
    steps = ("session.handovers.json", "session.pub.pem")
    for count in range(len(steps) + 1):
        for path in keys.iterdir():
            path.unlink()
        half = {**files, "session.pem.new": done["session.pem"], **{name: done[name] for name in steps[:count]}}
        for name, content in half.items():
            (keys / name).write_bytes(content)
            (keys / name).chmod(0o600)
        with pytest.raises(ConfigRefusal, match="rotate-key"):
            AnchorKey.open(keys, CONTEXT)
        rotate(tmp_path)
        assert sorted(path.name for path in keys.iterdir()) == sorted(done)
        assert lines_of(tmp_path) == 3


def test_nothing_is_replaced_while_the_journal_is_written_or_wrong(tmp_path: Path) -> None:
    """The key stays what it was."""
    write(tmp_path, 3)
    key = key_path(tmp_path / "keys", CONTEXT).read_bytes()
    with AnchorJournal(tmp_path, CONTEXT), pytest.raises(BlockingIOError):
        rotate(tmp_path)
    path = journal_path(tmp_path, CONTEXT)
    path.write_bytes(path.read_bytes().replace(b'"signature":"', b'"signature":"AAAA'))
    with pytest.raises(LogTampered):
        rotate(tmp_path)
    assert key_path(tmp_path / "keys", CONTEXT).read_bytes() == key
