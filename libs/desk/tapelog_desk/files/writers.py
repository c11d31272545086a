"""WAV and FLAC files with stable bytes: no time stamps, no encoder's mood."""

import hashlib
import struct
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt
import soundfile
from tapelog.common.v1 import recipe_pb2 as recipe_pb

from tapelog_desk.errors import OutputError
from tapelog_desk.files.atomic import output_error

MEDIA_TYPES: Final = {recipe_pb.CONTAINER_WAV: "audio/wav", recipe_pb.CONTAINER_FLAC: "audio/flac"}
EXTENSIONS: Final = {recipe_pb.CONTAINER_WAV: "wav", recipe_pb.CONTAINER_FLAC: "flac"}

RIFF_MAX_BYTES: Final = 0xFFFFFFFF
"""Sizes in a RIFF header have 32 bits; a longer file becomes RF64 (EBU Tech 3306)."""

FLAC_LEVEL: Final = 5 / 8
"""Compression of FLAC files, level 5 of 8: within 1 % of the smallest at half the time."""

_DS64_BYTES: Final = 28


class AudioWriter(Protocol):
    """A file being written; the same samples always give the same bytes.

    Attributes
    ----------
    sha256 : str
        Of the file, once it is closed; empty where only reading it again can tell.
    """

    sha256: str

    def expect(self, length_frames: int) -> None:
        """Hear, before the first block, how many frames will come, as far as anybody knows."""
        ...  # pragma: no cover

    def write(self, packed: memoryview | bytes, integers: npt.NDArray[np.int32] | None) -> None:
        """Take the next block: interleaved little-endian PCM, and its integers ``[channels, frames]`` if it has any."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Finish the file."""
        ...  # pragma: no cover


class WavWriter:
    """PCM of 16 or 24 bits, or 32-bit float, in RIFF/WAVE; RF64 above 4 GiB.

    Parameters
    ----------
    path : Path
        File to make; it must not exist.
    sample_rate_hz, channels, bit_depth : int
        32 bits are float.
    """

    def __init__(self, path: Path, *, sample_rate_hz: int, channels: int, bit_depth: int) -> None:
        self._path = path
        self._rate = sample_rate_hz
        self._channels = channels
        self._bits = bit_depth
        self._data_bytes = 0
        self.sha256 = ""
        self._begun = self._header(0)
        self._digest: hashlib._Hash | None = None
        try:
            self._file: BinaryIO = path.open("xb")
            self._file.write(self._begun)
        except OSError as error:
            raise output_error(path, error) from error

    def expect(self, length_frames: int) -> None:
        """Write the sizes now: where as many frames come, the file is digested while it is written."""
        self._begun = self._header(length_frames * self._channels * self._bits // 8)
        self._digest = hashlib.sha256(self._begun)
        try:
            self._file.seek(0)
            self._file.write(self._begun)
        except OSError as error:
            raise output_error(self._path, error) from error

    def _header(self, data_bytes: int) -> bytes:
        """Return the header of so many bytes of samples; room for RF64's sizes is kept from the start."""
        frame_bytes = self._channels * self._bits // 8
        tag = 3 if self._bits == 32 else 1
        fmt = struct.pack("<HHIIHH", tag, self._channels, self._rate, self._rate * frame_bytes, frame_bytes, self._bits)
        frames = data_bytes // frame_bytes
        padded = data_bytes + data_bytes % 2
        body = 4 + (8 + _DS64_BYTES) + (8 + len(fmt)) + (12 if tag == 3 else 0) + 8 + padded
        long = body > RIFF_MAX_BYTES
        ds64 = struct.pack("<QQQI", body, data_bytes, frames, 0) if long else bytes(_DS64_BYTES)
        parts = [
            b"RF64" if long else b"RIFF", struct.pack("<I", RIFF_MAX_BYTES if long else body), b"WAVE",
            b"ds64" if long else b"JUNK", struct.pack("<I", _DS64_BYTES), ds64,
            b"fmt ", struct.pack("<I", len(fmt)), fmt,
        ]  # fmt: skip
        if tag == 3:
            parts += [b"fact", struct.pack("<II", 4, min(frames, RIFF_MAX_BYTES))]
        parts += [b"data", struct.pack("<I", RIFF_MAX_BYTES if long else data_bytes)]
        return b"".join(parts)

    def write(self, packed: memoryview | bytes, integers: npt.NDArray[np.int32] | None) -> None:
        """Append interleaved little-endian PCM."""
        del integers
        if self._digest is not None:
            self._digest.update(packed)
        try:
            self._file.write(packed)
        except OSError as error:
            raise output_error(self._path, error) from error
        self._data_bytes += len(packed)

    def close(self) -> None:
        """Pad to an even length and write the sizes."""
        try:
            if not self._file.closed:
                self._finish()
            self._file.close()
        except OSError as error:
            raise output_error(self._path, error) from error

    def _finish(self) -> None:
        if self._data_bytes % 2:
            self._file.write(b"\0")
        header = self._header(self._data_bytes)
        if header != self._begun:
            self._file.seek(0)
            self._file.write(header)
        elif self._digest is not None:
            self._digest.update(b"\0" * (self._data_bytes % 2))
            self.sha256 = self._digest.hexdigest()


class FlacWriter:
    """FLAC of 16 or 24 bits.

    Parameters
    ----------
    path : Path
        File to make.
    sample_rate_hz, channels, bit_depth : int
        What goes in.
    """

    def __init__(self, path: Path, *, sample_rate_hz: int, channels: int, bit_depth: int) -> None:
        self._path = path
        self.sha256 = ""  # its encoder writes the sizes into the head at last
        self._shift = 32 - bit_depth
        try:
            self._file = soundfile.SoundFile(
                path, "w", sample_rate_hz, channels, f"PCM_{bit_depth}", format="FLAC", compression_level=FLAC_LEVEL
            )
        except (OSError, RuntimeError) as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> OutputError:
        return output_error(self._path, error if isinstance(error, OSError) else OSError(0, str(error)))

    def expect(self, length_frames: int) -> None:
        """Nothing follows from it: see `sha256`."""

    def write(self, packed: memoryview | bytes, integers: npt.NDArray[np.int32] | None) -> None:
        """Append the integers, which libsndfile takes left-justified in 32 bits."""
        del packed
        assert integers is not None  # noqa: S101  # FLAC is refused for float outputs by the recipe's validation
        try:
            self._file.write(np.ascontiguousarray((integers << self._shift).T))
        except (OSError, RuntimeError) as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def open_writer(path: Path, container: int, *, sample_rate_hz: int, channels: int, bit_depth: int) -> AudioWriter:
    """Open a writer for a container."""
    kind = FlacWriter if container == recipe_pb.CONTAINER_FLAC else WavWriter
    return kind(path, sample_rate_hz=sample_rate_hz, channels=channels, bit_depth=bit_depth)
