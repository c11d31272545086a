"""Loudness, true peak and full-scale runs in one pass over samples as they stand in a file."""

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.metering import meter_packed
from tapelog_dsp.kernels.waveform import Buckets
from tapelog_dsp.meters.fullscale import FullScaleMeter
from tapelog_dsp.meters.loudness import LoudnessMeter
from tapelog_dsp.meters.truepeak import TruePeakMeter


def add_packed(
    raw: npt.NDArray[np.uint8], sample_bytes: int, channels: int, *, loudness: LoudnessMeter, true_peak: TruePeakMeter,
    full_scale: FullScaleMeter, buckets: Buckets | None = None,
) -> int:  # fmt: skip
    """Measure what of the next block is whole hops of 10 ms, with the bits that the meters give one by one.

    Parameters
    ----------
    raw : ndarray of uint8
        Interleaved little-endian samples.
    sample_bytes, channels : int
        2, 3 or 4 bytes to a whole number, or `FLOATS`; so many samples to a frame.
    loudness, true_peak, full_scale, buckets
        Meters and waveform of the same programme, all at the same frame; they move on.

    Returns
    -------
    int
        How many frames were measured, from the first on; none while the programme is within a hop.
    """
    first, hops, frames = loudness.whole_hops(raw.size // (abs(sample_bytes) * channels))
    if hops:
        energies = meter_packed(
            raw, sample_bytes, channels, first=first, hops=hops, weighting=loudness.weighting, state=loudness.memory,
            peaks=true_peak.kept, runs=full_scale.kept, buckets=buckets,
        )  # fmt: skip
        loudness.take(energies, frames)
    return frames
