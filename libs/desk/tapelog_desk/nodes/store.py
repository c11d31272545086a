"""A bounded folder of signals, each under the digest of what made it; shared by all processes of a machine.

A node appears whole or not at all (written beside its place, then linked), is checked block by block while it is read,
and may vanish at any time: everything here can be made again, so nothing here is synced, and no failure of the disk is
an error of the render.
"""

import os
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from tapelog_desk.files.decoders import Samples

MAGIC: Final = b"TLNODE1\n"
_HEAD: Final = struct.Struct("<8s32sI")
"""Magic, key, channels."""
_BLOCK: Final = struct.Struct("<II")
"""Frames and CRC-32 of a block; 0 frames end the node, and their CRC is that of what comes then."""
_END: Final = struct.Struct("<QI")
"""Frames of the whole node, and bytes of its note."""
NOTE_BYTES_MAX: Final = 64 * 1024
"""What may be remembered with a signal: the figures of a chain."""

PARTIAL_AGE_MAX_S: Final = 3600.0
"""What is older and has no name was left by a process that was killed."""
FILE_SHARE_MAX: Final = 0.5
"""A node larger than this share of the cache would only push everything else out."""


class NodeCorrupt(Exception):  # noqa: N818 - a state of the cache, not an error of the render
    """A node is not what was written; it has been removed, and the render that met it has to start again."""

    def __init__(self, key: str) -> None:
        super().__init__(f"cached node {key[:12]}... is damaged and was removed")
        self.key = key


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

    def open(self, key: str) -> "NodeReader | None":
        """Return a reader of a node, or None where there is none."""
        path = self._path(key)
        try:
            file = path.open("rb")
        except OSError:
            self.misses += 1
            return None
        try:
            reader = NodeReader(file, key, path)
        except NodeCorrupt:
            file.close()
            self.misses += 1
            return None
        with suppress(OSError):
            os.utime(path)
        self.hits += 1
        return reader

    @contextmanager
    def writing(self, keys: dict[str, str], channels: int) -> "Iterator[dict[str, NodeWriter]]":
        """Open a writer for each name's key; nodes appear only if the block ends well and every write succeeded."""
        writers = {name: NodeWriter(self._folder, key, channels, self._disable) for name, key in keys.items()}
        if self.failure:
            writers = {}
        try:
            yield writers
            for name, writer in writers.items():
                if writer.bytes_written <= FILE_SHARE_MAX * self._max_bytes:
                    writer.commit(self._path(keys[name]))
        finally:
            for writer in writers.values():
                writer.discard()
        if writers:
            self.evict()

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


class NodeWriter:
    """A node in the making; after the first failure of the disk it swallows what it is given.

    Attributes
    ----------
    note : bytes
        To be remembered with the signal; set it before the end, at most `NOTE_BYTES_MAX`.
    """

    def __init__(self, folder: Path, key: str, channels: int, on_failure: Callable[[OSError], None]) -> None:
        self._path = folder / f".{key}.{secrets.token_hex(4)}"
        self._channels = channels
        self._frames = 0
        self._on_failure = on_failure
        self._file: BinaryIO | None = None
        self.bytes_written = 0
        self.note = b""
        try:
            self._file = self._path.open("xb")
        except OSError as error:
            on_failure(error)
            return
        self._write(_HEAD.pack(MAGIC, bytes.fromhex(key), channels))

    def write(self, samples: Samples) -> None:
        """Append a block ``[channels, frames]`` that is on the float32 grid."""
        if self._file is None or not samples.shape[1]:
            return
        payload = np.ascontiguousarray(samples, dtype="<f4").data.cast("B")
        self._write(_BLOCK.pack(samples.shape[1], zlib.crc32(payload)))
        self._write(payload)
        self._frames += samples.shape[1]

    def commit(self, path: Path) -> None:
        """Give the node its name, unless another process was first."""
        end = _END.pack(self._frames, len(self.note)) + self.note
        self._write(_BLOCK.pack(0, zlib.crc32(end)) + end)
        if self._file is None or len(self.note) > NOTE_BYTES_MAX:
            return
        try:
            self._file.flush()
            with suppress(FileExistsError):
                os.link(self._path, path)
        except OSError as error:
            self._on_failure(error)

    def discard(self) -> None:
        """Close and remove the unnamed file."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
            self._path.unlink(missing_ok=True)
        self._file = None

    def _write(self, data: bytes | memoryview) -> None:
        if self._file is None:
            return
        try:
            self._file.write(data)
        except OSError as error:
            self.discard()
            self._on_failure(error)
        else:
            self.bytes_written += len(data)


class NodeReader:
    """A node read from its start to its end: a `BlockReader`.

    Attributes
    ----------
    note : bytes
        What was remembered with it, once it has been read to its end.

    Raises
    ------
    NodeCorrupt
        Here or from `read`; then the node has been removed.
    """

    def __init__(self, file: BinaryIO, key: str, path: Path) -> None:
        self._file = file
        self._key = key
        self._file_path = path
        head = file.read(_HEAD.size)
        if len(head) != _HEAD.size:
            raise self._corrupt()
        magic, digest, self.channels = _HEAD.unpack(head)
        if magic != MAGIC or digest.hex() != key or not 1 <= self.channels <= 2:
            raise self._corrupt()
        self._rest: Samples = np.zeros((self.channels, 0))
        self._frames = 0
        self._ended = False
        self.note = b""

    def read(self, frames: int) -> Samples:
        """Return the next ``[channels, at most frames]``; fewer only at the end, then none."""
        parts, have = [self._rest], self._rest.shape[1]
        while have < frames and not self._ended:
            part = self._next()
            parts.append(part)
            have += part.shape[1]
        joined = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        self._rest = joined[:, frames:]
        return joined[:, :frames]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "NodeReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> Samples:
        head = self._file.read(_BLOCK.size)
        if len(head) != _BLOCK.size:
            raise self._corrupt()
        frames, checksum = _BLOCK.unpack(head)
        payload = self._file.read(4 * self.channels * frames if frames else _END.size + NOTE_BYTES_MAX)
        if zlib.crc32(payload) != checksum:
            raise self._corrupt()
        if not frames:
            self._ended = True
            if len(payload) < _END.size or _END.unpack_from(payload)[0] != self._frames:
                raise self._corrupt()
            self.note = payload[_END.size :]
            return np.zeros((self.channels, 0))
        if len(payload) != 4 * self.channels * frames:
            raise self._corrupt()
        self._frames += frames
        return np.frombuffer(payload, dtype="<f4").reshape(self.channels, frames).astype(np.float64)

    def _corrupt(self) -> NodeCorrupt:
        with suppress(OSError):
            self._file_path.unlink(missing_ok=True)
        return NodeCorrupt(self._key)
