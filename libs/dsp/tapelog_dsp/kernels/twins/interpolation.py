"""Twins of ``truepeak.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float32s


def interpolated_peaks(samples: Float32s, taps: Float32s, peaks: Float32s) -> None:
    """Raise ``peaks`` to the interpolated magnitudes, tap by tap in float32."""
    for phase in taps:
        total = np.zeros(peaks.size, dtype=np.float32)
        for k, tap in enumerate(phase):
            total += tap * samples[k : k + peaks.size]
        np.maximum(peaks, np.abs(total), out=peaks)


def interpolated_maximum(samples: Float32s, taps: Float32s, most: float) -> float:
    """Return the largest interpolated magnitude, or ``most`` when that is larger."""
    peaks = np.zeros(samples.size - taps.shape[1] + 1, dtype=np.float32)
    interpolated_peaks(samples, taps, peaks)
    return max(most, float(peaks.max()))
