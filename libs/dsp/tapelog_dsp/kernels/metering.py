"""Doors to ``faults.c`` and ``metering.c``: runs at full scale, and all meters in one pass over packed samples."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.call import Float32s, Float64s, Int64s, address, function
from tapelog_dsp.kernels.loudness import HopFilter
from tapelog_dsp.kernels.waveform import Buckets

HOPS_AT_A_TIME: Final = 8
"""As many as are filtered beside each other: 60 kB of stereo at 48 kHz."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """What the search of the true peak keeps: see `interpolation.search_peaks`.

    Parameters
    ----------
    kept : ndarray [shape=(channels, 127)]
        What came before.
    lanes, others, bound : ndarray
        The interpolators and the bound; without `others` only the long one reads.
    peak : ndarray [shape=(1,)], most : ndarray [shape=(3,)]
        Raised in place.
    """

    kept: Float32s
    lanes: Float32s
    others: Float32s | None
    bound: Float32s
    peak: Float64s
    most: Float32s


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """What the count of runs keeps, moved on in place.

    Parameters
    ----------
    low, high : float
        Magnitudes of a sample that counts.
    least : int
        Neighbours that make a run.
    peaks : ndarray [shape=(channels,)]
        Largest magnitude of each channel.
    runs, counts : ndarray of int64 [shape=(channels,)]
        Length of the run that each channel ends in, and samples in runs so far.
    """

    low: float
    high: float
    least: int
    peaks: Float64s
    runs: Int64s
    counts: Int64s


def full_runs(samples: Float64s, kept: Runs) -> None:
    """Count the samples of runs in a block ``[channels, frames]``, each row contiguous."""
    count = function("tl_full_runs", "plddlpp", "l")
    for channel, row in enumerate(samples):
        kept.counts[channel] += count(
            row.ctypes.data, row.size, kept.low, kept.high, kept.least,
            kept.peaks[channel:].ctypes.data, kept.runs[channel:].ctypes.data,
        )  # fmt: skip


def meter_packed(
    raw: npt.NDArray[np.uint8], sample_bytes: int, channels: int, *, first: int, hops: int, weighting: HopFilter,
    state: Float64s, peaks: Peaks, runs: Runs, buckets: Buckets | None = None,
) -> Float64s:  # fmt: skip
    """Measure whole hops of 10 ms and return their K-weighted energies ``[hops, channels]``; all states move on.

    Parameters
    ----------
    raw : ndarray of uint8
        Interleaved little-endian samples, the hops at its beginning.
    sample_bytes, channels : int
        2, 3 or 4 bytes to a whole number, or `FLOATS`; so many samples to a frame.
    first, hops : int
        Number of the first hop on the programme's clock, and how many follow each other.
    weighting : HopFilter
        The K-weighting.
    state : ndarray [shape=(channels, 2, 2)]
        Its memory.
    peaks, runs, buckets
        The other meters' memories; without buckets no waveform is drawn.
    """
    frames = (first + hops) * weighting.rate // 100 - first * weighting.rate // 100
    if raw.size < frames * channels * abs(sample_bytes):
        raise ValueError(f"{raw.size} bytes do not hold {frames} frames of {channels} samples")
    energies = np.empty((hops, channels))
    room = np.empty((channels, HOPS_AT_A_TIME * weighting.longest))
    function("tl_meter_packed", "plllllppplpppplpppppddlpppppppl")(
        raw.ctypes.data, sample_bytes, channels, first, hops, weighting.rate, address(room),
        address(weighting.sections), address(weighting.reach), weighting.longest, address(weighting.power),
        address(state), address(energies), address(peaks.kept), peaks.kept.shape[1], address(peaks.lanes),
        address(peaks.others) if peaks.others is not None else 0, address(peaks.bound), address(peaks.peak),
        address(peaks.most), runs.low, runs.high, runs.least, address(runs.peaks), address(runs.runs),
        address(runs.counts), *((0, 0, 0, 0, 0) if buckets is None else buckets.addresses()),
    )  # fmt: skip
    return energies
