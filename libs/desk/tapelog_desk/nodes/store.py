"""A bounded folder of signals, each under the digest of what made it; shared by all processes of a machine.

A node appears whole or not at all (written beside its place, then linked), is checked block by block while it is read,
and may vanish at any time: everything here can be made again, so nothing here is synced, and no failure of the disk is
an error of the render.
"""

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from tapelog_desk.nodes.signals import NodeCorrupt, NodeReader, NodeWriter
from tapelog_desk.nodes.sums import OutReader, OutWriter, SumReader, SumWriter

PARTIAL_AGE_MAX_S: Final = 3600.0
"""What is older and has no name was left by a process that was killed."""
FILE_SHARE_MAX: Final = 0.5
"""A node larger than this share of the cache would only push everything else out."""


_R = TypeVar("_R", bound=NodeReader)


class NodeStore:
    """Signals by digest, least recently used out first.

    Parameters
    ----------
    folder : Path
        Made if missing. Several processes may use it at once.
    max_bytes : int
        Bytes of all nodes together; a little more for as long as one is being added.

    Attributes
    ----------
    hits, misses : int
        Nodes that were there, and that were not.
    failure : str
        Why nothing is written any more, such as a full disk; empty while all is well.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self.failure = ""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self._disable(error)

    def __repr__(self) -> str:
        return f"NodeStore({self.hits} hits, {self.misses} misses)"

    def open(self, key: str) -> NodeReader | None:
        """Return a reader of a signal, or None where there is none."""
        return self._open(key, NodeReader)

    def open_sum(self, key: str) -> SumReader | None:
        """Return a reader of a sum, or None where there is none."""
        return self._open(key, SumReader)

    def open_out(self, key: str) -> OutReader | None:
        """Return a reader of what a strip has handed on, or None where there is none."""
        return self._open(key, OutReader)

    def _open(self, key: str, kind: type[_R]) -> _R | None:
        path = self._path(key)
        try:
            file = path.open("rb")
        except OSError:
            self.misses += 1
            return None
        try:
            reader = kind(file, key, path)
        except NodeCorrupt:
            file.close()
            self.misses += 1
            return None
        with suppress(OSError):
            os.utime(path)
        self.hits += 1
        return reader

    @contextmanager
    def writing(self, keys: Mapping[str, str], channels: int) -> Iterator[dict[str, NodeWriter]]:
        """Open a writer for each name's key; nodes appear only if the block ends well and every write succeeded."""
        writers = {name: NodeWriter(self._folder, key, channels, self._disable) for name, key in keys.items()}
        with self._committing(keys, writers):
            yield {} if self.failure else writers

    @contextmanager
    def writing_mix(
        self, sums: Mapping[str, str], outs: Mapping[str, str], frames: int
    ) -> Iterator[tuple[dict[str, SumWriter], dict[str, OutWriter]]]:
        """Do the same for sums, and for what strips hand on, of so many frames."""
        made = {name: SumWriter(self._folder, key, frames, self._disable) for name, key in sums.items()}
        left = {name: OutWriter(self._folder, key, frames, self._disable) for name, key in outs.items()}
        whole = [*zip(sums.values(), made.values(), strict=True), *zip(outs.values(), left.values(), strict=True)]
        with self._committing({key: key for key, _ in whole}, dict(whole)):
            yield ({}, {}) if self.failure else (made, left)

    @contextmanager
    def _committing(self, keys: Mapping[str, str], writers: Mapping[str, NodeWriter]) -> Iterator[None]:
        try:
            yield
            for name, writer in writers.items():
                if writer.bytes_written <= FILE_SHARE_MAX * self._max_bytes:
                    writer.commit(self._path(keys[name]))
        finally:
            for writer in writers.values():
                writer.discard()
        if writers:
            self.evict()

    def put(self, name: str, data: bytes) -> None:
        """Keep a few bytes under a name, replacing what was there."""
        partial = self._folder / f".{name}.{secrets.token_hex(4)}"
        try:
            partial.write_bytes(data)
            partial.replace(self._path(name))
        except OSError as error:
            self._disable(error)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def get(self, name: str) -> bytes | None:
        """Return what `put` has kept, or None."""
        try:
            return self._path(name).read_bytes()
        except OSError:
            return None

    def drop(self, name: str) -> None:
        """Remove something."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin so, those written last first."""
        found = []
        with suppress(OSError):
            for entry in os.scandir(self._folder):
                if entry.name.startswith(prefix):
                    with suppress(OSError):
                        found.append((entry.stat().st_mtime_ns, entry.name))
        return [name for _, name in sorted(found, reverse=True)]

    def evict(self) -> int:
        """Remove the nodes that were not used for longest until the rest fits; return how many."""
        nodes, removed = [], 0
        now_s = time.time()
        with suppress(OSError):
            for entry in os.scandir(self._folder):
                with suppress(OSError):
                    found = entry.stat()
                    if entry.name.startswith(".") and now_s - found.st_mtime > PARTIAL_AGE_MAX_S:
                        Path(entry.path).unlink(missing_ok=True)
                    elif not entry.name.startswith("."):
                        nodes.append((found.st_mtime_ns, found.st_size, entry.path))
        excess = sum(size for _, size, _ in nodes) - self._max_bytes
        for _, size, path in sorted(nodes):
            if excess <= 0:
                break
            with suppress(OSError):
                Path(path).unlink(missing_ok=True)
            excess -= size
            removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._folder / key

    def _disable(self, error: OSError) -> None:
        """Write no more: the disk is full, or the folder is not ours."""
        self.failure = error.strerror or str(error)
