"""Recordings of nodes: written beside their place, checked block by block while they are read."""

import secrets
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
from tapelog_dsp.kernels.checksum import checksum

from tapelog_desk.files.decoders import Samples

MAGIC: Final = b"TLNODE3\n"
_HEAD: Final = struct.Struct("<8s32sI")
"""Magic, key, channels."""
_BLOCK: Final = struct.Struct("<IQ")
"""Frames and checksum of a block; 0 frames end the node, and their checksum is that of what comes then."""
BLOCK_FRAMES_MAX: Final = 1024 * 1024
"""More frames in one block are damage: they would take 12 MB."""
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
        self.write_block(samples.shape[1], (np.ascontiguousarray(samples, dtype="<f4"),))

    def write_block(self, frames: int, parts: Sequence[npt.NDArray[Any]]) -> None:
        """Append a block of so many frames, in whatever form: C-contiguous arrays, one after another."""
        self._write(_BLOCK.pack(frames, _checksum(frames, parts)))
        for part in parts:
            self._write(part.data.cast("B"))
        self._frames += frames

    @property
    def is_over(self) -> bool:
        """Whether nothing is written any more: it was given up, or the disk failed."""
        return self._file is None

    def commit(self, path: Path) -> None:
        """Give the node its name, in place of what may have it: that is the same, or damaged."""
        end = _END.pack(self._frames, len(self.note)) + self.note
        self._write(_BLOCK.pack(0, _checksum(0, [np.frombuffer(end, dtype=np.uint8)])) + end)
        if self._file is None or len(self.note) > NOTE_BYTES_MAX:
            return
        try:
            self._file.flush()
            self._path.replace(path)
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
        self._block_frames = self._wanted = 0
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
        block = np.empty((self.channels, self.next_frames()), dtype="<f4")
        if block.size:
            self.read_parts((block,))
        return block.astype(np.float64)

    def next_frames(self) -> int:
        """Return how many frames the next block has, to be read by `read_parts`; 0 at the end."""
        if self._ended:
            return 0
        head = self._file.read(_BLOCK.size)
        if len(head) != _BLOCK.size:
            raise self._corrupt()
        frames, self._wanted = _BLOCK.unpack(head)
        if frames > BLOCK_FRAMES_MAX:
            raise self._corrupt()
        self._block_frames = int(frames)
        if not frames:
            self._end()
        return self._block_frames

    def read_parts(self, parts: Sequence[npt.NDArray[Any]]) -> None:
        """Fill the arrays that the next block was written from."""
        for part in parts:
            if self._file.readinto(part.data.cast("B")) != part.nbytes:  # type: ignore[attr-defined]  # a buffered file
                raise self._corrupt()
        if _checksum(self._block_frames, parts) != self._wanted:
            raise self._corrupt()
        self._frames += self._block_frames

    def _end(self) -> None:
        self._ended = True
        end = self._file.read(_END.size + NOTE_BYTES_MAX)
        if _checksum(0, [np.frombuffer(end, dtype=np.uint8)]) != self._wanted:
            raise self._corrupt()
        if len(end) < _END.size or _END.unpack_from(end)[0] != self._frames:
            raise self._corrupt()
        self.note = end[_END.size :]

    def _corrupt(self) -> NodeCorrupt:
        with suppress(OSError):
            self._file_path.unlink(missing_ok=True)
        return NodeCorrupt(self.key)


def _checksum(frames: int, parts: Sequence[npt.NDArray[Any]]) -> int:
    found = frames
    for part in parts:
        found = checksum(part, found)
    return found
