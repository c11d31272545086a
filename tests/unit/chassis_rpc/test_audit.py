"""The audit's files: whatever is changed in them is found, and what a crash leaves is taken up."""

import itertools
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tapelog_chassis.audit import AuditTampered, read_audit, verify_audit
from tapelog_chassis.audit.files import AuditFiles, files_of, head_path
from tapelog_chassis.audit.record import Line, genesis, parsed, written

SERVICE = "session"
LINES = 60
FLIPS = 1000
DELETIONS = 50
SWAPS = 100


def line(number: int) -> Line:
    """Make a record."""
    return Line(
        0,
        f"2026-06-01T12:00:00.{number % 1000:03d}+00:00",
        tenant="acme",
        party=f"pty-{number}",
        rpc="/tapelog.session.v1.SessionService/GetSong",
        resource=f"projects/p/songs/s-{number}",
        decision="allow",
    )


def fill(folder: Path, count: int = LINES, **limits: int) -> None:
    """Write an audit, and close it well."""
    files = AuditFiles(folder / "audit", folder / "anchors", SERVICE, **limits)
    for number in range(count):
        files.add(line(number))
        files.sync()
    files.close()


def wrong(folder: Path) -> list[str]:
    """Return what the check finds."""
    return verify_audit(folder / "audit", folder / "anchors", SERVICE).wrong


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an audit that nobody touched."""
    folder = tmp_path_factory.mktemp("whole")
    fill(folder)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """Give a copy of it to damage."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_whole_audit_is_whole(whole: Path):
    """Every line is there once, in order, and nothing is found wrong."""
    report = verify_audit(whole / "audit", whole / "anchors", SERVICE)
    assert (report.first, report.last, report.lost, report.wrong) == (1, LINES, 0, [])
    assert [found.party for found in read_audit(whole / "audit", SERVICE)] == [f"pty-{n}" for n in range(LINES)]


def test_every_flipped_bit_is_found(copy: Path):
    """S14: a thousand single bits, anywhere in the file."""
    (path,) = files_of(copy / "audit", SERVICE)
    good = path.read_bytes()
    chosen = random.Random(1)
    undetected = 0
    for place in chosen.sample(range(len(good) * 8), FLIPS):
        damaged = bytearray(good)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        undetected += not wrong(copy)
    assert undetected == 0


def test_every_missing_moved_added_or_cut_line_is_found(copy: Path):
    """S14: fifty deletions, a hundred swaps, repeats, and the end cut off in fifteen places."""
    (path,) = files_of(copy / "audit", SERVICE)
    good = path.read_bytes().splitlines(keepends=True)
    chosen = random.Random(2)
    changed: list[list[bytes]] = [[*good[:n], *good[n + 1 :]] for n in chosen.sample(range(LINES), DELETIONS)]
    for first, second in (chosen.sample(range(LINES), 2) for _ in range(SWAPS)):
        swapped = list(good)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        changed.append(swapped)
    changed += [[*good[: n + 1], *good[n:]] for n in range(0, LINES, 6)]
    changed += [good[:n] for n in range(0, LINES, 4)]
    undetected = 0
    for lines in changed:
        path.write_bytes(b"".join(lines))
        undetected += not wrong(copy)
    assert len(changed) == DELETIONS + SWAPS + 10 + 15
    assert undetected == 0


def rewritten(lines: list[bytes], edit: Callable[[Line], None]) -> bytes:
    """Return the whole file with one field changed and every hash made anew, as somebody who knows the form would."""
    previous, out = genesis(SERVICE), []
    for raw in lines:
        found, _ = parsed(raw, None)
        edit(found)
        fresh, previous = written(found, previous)
        out.append(fresh)
    return b"".join(out)


def test_a_whole_rewrite_is_found_by_the_head(copy: Path):
    """S14: every hash fits; the head among the anchors does not."""
    (path,) = files_of(copy / "audit", SERVICE)

    def forget(found: Line) -> None:
        if found.party == "pty-7":
            found.party = "pty-8"

    path.write_bytes(rewritten(path.read_bytes().splitlines(keepends=True), forget))
    assert wrong(copy) == [f"line {LINES} is not the one that was noted among the anchors"]
    with pytest.raises(AuditTampered, match="not the one that was noted"):
        AuditFiles(copy / "audit", copy / "anchors", SERVICE)


def test_what_is_gone_stops_the_next_start(copy: Path):
    """A service that finds its audit shorter than it was, or gone, adds nothing to it."""
    (path,) = files_of(copy / "audit", SERVICE)
    good = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(good[:-5]))
    with pytest.raises(AuditTampered, match=f"ends at line {LINES - 5}, and had {LINES}"):
        AuditFiles(copy / "audit", copy / "anchors", SERVICE)
    path.unlink()
    assert wrong(copy) == [f"it ends at line 0, and had {LINES}"]
    with pytest.raises(AuditTampered, match="ends at line 0"):
        AuditFiles(copy / "audit", copy / "anchors", SERVICE)


def test_a_damaged_head_is_found(copy: Path):
    """Without its head the audit cannot be told whole, so it is not."""
    head_path(copy / "anchors", SERVICE).write_bytes(b"{}")
    assert wrong(copy) == ["its head among the anchors was damaged or changed"]
    with pytest.raises(AuditTampered, match="head"):
        AuditFiles(copy / "audit", copy / "anchors", SERVICE)


def test_a_crash_leaves_at_most_a_torn_line(copy: Path):
    """Lines behind the head are kept, the torn one is cut off, and the chain goes on."""
    (path,) = files_of(copy / "audit", SERVICE)
    last, digest = parsed(path.read_bytes().splitlines(keepends=True)[-1], None)
    more = line(1)
    more.sequence = last.sequence + 1
    raw, _ = written(more, digest)
    with path.open("ab") as file:
        file.write(raw + raw[: len(raw) // 2])
    assert wrong(copy) == []
    fill(copy, 3)
    assert wrong(copy) == []
    assert verify_audit(copy / "audit", copy / "anchors", SERVICE).last == LINES + 4


def test_old_files_are_let_go_and_that_is_recorded(tmp_path: Path):
    """The size stays bounded; what is left verifies; a file that somebody removed is not taken for let go."""
    fill(tmp_path, file_bytes_max=2500, files_max=3)
    found = files_of(tmp_path / "audit", SERVICE)
    assert len(found) <= 4
    report = verify_audit(tmp_path / "audit", tmp_path / "anchors", SERVICE)
    assert report.first > 1
    assert report.wrong == []
    fill(tmp_path, 5, file_bytes_max=2500, files_max=3)
    assert wrong(tmp_path) == []
    files_of(tmp_path / "audit", SERVICE)[0].unlink()
    assert "nothing says they were let go" in wrong(tmp_path)[0]


def test_one_process_writes_at_a_time(tmp_path: Path):
    """Two writers would make two chains."""
    files = AuditFiles(tmp_path / "audit", tmp_path / "anchors", SERVICE)
    with pytest.raises(Exception, match="another process writes"):
        AuditFiles(tmp_path / "audit", tmp_path / "anchors", SERVICE)
    files.close()


def test_each_service_has_its_own(tmp_path: Path):
    """Several services keep theirs in one folder, as in `tapelog up`."""
    for service, count in itertools.product(("session", "render"), (2, 3)):
        files = AuditFiles(tmp_path / "audit", tmp_path / "anchors", service)
        for number in range(count):
            files.add(line(number))
        files.close()
    for service in ("session", "render"):
        report = verify_audit(tmp_path / "audit", tmp_path / "anchors", service)
        assert (report.last, report.wrong) == (5, [])
