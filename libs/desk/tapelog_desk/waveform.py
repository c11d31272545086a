"""Waveform overview of bounded size: lows and highs per bucket, buckets joined in pairs when they grow too many."""

from typing import Final

import numpy as np
import numpy.typing as npt
from tapelog_dsp.kernels.waveform import Buckets, fill_buckets

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

    Attributes
    ----------
    kept : Buckets
        What it goes on with.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        room, first = 2 * BUCKETS_MAX, max(sample_rate_hz // FIRST_BUCKETS_PER_S, 1)
        self.kept = Buckets(
            np.array([first, 0, 0], dtype=np.int64),
            np.zeros((channels, 2)),
            np.zeros((channels, room)),
            np.zeros((channels, room)),
        )

    @property
    def bucket_frames(self) -> int:
        """Frames that one low and one high stand for."""
        return int(self.kept.clock[0])

    def add(self, samples: Samples) -> None:
        """Take the next block ``[channels, frames]``."""
        fill_buckets(samples, self.kept)

    def result(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return (lows, highs) ``[channels, buckets]``; the last bucket may stand for less time."""
        _, open_frames, count = self.kept.clock.tolist()
        low, high = self.kept.low[:, :count], self.kept.high[:, :count]
        if open_frames:
            low = np.concatenate((low, self.kept.open[:, :1]), axis=1)
            high = np.concatenate((high, self.kept.open[:, 1:]), axis=1)
        return low, high
