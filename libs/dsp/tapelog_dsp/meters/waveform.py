"""Minimum and maximum per stretch of time, for drawing a waveform."""

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float32s


class WaveformPeaks:
    """A streaming waveform overview; blocks of any length give the same one.

    Parameters
    ----------
    channels : int
        Of every block.
    frames_per_bucket : int
        How much time one minimum and one maximum stand for.
    """

    def __init__(self, channels: int, frames_per_bucket: int) -> None:
        if frames_per_bucket < 1:
            raise ParameterError("WaveformPeaks.frames_per_bucket", frames_per_bucket, "1 or more")
        self._size = frames_per_bucket
        self._open: Audio = np.empty((channels, 0))
        self._low: list[Audio] = []
        self._high: list[Audio] = []

    def add(self, samples: Audio) -> None:
        """Take the next block ``[channels, frames]``."""
        joined = np.concatenate((self._open, samples), axis=1)
        whole = joined.shape[1] // self._size
        if whole:
            buckets = joined[:, : whole * self._size].reshape(joined.shape[0], whole, self._size)
            self._low.append(buckets.min(axis=2))
            self._high.append(buckets.max(axis=2))
        self._open = joined[:, whole * self._size :].copy()

    def result(self) -> tuple[Float32s, Float32s]:
        """Return (minima, maxima), each ``[channels, buckets]``; the last bucket may stand for less time."""
        low, high = list(self._low), list(self._high)
        if self._open.shape[1]:
            low.append(self._open.min(axis=1, keepdims=True))
            high.append(self._open.max(axis=1, keepdims=True))
        if not low:
            empty = np.empty((self._open.shape[0], 0), dtype=np.float32)
            return empty, empty.copy()
        return np.concatenate(low, axis=1).astype(np.float32), np.concatenate(high, axis=1).astype(np.float32)
