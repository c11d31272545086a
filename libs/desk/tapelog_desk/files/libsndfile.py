"""Every container but plain WAV, decoded by libsndfile; imported only where such a file is opened."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
from tapelog.common.v1 import audio_pb2 as pb

from tapelog_desk.errors import SourceError
from tapelog_desk.files.decoders import Packed, Samples, damaged
from tapelog_desk.files.sniff import Sniffed

_SUBTYPES: Final = {
    "PCM_S8": (8, False), "PCM_U8": (8, False), "PCM_16": (16, False), "PCM_24": (24, False), "PCM_32": (32, False),
    "FLOAT": (32, True), "DOUBLE": (64, True), "VORBIS": (0, False), "OPUS": (0, False), "MPEG_LAYER_III": (0, False),
}  # fmt: skip
"""Sample formats that are read through libsndfile: bits (0 where the codec has no such number) and whether float."""

_CONTAINERS: Final = {"w64": "W64", "aiff": "AIFF", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}
_LENGTH_UNKNOWN: Final = 1 << 62


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]  # published without types
    """A file read from start to end.

    python-soundfile seeks to where it already is after every read of a seekable file. In MP3 that seek loses the bit
    reservoir and changes the samples after every block; in damaged FLAC it fails where decoding would not.
    """

    def seekable(self) -> bool:
        """Return False, so that no read is followed by a seek."""
        return False


class LibsndfileDecoder:
    """Every other container, through libsndfile, in blocks."""

    def __init__(self, path: Path, sniffed: Sniffed, name: str) -> None:
        self._name = name
        try:
            self._file = _SequentialFile(path)
        except (soundfile.LibsndfileError, OSError) as error:
            raise damaged(name, f"it cannot be opened as {sniffed.container.upper()}: {_text(error)}") from error
        file = self._file
        if file.format != _CONTAINERS[sniffed.container] or file.subtype not in _SUBTYPES:
            found, kind = file.format, file.subtype
            file.close()
            problem = f"{name} holds {kind} samples in {found}, which are not read"
            raise SourceError("SOURCE_FORMAT_REFUSED", problem, "export it as PCM WAV, AIFF or FLAC", file=name)
        bit_depth, is_float = _SUBTYPES[file.subtype]
        self.format = pb.AudioFormat(
            sample_rate_hz=min(file.samplerate, 2**31 - 1),
            channels=file.channels,
            bit_depth=bit_depth,
            is_float=is_float,
            length_frames=file.frames if 0 < file.frames < _LENGTH_UNKNOWN else 0,
            container=sniffed.container,
        )
        # A FLAC ends where its header says, whatever tag hangs behind it; elsewhere the decoder finds the end.
        self._left = int(self.format.length_frames) if sniffed.container == "flac" else 0
        self._counts = self._left > 0
        self.packed_bytes = 4 if bit_depth and not is_float else 0

    def decode_into(self, block: Samples) -> int:
        """Fill a block with the next samples."""
        interleaved = np.empty((self._room(block.shape[1]), self.format.channels))
        got = self._read(interleaved, "float64")
        block[:, :got] = interleaved[:got].T
        return got

    def decode_packed(self, memory: Packed) -> int:
        """Read the next samples as whole numbers of 32 bits, left-justified."""
        frame_bytes = self.packed_bytes * self.format.channels
        return self._read(memory[: self._room(memory.size // frame_bytes) * frame_bytes], "int32")

    def _room(self, frames: int) -> int:
        return min(frames, self._left) if self._counts else frames

    def _read(self, memory: npt.NDArray[Any], dtype: str) -> int:
        if not memory.size:
            return 0
        try:
            got: Any = self._file.buffer_read_into(memory, dtype=dtype)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise damaged(self._name, f"decoding stops with an error: {_text(error)}") from error
        self._left -= got
        return int(got)

    def go_to(self, frame: int) -> bool:
        """Stay: damaged files, and MP3 after any seek, decode to other samples."""
        return frame == 0

    def plain_bytes(self) -> tuple[int, int] | None:
        """Return None: the samples are coded."""
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _text(error: Exception) -> str:
    """Return what libsndfile says, without the path that its Python binding puts before it."""
    return str(getattr(error, "error_string", "") or type(error).__name__).strip().rstrip(".")
