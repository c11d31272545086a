"""
The journal of anchors: one line a head, added and never changed, each line chained to the one before.

Written by one process at a time. A line is on the disk (fsync) before the next is begun, so that a crash leaves at most
one torn line at the end, which was promised to nobody and is cut off.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from tapelog_chassis.event_log import LogTampered

from .digest import Rolling
from .signing import AnchorKey, AnchorVerifier, is_unfinished

ANCHORS_MAX: Final = 4096
"""Anchors of one journal that are held and compared; a longer one is compared at every second, fourth … line."""
LINE_BYTES_MAX: Final = 4096
"""A line has about 430 bytes."""

_FIELDS: Final = ("number", "position", "events", "digest", "event_hash", "time")


@dataclass(frozen=True, slots=True)
class Anchor:
    """
    One line: the place in the log, when it was written (RFC 3339), and its hash, which covers the lines before.

    The signature is over that hash; a line that was written before there was a key has none.
    """

    number: int
    position: int
    events: int
    digest: str
    event_hash: str
    time: str
    hash: str
    signature: str = ""

    @property
    def rolling(self) -> Rolling:
        """The place in the log."""
        return Rolling(self.position, self.events, self.digest, self.event_hash)


def _whole_bytes(path: Path) -> int:
    """Return how long a journal is without a torn last line."""
    with path.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size_bytes - LINE_BYTES_MAX))
        return start + file.read().rfind(b"\n") + 1


def journal_path(folder: Path, context: str) -> Path:
    """Return the file of a context's anchors."""
    return folder / f"{context}.anchors"


def verifier_of(key: AnchorKey | None) -> AnchorVerifier | None:
    """Return what a journal is checked with at its opening: nothing when the key was made for it just now."""
    return None if key is None or key.is_new else key.verifier


def _genesis(context: str) -> str:
    return hashlib.sha256(f"tapelog anchors {context}".encode()).hexdigest()


def _hash(previous: str, fields: dict[str, object]) -> str:
    text = json.dumps({name: fields[name] for name in _FIELDS}, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def read_journal(path: Path, context: str, *, verifier: AnchorVerifier | None = None) -> list[Anchor]:
    """
    Read and check a journal; empty if there is none. A torn last line is left out.

    Every line is checked; of a long journal every second, fourth … is returned, and always the last.

    Parameters
    ----------
    path, context
        Which journal.
    verifier
        Of the key that has signed it; None looks at no signature.

    Raises
    ------
    LogTampered
        If a line is not an anchor, or does not follow the one before, or the last is not signed with the key.
    """
    begins_behind = 0 if verifier is None else verifier.last_handover
    if not path.exists():
        if begins_behind:
            raise LogTampered(context, f"its journal {path.name} is missing")
        return []
    anchors: list[Anchor] = []
    last, step = None, 1
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            last = _parse(line, number, last, context)
            if last is None:
                raise LogTampered(context, f"line {number} of its journal {path.name} was damaged or changed")
            if verifier is not None and not verifier.ends(context, number, last.hash, last.signature):
                raise LogTampered(context, f"line {number} of its journal {path.name} is not the last of its key")
            if number % step == 0:
                anchors.append(last)
            if len(anchors) > ANCHORS_MAX:
                anchors, step = anchors[1::2], 2 * step
    if last is not None and anchors[-1] is not last:
        anchors.append(last)
    if (last.number if last is not None else 0) < begins_behind:
        raise LogTampered(context, f"its journal {path.name} ends before line {begins_behind}, where its key began")
    # The last hash covers every line, so that its signature vouches for all of them.
    if (
        last is not None
        and verifier is not None
        and not verifier.vouches(context, last.number, last.hash, last.signature)
    ):
        what = "is not signed with the key of its writer" if last.signature else "is not signed at all"
        raise LogTampered(context, f"line {last.number} of its journal {path.name} {what}: somebody else wrote it")
    return anchors


def _parse(line: bytes, number: int, before: Anchor | None, context: str) -> Anchor | None:
    """Read one line; None if it is no anchor or does not follow the one before."""
    try:
        fields = json.loads(line)
        anchor = Anchor(**fields)
        fits = anchor.number == number and anchor.hash == _hash(before.hash if before else _genesis(context), fields)
    except (ValueError, TypeError, KeyError):
        return None
    return anchor if fits and (before is None or anchor.position > before.position) else None


class AnchorJournal:
    """
    A context's journal, open for writing. Use as `with AnchorJournal(folder, context) as journal`.

    Parameters
    ----------
    folder, context
        Which journal.
    key
        Signs each line; None signs none.

    Raises
    ------
    LogTampered
        On entry, if the journal itself does not verify.
    BlockingIOError
        On entry, if another process writes it.
    """

    def __init__(self, folder: Path, context: str, *, key: AnchorKey | None = None) -> None:
        self._key = key
        self._path = journal_path(folder, context)
        self._context = context
        self._descriptor = -1
        self._writing = threading.Lock()
        self.last: Anchor | None = None

    def __repr__(self) -> str:
        return f"AnchorJournal({self._path}, {self.last.number if self.last else 0} anchors)"

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            anchors = read_journal(self._path, self._context, verifier=verifier_of(self._key))
            os.ftruncate(self._descriptor, _whole_bytes(self._path))
            folder = os.open(self._path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.last = anchors[-1] if anchors else None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def append(self, place: Rolling) -> Anchor:
        """
        Add a line, unless it has the place already, and have it on the disk; blocks for the disk's time.

        Raises
        ------
        OSError
            The disk does not take it, such as because it is full; the journal is as it was, and may be asked again.
        """
        with self._writing:
            if self.last is not None and place.position <= self.last.position:
                return self.last
            return self._append(place)

    def _append(self, place: Rolling) -> Anchor:
        number, previous = (self.last.number + 1, self.last.hash) if self.last else (1, _genesis(self._context))
        fields: dict[str, object] = {
            **asdict(place),
            "number": number,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        line = {name: fields[name] for name in _FIELDS} | {"hash": _hash(previous, fields)}
        if self._key is not None:
            line["signature"] = self._key.sign(self._context, str(line["hash"]))
        self._put(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        if self._key is not None:
            self._key.is_new = False
        self.last = Anchor(**line)  # type: ignore[arg-type]  # the fields just made
        return self.last

    def _put(self, line: bytes) -> None:
        """Write a line whole or not at all: a part of one would make the next one unreadable."""
        size_bytes = os.fstat(self._descriptor).st_size
        is_there = False
        try:
            is_whole = os.write(self._descriptor, line) == len(line)
            os.fsync(self._descriptor)
            is_there = is_whole
        finally:
            if not is_there:
                os.ftruncate(self._descriptor, size_bytes)
        if not is_there:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))


def rotate_anchor_key(folder: Path, key_folder: Path, context: str) -> AnchorKey:
    """
    Have a context's anchors signed with a new key from here on; what is there verifies as before.

    Raises
    ------
    BlockingIOError
        If a process writes the journal.
    LogTampered
        If the journal is not right: what is not whole is not handed over.
    ConfigRefusal
        If a key cannot be used.
    """
    with AnchorJournal(folder, context) as journal:
        if not is_unfinished(key_folder, context):
            verifier = AnchorVerifier.read(key_folder, context)
            read_journal(journal_path(folder, context), context, verifier=verifier)
        last = journal.last
        return AnchorKey.rotate(key_folder, context, last.number if last else 0, last.hash if last else "")
