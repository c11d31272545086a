"""Waveform overview of bounded size: lows and highs per bucket, buckets joined in pairs when they grow too many."""

from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_desk.files.decoders import Samples

BUCKETS_MAX: Final = 2_000
"""Buckets are joined in pairs when there are twice as many: two to four per pixel of a wide drawing."""

FIRST_BUCKETS_PER_S: Final = 200
"""Buckets per second at the start: 5 ms, one pixel of a short clip."""


class Waveform:
    """Lowest and highest sample per bucket and channel; any block size gives the same overview.

    Parameters
    ----------
    sample_rate_hz, channels : int
        Of the audio.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.bucket_frames = max(sample_rate_hz // FIRST_BUCKETS_PER_S, 1)
        self._low = np.zeros((channels, 2 * BUCKETS_MAX))
        self._high = np.zeros((channels, 2 * BUCKETS_MAX))
        self._count = 0
        self._open_low, self._open_high = np.zeros(channels), np.zeros(channels)
        self._open_frames = 0

    def add(self, samples: Samples) -> None:
        """Take the next block ``[channels, frames]``."""
        position, frames = 0, samples.shape[1]
        while position < frames:
            whole = (frames - position) // self.bucket_frames
            if self._open_frames or not whole:
                position += self._fill(samples[:, position:])
                continue
            whole = min(whole, 2 * BUCKETS_MAX - self._count)
            end = position + whole * self.bucket_frames
            made = slice(self._count, self._count + whole)
            for channel, row in enumerate(samples):
                buckets = row[position:end].reshape(whole, self.bucket_frames)
                buckets.min(axis=1, out=self._low[channel, made])
                buckets.max(axis=1, out=self._high[channel, made])
            position = end
            self._made(whole)

    def _fill(self, samples: Samples) -> int:
        """Take samples into the open bucket until it is full, and return how many."""
        taken = min(self.bucket_frames - self._open_frames, int(samples.shape[1]))
        low, high = samples[:, :taken].min(axis=1), samples[:, :taken].max(axis=1)
        if self._open_frames:
            np.minimum(low, self._open_low, out=low)
            np.maximum(high, self._open_high, out=high)
        self._open_low, self._open_high = low, high
        self._open_frames += taken
        if self._open_frames == self.bucket_frames:
            self._low[:, self._count], self._high[:, self._count] = low, high
            self._open_frames = 0
            self._made(1)
        return taken

    def _made(self, buckets: int) -> None:
        self._count += buckets
        if self._count == 2 * BUCKETS_MAX:
            self._halve()

    def _halve(self) -> None:
        self._count //= 2
        self._low[:, : self._count] = np.minimum(self._low[:, 0::2], self._low[:, 1::2])
        self._high[:, : self._count] = np.maximum(self._high[:, 0::2], self._high[:, 1::2])
        self.bucket_frames *= 2

    def result(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return (lows, highs) ``[channels, buckets]``; the last bucket may stand for less time."""
        low, high = self._low[:, : self._count], self._high[:, : self._count]
        if self._open_frames:
            low = np.concatenate((low, self._open_low[:, None]), axis=1)
            high = np.concatenate((high, self._open_high[:, None]), axis=1)
        return low, high
