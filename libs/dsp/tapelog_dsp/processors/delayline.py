"""A whole-sample delay, used to even out latencies."""

from typing import Any

import numpy as np
import numpy.typing as npt


class DelayLine:
    """Delays by a fixed number of frames, 0 included.

    Parameters
    ----------
    channels : int
        Channels of every block.
    frames : int
        The delay.
    """

    def __init__(self, channels: int, frames: int) -> None:
        self._kept: npt.NDArray[Any] = np.zeros((channels, frames))

    def process(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the block that entered ``frames`` earlier; silence comes first."""
        frames = self._kept.shape[1]
        if frames == 0:
            return samples
        joined = np.concatenate((self._kept.astype(samples.dtype, copy=False), samples), axis=1)
        self._kept = joined[:, samples.shape[1] :].copy()
        return np.ascontiguousarray(joined[:, : samples.shape[1]])

    def reset(self) -> None:
        """Fill the line with silence."""
        self._kept = np.zeros_like(self._kept)
