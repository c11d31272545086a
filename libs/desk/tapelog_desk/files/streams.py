"""Readers as a mix wants them: at its sample rate, or silent where a track is muted."""

from typing import Protocol

import numpy as np
from tapelog_dsp import Resampler

from tapelog_desk.files.decoders import Samples
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
