"""Audio files as streams of blocks: one reader for plain WAV, libsndfile for the rest, one gate for both."""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
import soundfile
from tapelog.common.v1 import audio_pb2 as pb
from tapelog_dsp import unpack_pcm

from tapelog_desk import limits
from tapelog_desk.errors import SourceError
from tapelog_desk.files.aiff import refuse_truncated
from tapelog_desk.files.sniff import Sniffed, sniff
from tapelog_desk.files.wav import WavLayout, read_layout

Samples = npt.NDArray[np.float64]
"""``[channels, frames]``, full scale 1.0."""

_SUBTYPES: Final = {
    "PCM_S8": (8, False), "PCM_U8": (8, False), "PCM_16": (16, False), "PCM_24": (24, False), "PCM_32": (32, False),
    "FLOAT": (32, True), "DOUBLE": (64, True), "VORBIS": (0, False), "OPUS": (0, False), "MPEG_LAYER_III": (0, False),
}  # fmt: skip
"""Sample formats that are read through libsndfile: bits (0 where the codec has no such number) and whether float."""

_CONTAINERS: Final = {"w64": "W64", "aiff": "AIFF", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}
_LENGTH_IS_A_GUESS: Final = frozenset({"mp3"})
_LENGTH_UNKNOWN: Final = 1 << 62


class Decoder(Protocol):
    """Where blocks come from."""

    format: pb.AudioFormat
    """What the file is; its length is what the header declares, 0 where that is unknown."""

    def decode_into(self, block: Samples) -> int:
        """Fill ``[channels, frames]`` and return how many frames came; fewer only at the end."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Close the file."""
        ...  # pragma: no cover


class _WavDecoder:
    """PCM and float samples straight from the file."""

    def __init__(self, file: BinaryIO, layout: WavLayout) -> None:
        self._file = file
        self._layout = layout
        self._left = layout.length_frames
        self._buffer = bytearray()
        file.seek(layout.data_offset)
        self.format = pb.AudioFormat(
            sample_rate_hz=min(layout.sample_rate_hz, 2**31 - 1),
            channels=layout.channels,
            bit_depth=layout.bit_depth,
            is_float=layout.is_float,
            length_frames=layout.length_frames,
            container="wav",
        )

    def decode_into(self, block: Samples) -> int:
        layout = self._layout
        frame_bytes = layout.sample_bytes * layout.channels
        wanted = min(block.shape[1], self._left) * frame_bytes
        if len(self._buffer) < wanted:
            self._buffer = bytearray(wanted)
        raw = memoryview(self._buffer)[:wanted]
        filled: int = self._file.readinto(raw)  # type: ignore[attr-defined]  # every file opened for bytes has it
        got = filled // frame_bytes
        self._left -= got
        raw = raw[: got * frame_bytes]
        if layout.sample_bytes > 1 and not layout.is_float and not layout.big_endian:
            unpack_pcm(raw, layout.sample_bytes, block[:, :got])
        else:
            block[:, :got] = _to_float(raw, layout).reshape(got, layout.channels).T
        return got

    def close(self) -> None:
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


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]  # published without types
    """A file read from start to end.

    python-soundfile seeks to where it already is after every read of a seekable file. In MP3 that seek loses the bit
    reservoir and changes the samples after every block; in damaged FLAC it fails where decoding would not.
    """

    def seekable(self) -> bool:
        """Return False, so that no read is followed by a seek."""
        return False


class _LibsndfileDecoder:
    """Every other container, through libsndfile, in blocks."""

    def __init__(self, path: Path, sniffed: Sniffed, name: str) -> None:
        self._name = name
        try:
            self._file = _SequentialFile(path)
        except (soundfile.LibsndfileError, OSError) as error:
            raise _damaged(name, f"it cannot be opened as {sniffed.container.upper()}: {_text(error)}") from error
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

    def decode_into(self, block: Samples) -> int:
        frames = min(block.shape[1], self._left) if self._counts else block.shape[1]
        interleaved = np.empty((frames, self.format.channels))
        if not interleaved.size:
            return 0
        try:
            got: Any = self._file.buffer_read_into(interleaved, dtype="float64")
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise _damaged(self._name, f"decoding stops with an error: {_text(error)}") from error
        self._left -= got
        block[:, :got] = interleaved[:got].T
        return int(got)

    def close(self) -> None:
        self._file.close()


def _text(error: Exception) -> str:
    """Return what libsndfile says, without the path that its Python binding puts before it."""
    return str(getattr(error, "error_string", "") or type(error).__name__).strip().rstrip(".")


def _damaged(name: str, problem: str) -> SourceError:
    return SourceError("SOURCE_DAMAGED", f"{name}: {problem}", "export or upload it again", file=name)


class AudioReader:
    """An audio file read block by block, checked as it is read.

    Parameters
    ----------
    decoder : Decoder
        Where blocks come from; closed with the reader.
    name : str
        How errors call the file.
    refuse_non_finite : bool
        Whether NaN and infinity are errors; otherwise they are counted and read as silence.

    Attributes
    ----------
    format : AudioFormat
        As declared; `length_frames` grows true only when the file has been read whole.
    frames_read : int
        Frames read so far.
    non_finite_samples : int
        NaN and infinite samples so far.
    """

    def __init__(self, decoder: Decoder, name: str, *, refuse_non_finite: bool) -> None:
        self._decoder = decoder
        self._name = name
        self._refuse_non_finite = refuse_non_finite
        self._ended = False
        self.format = decoder.format
        self.declared_frames = int(decoder.format.length_frames)
        self.frames_read = 0
        self.non_finite_samples = 0
        # Whole numbers are finite and at most full scale.
        self._may_exceed = decoder.format.is_float or decoder.format.bit_depth == 0

    def __repr__(self) -> str:
        return f"AudioReader({self._name!r}, {self.frames_read} of {self.declared_frames} frames)"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def read(self, frames: int) -> Samples:
        """Return the next block.

        Parameters
        ----------
        frames : int
            How many are wanted.

        Returns
        -------
        ndarray [shape=(channels, at most frames)]
            C-contiguous float64; fewer than asked for only at the end, then none.

        Raises
        ------
        SourceError
            ``SOURCE_TRUNCATED``, ``SOURCE_DAMAGED``, ``SOURCE_NON_FINITE``, ``SOURCE_LEVEL_ABSURD`` or
            ``SOURCE_TOO_LARGE``.
        """
        block = np.empty((self.format.channels, frames))
        got = self.read_into(block)
        return block if got == frames else block[:, :got].copy()

    def read_into(self, block: Samples) -> int:
        """Write the next block into memory of the caller.

        Parameters
        ----------
        block : ndarray [shape=(channels, frames)]
            Float64, each row contiguous.

        Returns
        -------
        int
            How many frames came; fewer than fit only at the end, then none.

        Raises
        ------
        SourceError
            As for `read`.
        """
        if self._ended:
            return 0
        frames = block.shape[1]
        got = self._decoder.decode_into(block)
        if got < frames:
            self._ended = True
            self._check_end(self.frames_read + got)
        if self._may_exceed:
            self._check_samples(block[:, :got])
        self.frames_read += got
        total = self.frames_read * self.format.channels
        if total > limits.SAMPLES_MAX or self.frames_read > limits.LENGTH_MAX_S * self.format.sample_rate_hz:
            problem = (
                f"{self._name} decodes to more than {limits.SAMPLES_MAX} samples or {limits.LENGTH_MAX_S // 3600} hours"
            )
            raise SourceError("SOURCE_TOO_LARGE", problem, "split it", file=self._name)
        return got

    def _check_end(self, frames: int) -> None:
        if frames == 0:
            raise SourceError("SOURCE_EMPTY", f"{self._name} holds no samples", "export it again", file=self._name)
        if frames < self.declared_frames and self.format.container not in _LENGTH_IS_A_GUESS:
            problem = f"{self._name} is cut off: it declares {self.declared_frames} frames, {frames} could be decoded"
            raise SourceError("SOURCE_TRUNCATED", problem, "export or upload it again", file=self._name)

    def _check_samples(self, block: Samples) -> None:
        peak = float(np.abs(block).max(initial=0.0))
        if peak <= limits.LEVEL_MAX:
            return
        finite = np.isfinite(block)
        bad = int(block.size - np.count_nonzero(finite))
        if bad and self._refuse_non_finite:
            channel, frame = (int(index) for index in np.argwhere(~finite)[0])
            value, where = block[channel, frame], self.frames_read + frame
            problem = f"{self._name} holds {value} in channel {channel + 1} at frame {where}"
            raise SourceError("SOURCE_NON_FINITE", problem, "export it again, or repair that place", file=self._name)
        self.non_finite_samples += bad
        block[~finite] = 0.0
        peak = float(np.abs(block).max(initial=0.0))
        if peak > limits.LEVEL_MAX:
            problem = f"{self._name} holds a sample of {peak:.3g}, at most {limits.LEVEL_MAX:g} (+60 dBFS)"
            raise SourceError("SOURCE_LEVEL_ABSURD", problem, "check its sample format", file=self._name)


def _check_format(audio: pb.AudioFormat, name: str) -> None:
    if not limits.SAMPLE_RATE_MIN_HZ <= audio.sample_rate_hz <= limits.SAMPLE_RATE_MAX_HZ:
        allowed = f"{limits.SAMPLE_RATE_MIN_HZ} to {limits.SAMPLE_RATE_MAX_HZ} Hz"
        problem = f"{name} has a sample rate of {audio.sample_rate_hz} Hz, allowed are {allowed}"
        raise SourceError("SOURCE_RATE_REFUSED", problem, "resample it", file=name, value=audio.sample_rate_hz)
    if not 1 <= audio.channels <= limits.CHANNELS_MAX:
        problem = f"{name} has {audio.channels} channels, at most {limits.CHANNELS_MAX}"
        raise SourceError("SOURCE_CHANNELS_REFUSED", problem, "split it", file=name, value=audio.channels)


def open_audio(path: Path, *, name: str = "", refuse_non_finite: bool = True) -> AudioReader:
    """Open an audio file for reading in blocks.

    Parameters
    ----------
    path : Path
        The file; what it is is decided by its content.
    name : str
        How errors call it; by default its file name.
    refuse_non_finite : bool
        Whether NaN and infinity are errors, or are counted and read as silence.

    Raises
    ------
    SourceError
        It is missing, too large, not audio, of a format that is not read, damaged or cut off; see `DeskError.reason`.
    """
    name = name or path.name
    try:
        file = path.open("rb")
    except OSError as error:
        reason = "SOURCE_NOT_FOUND" if isinstance(error, FileNotFoundError) else "SOURCE_UNREADABLE"
        problem = f"{name} cannot be opened: {error.strerror or error}"
        raise SourceError(reason, problem, "check the path", file=name) from error
    try:
        decoder = _decoder(path, file, name)
    except BaseException:
        file.close()
        raise
    try:
        _check_format(decoder.format, name)
    except BaseException:
        decoder.close()
        raise
    return AudioReader(decoder, name, refuse_non_finite=refuse_non_finite)


def _decoder(path: Path, file: BinaryIO, name: str) -> Decoder:
    size = file.seek(0, 2)
    if size > limits.FILE_MAX_BYTES:
        problem = f"{name} has {size} bytes, at most {limits.FILE_MAX_BYTES} (8 GiB)"
        raise SourceError("SOURCE_TOO_LARGE", problem, "split it, or use FLAC", file=name)
    sniffed = sniff(file, name)
    if sniffed.container == "wav":
        return _WavDecoder(file, read_layout(file, sniffed.offset, name))
    if sniffed.container == "aiff":
        refuse_truncated(file, sniffed.offset, name)
    file.close()
    return _LibsndfileDecoder(path, sniffed, name)
