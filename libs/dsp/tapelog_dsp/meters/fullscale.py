"""Runs of samples at full scale: what clipping in a recording chain leaves."""

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.kernels.metering import Runs, full_runs


class FullScaleMeter:
    """A streaming meter; blocks of any length give the same reading.

    Parameters
    ----------
    channels : int
        Of every block.
    low, high : float
        Magnitudes of a sample that counts as full scale.
    least : int
        Neighbours that are no coincidence; shorter runs are not counted.
    """

    def __init__(self, channels: int, *, low: float, high: float, least: int) -> None:
        none = np.zeros(channels, dtype=np.int64)
        self.kept = Runs(low, high, least, np.zeros(channels), none.copy(), none.copy())

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        full_runs(samples, self.kept)

    @property
    def peaks(self) -> tuple[float, ...]:
        """The largest magnitude of each channel."""
        return tuple(self.kept.peaks.tolist())

    @property
    def clipped_samples(self) -> int:
        """Samples in runs, of all channels."""
        return int(self.kept.counts.sum())

    def forget_but_runs(self) -> None:
        """Begin here, with the runs that the samples so far ended in: what is joined to a part before it starts so."""
        self.kept.peaks[:] = 0.0
        self.kept.counts[:] = 0

    def join(self, later: "FullScaleMeter") -> None:
        """Take in the part that follows, measured after the end of this one."""
        np.maximum(self.kept.peaks, later.kept.peaks, out=self.kept.peaks)
        self.kept.runs[:] = later.kept.runs
        self.kept.counts[:] += later.kept.counts
