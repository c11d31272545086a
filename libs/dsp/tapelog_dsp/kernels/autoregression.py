"""Doors to ``repair.c``: a linear model of a stretch of audio, its residual, and gaps filled by it."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, Int64s, address, function


def autocorrelation(samples: Float64s, lags: int) -> Float64s:
    """Return the autocorrelation ``[lags + 1]`` of ``[frames]``, not divided by anything."""
    padded = np.zeros(samples.size + lags)
    padded[: samples.size] = samples
    result = np.empty(lags + 1)
    function("tl_autocorrelation", "pllp")(address(padded), samples.size, lags, address(result))
    return result


def levinson(correlation: Float64s, order: int) -> tuple[Float64s, float]:
    """Return the prediction-error filter ``[order + 1]``, first tap 1, and the energy that it leaves."""
    coefficients, work = np.empty(order + 1), np.empty(order + 1)
    left = function("tl_levinson", "plpp", "d")(address(correlation), order, address(coefficients), address(work))
    return coefficients, float(left)


def residual(samples: Float64s, coefficients: Float64s) -> Float64s:
    """Return the prediction error of the samples after the first ``order`` ones, ``[frames - order]``."""
    order = coefficients.size - 1
    result = np.empty(samples.size - order)
    function("tl_prediction_residual", "plplp")(
        address(samples) + 8 * order, result.size, address(coefficients), order, address(result)
    )
    return result


def fill(samples: Float64s, coefficients: Float64s, positions: Int64s, *, pull: float = 0.0) -> bool:
    """Replace the samples at ascending positions, in place, so that the model's residual has the least energy.

    The positions keep ``order`` frames away from both ends. ``pull`` weighs the squared distance from the old values
    against the residual's energy; 0 forgets them. Returns False, with the samples at 0, when the model allows no unique
    filling. Source: Janssen, Veldhuis and Vries, IEEE Trans. ASSP 34(2), 1986.
    """
    order, count = coefficients.size - 1, positions.size
    band, right = np.empty((count, order + 1)), np.empty(count)
    correlation = autocorrelation(coefficients, order)  # named, so that it lives as long as its address is in use
    solved = function("tl_fill", "pplpldpp", "l")(
        address(samples), address(correlation), order, address(positions), count,
        pull, address(band), address(right),
    )  # fmt: skip
    return bool(solved)
