"""Twins of ``truepeak.c`` and ``truepeak_search.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float32s, Float64s


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


def search_peaks(
    samples: Float64s, kept: Float32s, lanes: Float32s, others: Float32s | None, *, peak: Float64s, most: Float32s
) -> None:
    """Raise ``most`` to the interpolated magnitudes and ``peak`` to the samples', looking everywhere."""
    peak[0] = max(float(peak[0]), float(np.abs(samples).max(initial=0.0)))
    reach = len(lanes) - 1
    joined = np.concatenate((kept, samples.astype(np.float32)))
    kept[:] = joined[samples.size :]
    most[0] = interpolated_maximum(joined, lanes.T.copy(), float(most[0]))
    if others is not None:
        first = reach // 2 - 5
        window = joined[first : first + samples.size + len(others) - 1]
        most[1] = interpolated_maximum(window, others.T[:4].copy(), float(most[1]))
        most[2] = interpolated_maximum(window, others.T[4:7].copy(), float(most[2]))
