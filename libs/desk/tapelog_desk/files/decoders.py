"""Decoders: where blocks of samples come from; plain WAV here, the rest in `libsndfile`."""

from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from tapelog.common.v1 import audio_pb2 as pb
from tapelog_dsp import unpack_pcm

from tapelog_desk.errors import SourceError
from tapelog_desk.files.wav import WavLayout

Samples = npt.NDArray[np.float64]
"""``[channels, frames]``, full scale 1.0."""

Packed = npt.NDArray[np.uint8]
"""Whole numbers as they stand in a file: little-endian, the channels of a frame beside each other."""


class Decoder(Protocol):
    """Where blocks come from."""

    format: pb.AudioFormat
    """What the file is; its length is what the header declares, 0 where that is unknown."""

    packed_bytes: int
    """Bytes of a sample where `decode_packed` gives whole numbers, 0 where there is no such way."""

    def decode_packed(self, memory: Packed) -> int:
        """Fill memory with samples as they stand in the file and return how many frames came."""
        ...  # pragma: no cover

    def decode_into(self, block: Samples) -> int:
        """Fill ``[channels, frames]`` and return how many frames came; fewer only at the end."""
        ...  # pragma: no cover

    def go_to(self, frame: int) -> bool:
        """Go on from a frame; return False where only reading from the start gives the samples."""
        ...  # pragma: no cover

    def plain_bytes(self) -> tuple[int, int] | None:
        """Return first byte and length of the samples where they lie in the file as their digest has them."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Close the file."""
        ...  # pragma: no cover


class WavDecoder:
    """PCM and float samples straight from the file."""

    def __init__(self, file: BinaryIO, layout: WavLayout) -> None:
        self._file = file
        self._layout = layout
        self._left = layout.length_frames
        self._buffer = bytearray()
        self._frame_bytes = layout.sample_bytes * layout.channels
        whole = layout.sample_bytes > 1 and not layout.is_float and not layout.big_endian
        self.packed_bytes = layout.sample_bytes if whole else 0
        file.seek(layout.data_offset)
        self.format = pb.AudioFormat(
            sample_rate_hz=min(layout.sample_rate_hz, 2**31 - 1),
            channels=layout.channels,
            bit_depth=layout.bit_depth,
            is_float=layout.is_float,
            length_frames=layout.length_frames,
            container="wav",
            start_frame=layout.start_frame,
        )

    def decode_into(self, block: Samples) -> int:
        """Fill a block with the next samples."""
        layout = self._layout
        wanted = min(block.shape[1], self._left) * self._frame_bytes
        if len(self._buffer) < wanted:
            self._buffer = bytearray(wanted)
        raw = memoryview(self._buffer)[:wanted]
        got = self._read(raw)
        raw = raw[: got * self._frame_bytes]
        if self.packed_bytes:
            unpack_pcm(raw, layout.sample_bytes, block[:, :got])
        else:
            block[:, :got] = _to_float(raw, layout).reshape(got, layout.channels).T
        return got

    def decode_packed(self, memory: Packed) -> int:
        """Read the next samples as they are."""
        return self._read(memory[: min(memory.size, self._left * self._frame_bytes)])

    def _read(self, raw: memoryview | Packed) -> int:
        filled: int = self._file.readinto(raw)  # type: ignore[attr-defined]  # every file opened for bytes has it
        got = filled // self._frame_bytes
        self._left -= got
        return got

    def go_to(self, frame: int) -> bool:
        """Go on from a frame."""
        layout = self._layout
        self._left = max(layout.length_frames - frame, 0)
        self._file.seek(
            layout.data_offset + (layout.length_frames - self._left) * layout.sample_bytes * layout.channels
        )
        return True

    def plain_bytes(self) -> tuple[int, int] | None:
        """Return where the samples lie, if they are whole numbers of 2 bytes or more, lowest byte first, unpadded."""
        layout = self._layout
        if layout.is_float or layout.big_endian or not 1 < layout.sample_bytes == (layout.bit_depth + 7) // 8:
            return None
        return layout.data_offset, layout.length_frames * layout.sample_bytes * layout.channels

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _to_float(raw: bytes | memoryview, layout: WavLayout) -> Samples:
    """Return interleaved samples as floats; integers are left-justified in their bytes, so the bytes set the scale."""
    order = ">" if layout.big_endian else "<"
    if layout.is_float:
        return np.frombuffer(raw, dtype=f"{order}f{layout.sample_bytes}").astype(np.float64)
    if layout.sample_bytes == 1:
        return (np.frombuffer(raw, dtype=np.uint8).astype(np.float64) - 128.0) / 128.0
    if layout.sample_bytes == 3:
        parts = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3)
        wide = np.zeros((parts.shape[0], 4), dtype=np.uint8)
        wide[:, 1:] = parts[:, ::-1] if layout.big_endian else parts
        return wide.view("<i4").ravel() / float(1 << 31)
    integers = np.frombuffer(raw, dtype=f"{order}i{layout.sample_bytes}")
    return integers / float(1 << (8 * layout.sample_bytes - 1))


def damaged(name: str, problem: str) -> SourceError:
    """Return the error for a file that contradicts itself."""
    return SourceError("SOURCE_DAMAGED", f"{name}: {problem}", "export or upload it again", file=name)
