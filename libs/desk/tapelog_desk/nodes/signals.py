"""Recordings of nodes: written beside their place, checked block by block while they are read."""

import secrets
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from tapelog_desk.files.decoders import Samples

MAGIC: Final = b"TLNODE2\n"
_HEAD: Final = struct.Struct("<8s32sI")
"""Magic, key, channels."""
_BLOCK: Final = struct.Struct("<II")
"""Frames and CRC-32 of a block; 0 frames end the node, and their CRC is that of what comes then."""
_END: Final = struct.Struct("<QI")
"""Frames of the whole node, and bytes of its note."""
NOTE_BYTES_MAX: Final = 64 * 1024
"""What may be remembered with a signal: the figures of a chain."""


class NodeCorrupt(Exception):  # noqa: N818 - a state of the cache, not an error of the render
    """A node is not what was written; it has been removed, and the render that met it has to start again."""

    def __init__(self, key: str) -> None:
        super().__init__(f"cached node {key[:12]}... is damaged and was removed")
        self.key = key


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
        self.write_block(samples.shape[1], (np.ascontiguousarray(samples, dtype="<f4").data.cast("B"),))

    def write_block(self, frames: int, payload: Sequence[memoryview]) -> None:
        """Append a block of so many frames, in whatever form."""
        checksum = 0
        for part in payload:
            checksum = zlib.crc32(part, checksum)
        self._write(_BLOCK.pack(frames, checksum))
        for part in payload:
            self._write(part)
        self._frames += frames

    @property
    def is_over(self) -> bool:
        """Whether nothing is written any more: it was given up, or the disk failed."""
        return self._file is None

    def commit(self, path: Path) -> None:
        """Give the node its name, unless another process was first."""
        end = _END.pack(self._frames, len(self.note)) + self.note
        self._write(_BLOCK.pack(0, zlib.crc32(end)) + end)
        if self._file is None or len(self.note) > NOTE_BYTES_MAX:
            return
        try:
            self._file.flush()
            with suppress(FileExistsError):
                path.hardlink_to(self._path)
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
    key : str
        Its digest.
    note : bytes
        What was remembered with it, once it has been read to its end.

    Raises
    ------
    NodeCorrupt
        Here or from `read`; then the node has been removed.
    """

    def __init__(self, file: BinaryIO, key: str, path: Path) -> None:
        self._file = file
        self.key = key
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
        payload = self.read_block(4 * self.channels)
        if payload is None:
            return np.zeros((self.channels, 0))
        return np.frombuffer(payload, dtype="<f4").reshape(self.channels, -1).astype(np.float64)

    def read_block(self, frame_bytes: int) -> bytes | None:
        """Return the bytes of the next block, in which a frame has so many; None at the end."""
        if self._ended:
            return None
        head = self._file.read(_BLOCK.size)
        if len(head) != _BLOCK.size:
            raise self._corrupt()
        frames, checksum = _BLOCK.unpack(head)
        payload = self._file.read(frame_bytes * frames if frames else _END.size + NOTE_BYTES_MAX)
        if zlib.crc32(payload) != checksum or len(payload) < frame_bytes * frames:
            raise self._corrupt()
        if frames:
            self._frames += frames
            return payload
        self._ended = True
        if len(payload) < _END.size or _END.unpack_from(payload)[0] != self._frames:
            raise self._corrupt()
        self.note = payload[_END.size :]
        return None

    def _corrupt(self) -> NodeCorrupt:
        with suppress(OSError):
            self._file_path.unlink(missing_ok=True)
        return NodeCorrupt(self.key)
