"""Doors to ``truepeak.c``: peaks between the samples."""

from tapelog_dsp.kernels.call import Float32s, address, function


def interpolated_peaks(samples: Float32s, taps: Float32s, gain_sum: float, bound: float, peaks: Float32s) -> None:
    """Raise ``peaks`` [frames] to the interpolated magnitudes of ``samples`` [frames + taps - 1], in place.

    Parameters
    ----------
    samples : ndarray [shape=(frames + count - 1,)]
        One channel.
    taps : ndarray [shape=(phases, count)]
        The interpolator; phase p at frame n is the sum over k of taps[p, k] * samples[n + k].
    gain_sum : float
        Largest sum of magnitudes of a phase, not rounded down.
    bound : float
        Values at or below it are of no interest and may be left out.
    peaks : ndarray [shape=(frames,)]
        Changed in place.
    """
    function("tl_interpolated_peaks", "ppllffpl")(
        address(samples), address(taps), *taps.shape, gain_sum, bound, address(peaks), peaks.size
    )


def interpolated_maximum(samples: Float32s, taps: Float32s, gain_sum: float, most: float) -> float:
    """Return the largest interpolated magnitude of ``samples``, or ``most`` when that is larger."""
    phases, count = taps.shape
    largest: float = function("tl_interpolated_maximum", "ppllffl", "f")(
        address(samples), address(taps), phases, count, gain_sum, most, samples.size - count + 1
    )
    return largest
