"""Faults of a recording that a meter does not show: silent channels and clipping in the recording chain."""

from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_desk.files.decoders import Samples

SILENT_PEAK: Final = 10.0 ** (-90.0 / 20.0)
"""A channel that never exceeds it is silent."""

CLIP_RUN_FRAMES: Final = 3
"""Neighbouring samples at full scale that are no coincidence."""

FLOAT_PLATEAU: Final = 1e-6
"""Half the height of the band around full scale in which samples without a word length count as clipped; above it they
are merely loud."""


class FaultMeter:
    """Counts clipped samples and finds silent channels; any block size gives the same result.

    Parameters
    ----------
    channels : int
        Of every block.
    bit_depth : int
        Word length of the recording; 0 or a float's length where it has no integer full scale.
    is_float : bool
        Whether its samples are floats.
    """

    def __init__(self, channels: int, bit_depth: int, *, is_float: bool) -> None:
        has_steps = bit_depth > 0 and not is_float
        self._full_scale = 1.0 - 1.0 / (1 << (bit_depth - 1)) if has_steps else 1.0 - FLOAT_PLATEAU
        self._plateau_end = 1.0 if has_steps else 1.0 + FLOAT_PLATEAU
        self._peaks = np.zeros(channels)
        self._runs = np.zeros(channels, dtype=np.int64)
        self.clipped_samples = 0

    def add(self, samples: Samples) -> None:
        """Take the next block ``[channels, frames]``."""
        if not samples.shape[1]:
            return
        magnitudes = np.abs(samples)
        peaks = magnitudes.max(axis=1)
        self._peaks = np.maximum(self._peaks, peaks)
        for channel, peak in enumerate(peaks):
            if peak < self._full_scale:
                self._runs[channel] = 0
            else:
                values = magnitudes[channel]
                self._count(channel, (values >= self._full_scale) & (values <= self._plateau_end))

    def _count(self, channel: int, full: npt.NDArray[np.bool_]) -> None:
        """Count runs; one that began in the block before goes on, and counts from its third sample."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], full, [False])).astype(np.int8)))
        carried = int(self._runs[channel])
        self._runs[channel] = 0
        for start, stop in zip(edges[0::2], edges[1::2], strict=True):
            before = carried if start == 0 else 0
            length = before + int(stop - start)
            if length >= CLIP_RUN_FRAMES:
                self.clipped_samples += length - (before if before >= CLIP_RUN_FRAMES else 0)
            if stop == full.size:
                self._runs[channel] = length

    def silent_channels(self) -> list[int]:
        """Return the channels, counted from 0, whose every sample is below -90 dBFS."""
        return [channel for channel, peak in enumerate(self._peaks) if peak < SILENT_PEAK]

    def sample_peak(self) -> float:
        """Return the largest magnitude so far."""
        return float(self._peaks.max(initial=0.0))
