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
        self._open = np.zeros((channels, 0))

    def add(self, samples: Samples) -> None:
        """Take the next block ``[channels, frames]``."""
        joined = np.concatenate((self._open, samples), axis=1)
        position = 0
        while joined.shape[1] - position >= self.bucket_frames:
            room = 2 * BUCKETS_MAX - self._count
            whole = min((joined.shape[1] - position) // self.bucket_frames, room)
            used = joined[:, position : position + whole * self.bucket_frames]
            buckets = used.reshape(joined.shape[0], whole, self.bucket_frames)
            self._low[:, self._count : self._count + whole] = buckets.min(axis=2)
            self._high[:, self._count : self._count + whole] = buckets.max(axis=2)
            self._count += whole
            position += whole * self.bucket_frames
            if self._count == 2 * BUCKETS_MAX:
                self._halve()
        self._open = joined[:, position:].copy()

    def _halve(self) -> None:
        self._count //= 2
        self._low[:, : self._count] = np.minimum(self._low[:, 0::2], self._low[:, 1::2])
        self._high[:, : self._count] = np.maximum(self._high[:, 0::2], self._high[:, 1::2])
        self.bucket_frames *= 2

    def result(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return (lows, highs) ``[channels, buckets]``; the last bucket may stand for less time."""
        low, high = self._low[:, : self._count], self._high[:, : self._count]
        if self._open.shape[1]:
            low = np.concatenate((low, self._open.min(axis=1, keepdims=True)), axis=1)
            high = np.concatenate((high, self._open.max(axis=1, keepdims=True)), axis=1)
        return low, high
