"""Readers as a mix wants them: at its sample rate, silent where a track is muted, shared by two that play the same."""

from threading import Lock
from typing import Protocol

import numpy as np
from tapelog_dsp import Resampler, unpack_pcm

from tapelog_desk.files.decoders import Packed, Samples
from tapelog_desk.files.readers import AudioReader
from tapelog_desk.limits import BLOCK_FRAMES


class BlockReader(Protocol):
    """A recording read from its start to its end; `tapelog_dsp.BlockReader` is the same."""

    def read(self, frames: int) -> Samples:
        """Return the next ``[channels, at most frames]``; fewer only at the end, then none."""
        ...  # pragma: no cover


class Resampled:
    """A recording at another sample rate: in length and in time exactly where it was.

    Parameters
    ----------
    reader : BlockReader
        The recording.
    channels, input_rate_hz, output_rate_hz : int
        What it is, and what it is to be.
    """

    def __init__(self, reader: BlockReader, *, channels: int, input_rate_hz: int, output_rate_hz: int) -> None:
        self._reader = reader
        self._resampler = Resampler(input_rate_hz, output_rate_hz, channels)
        self._ready = np.zeros((channels, 0))
        self._ended = False

    def read(self, frames: int) -> Samples:
        """Return the next frames at the new rate."""
        parts, have = [self._ready], self._ready.shape[1]
        while have < frames and not self._ended:
            block = self._reader.read(BLOCK_FRAMES)
            self._ended = block.shape[1] < BLOCK_FRAMES
            parts.append(self._resampler.process(block))
            if self._ended:
                parts.append(self._resampler.flush())
            have = sum(part.shape[1] for part in parts)
        joined = np.concatenate(parts, axis=1)
        self._ready = joined[:, frames:]
        return joined[:, :frames]


class Muted:
    """A recording that counts for the length of the mix and is not heard: read and checked, then silenced."""

    def __init__(self, reader: BlockReader) -> None:
        self._reader = reader

    def read(self, frames: int) -> Samples:
        """Return as many frames of mono silence as the recording has."""
        return np.zeros((1, self._reader.read(frames).shape[1]))


class _Last:
    """What one of two has read of a recording and the other has not: two reads where a recording ends, else one."""

    def __init__(self, reader: AudioReader) -> None:
        self.reader = reader
        self.lock = Lock()
        self._packed: dict[int, tuple[Packed, int]] = {}
        self._samples: dict[int, tuple[Samples, int]] = {}

    def packed(self, number: int, size: int) -> tuple[Packed, int]:
        """Return read `number`, of so many bytes, as it stands in the file, and how many of its frames there are."""
        if number in self._packed:
            return self._packed.pop(number)
        memory = np.empty(size, dtype=np.uint8)
        self._packed[number] = memory, self.reader.read_packed(memory)
        return self._packed[number]

    def samples(self, number: int, shape: tuple[int, ...]) -> tuple[Samples, int]:
        """Return read `number` in floats."""
        if number in self._samples:
            return self._samples.pop(number)
        block = np.empty(shape)
        self._samples[number] = block, self.reader.read_into(block)
        return self._samples[number]


class Shared:
    """A recording that two tracks play in step, read and decoded once: both ask for the same blocks in the same order.

    Parameters
    ----------
    last : object
        What both have in common; see `shared`.
    """

    def __init__(self, last: _Last) -> None:
        self._last = last
        self._number = 0

    @property
    def packed_bytes(self) -> int:
        """Bytes of a whole number, 0 where samples are something else."""
        return self._last.reader.packed_bytes

    def read_packed(self, memory: Packed) -> int:
        """Fill memory with the next whole frames, as `AudioReader.read_packed`."""
        self._number += 1
        with self._last.lock:
            packed, got = self._last.packed(self._number, memory.size)
            memory[:] = packed
        return got

    def read_into(self, block: Samples) -> int:
        """Fill a block with the next frames, as `AudioReader.read_into`."""
        self._number += 1
        with self._last.lock:
            if self.packed_bytes:  # the other one may want them so
                packed, got = self._last.packed(self._number, block.size * self.packed_bytes)
                unpack_pcm(packed.data, self.packed_bytes, block)
            else:
                samples, got = self._last.samples(self._number, block.shape)
                block[:] = samples
        return got

    def read(self, frames: int) -> Samples:
        """Return the next block."""
        block = np.empty((self._last.reader.format.channels, frames))
        return block[:, : self.read_into(block)]


def shared(reader: AudioReader) -> tuple[Shared, Shared]:
    """Return two readers of one recording; what one has read and the other has not is kept in memory."""
    last = _Last(reader)
    return Shared(last), Shared(last)
