"""Twins of ``faults.c`` and ``metering.c``."""

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.interpolation import search_peaks
from tapelog_dsp.kernels.loudness import HopFilter
from tapelog_dsp.kernels.metering import Peaks, Runs
from tapelog_dsp.kernels.twins.loudness import hop_energies
from tapelog_dsp.kernels.twins.pcm import unpack_pcm
from tapelog_dsp.kernels.twins.waveform import fill_buckets
from tapelog_dsp.kernels.waveform import Buckets


def full_runs(samples: Float64s, kept: Runs) -> None:
    """Count the samples of runs, one after the other."""
    for channel, row in enumerate(np.abs(samples).tolist()):
        for size in row:
            kept.peaks[channel] = max(kept.peaks[channel], size)
            kept.runs[channel] = kept.runs[channel] + 1 if kept.low <= size <= kept.high else 0
            if kept.runs[channel] >= kept.least:
                kept.counts[channel] += kept.least if kept.runs[channel] == kept.least else 1


def meter_packed(
    raw: npt.NDArray[np.uint8], sample_bytes: int, channels: int, *, first: int, hops: int, weighting: HopFilter,
    state: Float64s, peaks: Peaks, runs: Runs, buckets: Buckets | None = None,
) -> Float64s:  # fmt: skip
    """Unpack all, then ask one meter after the other; of the search only the maximum is a promise, so it is its own."""
    frames = (first + hops) * weighting.rate // 100 - first * weighting.rate // 100
    block = np.empty((channels, frames))
    unpack_pcm(raw[: frames * channels * abs(sample_bytes)].tobytes(), sample_bytes, block)
    for row, kept in zip(block, peaks.kept, strict=True):
        search_peaks(row, kept, peaks.lanes, peaks.others, peaks.bound, peak=peaks.peak, most=peaks.most)
    full_runs(block, runs)
    if buckets is not None:
        fill_buckets(block, buckets)
    return hop_energies(weighting, state, block, first=first, hops=hops)
