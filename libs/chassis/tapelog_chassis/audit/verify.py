"""Reading an audit, and finding out whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .files import Head, files_of, read_head
from .record import Line, genesis, parsed


@dataclass(slots=True)
class AuditReport:
    """What was found in one service's audit.

    Attributes
    ----------
    service : str
    first, last : int
        Numbers of the lines that are there.
    lost : int
        Records that were counted and not written (`gap`).
    wrong : list[str]
        Empty for an audit that is whole.
    """

    service: str
    first: int = 0
    last: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)


def read_audit(folder: Path, service: str) -> Iterator[Line]:
    """Yield the lines of an audit, unchecked; a torn last one is left out, an unreadable one too."""
    for _, raw in _lines(folder, service):
        try:
            yield parsed(raw, None)[0]
        except ValueError:
            continue


def verify_audit(folder: Path, anchors: Path, service: str) -> AuditReport:
    """Check every line against the one before, the first against what was let go, the last against the head.

    A line that somebody edited, left out, moved or added is found, and so is an end that was cut off: up to the head,
    which is noted in another folder every second.
    """
    report = AuditReport(service)
    previous: str | None = genesis(service)
    at_head, trims = "", {}
    try:
        head = read_head(anchors, service)
    except ValueError as failure:
        report.wrong.append(str(failure))
        return report
    first: tuple[str | None, bytes] = (None, b"")  # where it is if it is not number 1, and what
    for place, raw in _lines(folder, service):
        if report.last == 0:
            previous = _start(raw, previous)
        try:
            line, digest = parsed(raw, previous)
        except ValueError as failure:
            report.wrong.append(f"{place}: {failure}")
            break
        if report.last == 0:
            report.first = line.sequence
            first = (None if line.sequence == 1 else place, raw)
        elif line.sequence != report.last + 1:
            report.wrong.append(f"{place}: it is line {line.sequence}, behind {report.last}")
            break
        report.last, previous = line.sequence, digest
        report.lost += line.lost
        if line.kind == "trimmed":
            trims[line.through] = line.through_hash
        if line.sequence == head.sequence:
            at_head = digest
    _check_ends(report, head, at_head, first, trims)
    return report


def _start(raw: bytes, genesis_hash: str | None) -> str | None:
    """Return the hash before the first line that is there; None where older ones were let go."""
    try:
        line, _ = parsed(raw, None)
    except ValueError:
        return genesis_hash
    return genesis_hash if line.sequence == 1 else None


def _check_ends(
    report: AuditReport, head: Head, at_head: str, first: tuple[str | None, bytes], trims: dict[int, str]
) -> None:
    if report.wrong:
        return
    place, raw = first
    if place is not None:
        try:
            parsed(raw, trims.get(report.first - 1, ""))
        except ValueError:
            report.wrong.append(f"{place}: lines before {report.first} are missing, and nothing says they were let go")
    if report.last < head.sequence:
        report.wrong.append(f"it ends at line {report.last}, and had {head.sequence}")
    elif head.hash != at_head:
        report.wrong.append(f"line {head.sequence} is not the one that was noted among the anchors")


def _lines(folder: Path, service: str) -> Iterator[tuple[str, bytes]]:
    found = files_of(folder, service)
    for path in found:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n") and path == found[-1]:
                    return
                yield f"{path.name} line {number}", raw


def services_of(folder: Path, anchors: Path) -> list[str]:
    """Return the services that have an audit in a folder, or had one by their heads."""
    there = {path.name.rpartition("-")[0] for path in folder.glob("*.jsonl")}
    return sorted(there | {path.stem for path in anchors.glob("*.audit")})
