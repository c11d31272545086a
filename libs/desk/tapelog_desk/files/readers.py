"""Audio files as streams of blocks, checked as they are read."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
from tapelog.common.v1 import audio_pb2 as pb

from tapelog_desk import limits
from tapelog_desk.errors import SourceError
from tapelog_desk.files.aiff import refuse_truncated
from tapelog_desk.files.decoders import Decoder, Packed, Samples, WavDecoder
from tapelog_desk.files.sniff import sniff
from tapelog_desk.files.wav import read_layout

_LENGTH_IS_A_GUESS: Final = frozenset({"mp3"})
"""Containers whose declared length nobody can hold them to."""


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

    def go_to(self, frame: int) -> bool:
        """Go on from a frame, before anything was read; return False for a file that is only read from its start."""
        if not self._decoder.go_to(frame):
            return False
        self.frames_read = frame
        return True

    def plain_bytes(self) -> tuple[int, int] | None:
        """Return first byte and length of the samples in the file, where they lie there as `SampleDigest` has them."""
        return self._decoder.plain_bytes()

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
        got = self._decoder.decode_into(block)
        self._note_end(got, block.shape[1])
        if self._may_exceed:
            self._check_samples(block[:, :got])
        self._count(got)
        return got

    @property
    def packed_bytes(self) -> int:
        """Bytes of a sample where `read_packed` can be used: whole numbers, which need no check; else 0."""
        return self._decoder.packed_bytes

    def read_packed(self, memory: Packed) -> int:
        """Write the next block as it stands in the file: little-endian, the channels of a frame beside each other.

        Parameters
        ----------
        memory : ndarray of uint8
            Room for whole frames of `packed_bytes` to a sample.

        Returns
        -------
        int
            How many frames came; fewer than fit only at the end, then none.

        Raises
        ------
        SourceError
            As for `read`, but for what only floats can be.
        """
        if self._ended:
            return 0
        got = self._decoder.decode_packed(memory)
        self._note_end(got, memory.size // (self.packed_bytes * self.format.channels))
        self._count(got)
        return got

    def _note_end(self, got: int, wanted: int) -> None:
        if got < wanted:
            self._ended = True
            self._check_end(self.frames_read + got)

    def _count(self, got: int) -> None:
        self.frames_read += got
        total = self.frames_read * self.format.channels
        if total > limits.SAMPLES_MAX or self.frames_read > limits.LENGTH_MAX_S * self.format.sample_rate_hz:
            problem = (
                f"{self._name} decodes to more than {limits.SAMPLES_MAX} samples or {limits.LENGTH_MAX_S // 3600} hours"
            )
            raise SourceError("SOURCE_TOO_LARGE", problem, "split it", file=self._name)

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
    name = name or path.name or str(path)
    try:
        file = path.open("rb")
    except OSError as error:
        reason = "SOURCE_NOT_FOUND" if isinstance(error, FileNotFoundError) else "SOURCE_UNREADABLE"
        problem = f"{name} cannot be opened: {error.strerror or error}"
        remedy = f"name the files in it, such as {path / '*.wav'}" if path.is_dir() else "check the path"
        raise SourceError(reason, problem, remedy, file=name) from error
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
        return WavDecoder(file, read_layout(file, sniffed.offset, name))
    if sniffed.container == "aiff":
        refuse_truncated(file, sniffed.offset, name)
    file.close()
    from tapelog_desk.files.libsndfile import LibsndfileDecoder  # a tenth of the start of what reads WAV only

    return LibsndfileDecoder(path, sniffed, name)
