"""A whole-sample delay, used to even out latencies."""

import numpy as np

from tapelog_dsp.audio import Audio


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
        self._kept: Audio = np.zeros((channels, frames))

    def process(self, samples: Audio) -> Audio:
        """Return the block that entered ``frames`` earlier; silence comes first."""
        frames = self._kept.shape[1]
        if frames == 0:
            return samples
        joined = np.concatenate((self._kept, samples), axis=1)
        self._kept = joined[:, samples.shape[1] :].copy()
        return np.ascontiguousarray(joined[:, : samples.shape[1]])

    def reset(self) -> None:
        """Fill the line with silence."""
        self._kept = np.zeros_like(self._kept)
