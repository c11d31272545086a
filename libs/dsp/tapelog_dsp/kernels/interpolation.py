"""Doors to ``truepeak.c`` and ``truepeak_search.c``: peaks between the samples."""

from tapelog_dsp.kernels.call import Float32s, Float64s, address, function


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


def search_peaks(
    samples: Float64s, kept: Float32s, lanes: Float32s, others: Float32s | None, bound: Float32s, *, peak: Float64s,
    most: Float32s,
) -> None:  # fmt: skip
    """Raise ``most`` to the interpolated magnitudes of the next samples of one channel, in place.

    Parameters
    ----------
    samples : ndarray [shape=(frames,)]
        Float64, contiguous; rounded to float32 first.
    kept : ndarray [shape=(127,)]
        What came before; moves on in place.
    lanes : ndarray [shape=(128, 16)]
        The long interpolator, phases as columns.
    others : ndarray [shape=(12, 16)], optional
        4 phases of a second interpolator, then 3 of a third, then zeros.
    bound : ndarray [shape=(139,)]
        As `interpolators.search_bound` makes it.
    peak : ndarray [shape=(1,)]
        The largest sample, raised in place; interpolated values that do not exceed it may be left out.
    most : ndarray [shape=(3,)]
        Of the long interpolator and the two others; changed in place.
    """
    function("tl_true_peak", "plpppppp")(
        samples.ctypes.data, samples.size, address(kept), address(lanes), address(others) if others is not None else 0,
        address(bound), address(peak), address(most),
    )  # fmt: skip
