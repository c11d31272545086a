"""The files of an audit: numbered, of a limited size, the oldest let go; and the head that is kept elsewhere."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tapelog_chassis.auth.issuer import write_private
from tapelog_chassis.errors import ConfigRefusal

from .record import Line, genesis, parsed, written

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""About 45,000 calls."""
FILES_MAX: Final = 32
"""512 MiB of each service: about 1.4 million calls; older ones are let go, and that is recorded."""
TAIL_BYTES: Final = 8192
"""Longer than any line."""
_NAME: Final = re.compile(r"(?P<service>[a-z]+[2-8]?)-(?P<number>\d{6})\.jsonl")


class AuditTampered(ConfigRefusal):
    """An audit is not what it was: cut, edited or rolled back. Nothing is added to it."""

    def __init__(self, folder: Path, service: str, reason: str) -> None:
        super().__init__(
            f"the audit of {service} in {folder} is not what it was: {reason}. Nothing was changed; keep a copy, look "
            "with `tapelog audit verify`, and move the folder and its head among the anchors away to begin a new one"
        )
        self.reason = reason


class AuditBusy(ConfigRefusal):
    """Another process writes this audit."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another process writes the audit {path}: give each a folder of its own (TAPELOG_AUDIT_DIR)")


@dataclass(frozen=True, slots=True)
class Head:
    """Where an audit was when its head was last noted elsewhere."""

    sequence: int = 0
    hash: str = ""


def files_of(folder: Path, service: str) -> list[Path]:
    """Return the files of a service's audit, the oldest first."""
    found = [(match, path) for path in folder.glob("*.jsonl") if (match := _NAME.fullmatch(path.name))]
    return sorted(path for match, path in found if match["service"] == service)


def head_path(anchors: Path, service: str) -> Path:
    """Return the file of a service's head."""
    return anchors / f"{service}.audit"


def read_head(anchors: Path, service: str) -> Head:
    """Return the head that was noted last; nothing for none.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    try:
        values = json.loads(head_path(anchors, service).read_bytes())
        return Head(int(values["sequence"]), str(values["hash"]))
    except FileNotFoundError:
        return Head()
    except (KeyError, TypeError, ValueError):
        raise ValueError("its head among the anchors was damaged or changed") from None


class AuditFiles:
    """A service's audit, open for adding. Its methods wait for the disk.

    Raises
    ------
    AuditTampered
        What is there is behind the head that was noted, or does not fit it.
    AuditBusy
        Another process writes it.
    """

    def __init__(
        self,
        folder: Path,
        anchors: Path,
        service: str,
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        files_max: int = FILES_MAX,
    ) -> None:
        self._folder, self._anchors, self._service = folder, anchors, service
        self._file_bytes_max, self._files_max = file_bytes_max, files_max
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        anchors.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = -1
        self.sequence, self.hash = 0, genesis(service)
        self._noted = 0
        found = files_of(folder, service)
        self._open(found[-1] if found else folder / f"{service}-000001.jsonl")
        try:
            self._take_up(found)
        except ValueError as failure:
            os.close(self._descriptor)
            raise AuditTampered(folder, service, str(failure)) from None

    def add(self, *lines: Line) -> None:
        """Add lines; they get their numbers here. They are the system's once this returns, the disk's after `sync`.

        Raises
        ------
        OSError
            The disk refused; nothing was added, and the same lines may be added again.
        """
        digest, written_lines = self.hash, []
        for number, line in enumerate(lines, start=self.sequence + 1):
            line.sequence = number
            raw, digest = written(line, digest)
            written_lines.append(raw)
        lot = b"".join(written_lines)
        count = os.write(self._descriptor, lot)
        if count != len(lot):
            os.ftruncate(self._descriptor, self._size_bytes)  # half a line would damage what is behind it
            raise OSError(errno.ENOSPC, "only a part of what was to be written fitted on the disk")
        self.sequence, self.hash = self.sequence + len(lines), digest
        self._size_bytes += len(lot)

    def sync(self) -> None:
        """Have everything on the disk, note the head elsewhere, and begin another file when this one is full."""
        if self.sequence == self._noted:
            return
        os.fdatasync(self._descriptor)
        head = asdict(Head(self.sequence, self.hash)) | {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        write_private(head_path(self._anchors, self._service), json.dumps(head).encode())
        self._noted = self.sequence
        if self._size_bytes >= self._file_bytes_max:
            self._turn_over()

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._descriptor)

    def _open(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise AuditBusy(path) from None
        self._size_bytes = os.fstat(self._descriptor).st_size

    def _take_up(self, found: list[Path]) -> None:
        """Find the last line, cutting a torn one, and compare it with the head."""
        torn = self._size_bytes - _whole_bytes(self._descriptor, self._size_bytes)
        if torn:
            os.ftruncate(self._descriptor, self._size_bytes - torn)
            self._size_bytes -= torn
        for path in reversed(found):
            raw = _last_line(path)
            if raw:
                line, self.hash = parsed(raw, None)
                self.sequence = line.sequence
                break
        head = read_head(self._anchors, self._service)
        if head.sequence > self.sequence:
            raise ValueError(f"it ends at line {self.sequence}, and had {head.sequence}")
        if head.sequence == self.sequence and head.sequence and head.hash != self.hash:
            raise ValueError(f"line {self.sequence} is not the one that was noted")
        self._noted = head.sequence

    def _turn_over(self) -> None:
        number = int(self._path.stem.rpartition("-")[2]) + 1
        before = self._descriptor
        self._open(self._folder / f"{self._service}-{number:06d}.jsonl")
        os.close(before)
        surplus = files_of(self._folder, self._service)[: -self._files_max]
        if surplus:
            gone, digest = parsed(_last_line(surplus[-1]), None)
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.add(Line(0, now, kind="trimmed", through=gone.sequence, through_hash=digest))
            self.sync()
            for path in surplus:
                path.unlink()


def _whole_bytes(descriptor: int, size_bytes: int) -> int:
    """Return how long a file is without a torn last line."""
    start = max(0, size_bytes - TAIL_BYTES)
    tail = os.pread(descriptor, TAIL_BYTES, start)
    return start + tail.rfind(b"\n") + 1


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, size_bytes - TAIL_BYTES))
        lines = file.read().splitlines(keepends=True)
    return lines[-1] if lines else b""
