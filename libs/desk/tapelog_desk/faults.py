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
        for channel, values in enumerate(samples):
            peak = max(float(values.max()), -float(values.min()))
            self._peaks[channel] = max(peak, float(self._peaks[channel]))
            if peak < self._full_scale:
                self._runs[channel] = 0
            else:
                sizes = np.abs(values)
                full = np.flatnonzero((sizes >= self._full_scale) & (sizes <= self._plateau_end))
                self._count(channel, full, sizes.size)

    def _count(self, channel: int, full: npt.NDArray[np.int64], frames: int) -> None:
        """Count runs; one that began in the block before goes on, and counts from its third sample."""
        carried = int(self._runs[channel])
        self._runs[channel] = 0
        if not full.size:
            return
        breaks = np.flatnonzero(np.diff(full) > 1)
        starts, stops = full[np.concatenate(([0], breaks + 1))], full[np.append(breaks, full.size - 1)] + 1
        before = np.where(starts == 0, carried, 0)
        lengths = before + stops - starts
        counted = lengths - np.where(before >= CLIP_RUN_FRAMES, before, 0)
        self.clipped_samples += int(counted[lengths >= CLIP_RUN_FRAMES].sum())
        if stops[-1] == frames:
            self._runs[channel] = lengths[-1]

    def forget_but_runs(self) -> None:
        """Begin here, with the runs that the samples so far ended in: what is joined to a part before it starts so."""
        self._peaks[:] = 0.0
        self.clipped_samples = 0

    def join(self, later: "FaultMeter") -> None:
        """Take in the part that follows, measured after the end of this one."""
        np.maximum(self._peaks, later._peaks, out=self._peaks)  # noqa: SLF001  # one of its own kind
        self._runs = later._runs.copy()  # noqa: SLF001
        self.clipped_samples += later.clipped_samples

    def silent_channels(self) -> list[int]:
        """Return the channels, counted from 0, whose every sample is below -90 dBFS."""
        return [channel for channel, peak in enumerate(self._peaks) if peak < SILENT_PEAK]

    def sample_peak(self) -> float:
        """Return the largest magnitude so far."""
        return float(self._peaks.max(initial=0.0))
