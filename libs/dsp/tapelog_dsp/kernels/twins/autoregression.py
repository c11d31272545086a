"""Twins of ``repair.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, Int64s


def autocorrelation(samples: Float64s, lags: int) -> Float64s:
    """Return the autocorrelation; each lag sums over time in order, zeros after the end included."""
    x = [*samples.tolist(), *([0.0] * lags)]
    result = [0.0] * (lags + 1)
    for k in range(lags + 1):
        for i in range(samples.size):
            result[k] += x[i] * x[i + k]
    return np.array(result)


def levinson(correlation: Float64s, order: int) -> tuple[Float64s, float]:
    """Return the prediction-error filter and what it leaves, by the Levinson-Durbin recursion."""
    r = correlation.tolist()
    a = [1.0] + [0.0] * order
    error = r[0]
    for m in range(1, order + 1):
        if not error > 0.0:
            break
        total = r[m]
        for k in range(1, m):
            total += a[k] * r[m - k]
        reflection = -total / error
        a[1:m] = [a[k] + reflection * a[m - k] for k in range(1, m)]
        a[m] = reflection
        error *= 1.0 - reflection * reflection
    return np.array(a), error


def residual(samples: Float64s, coefficients: Float64s) -> Float64s:
    """Return the prediction error, tap by tap."""
    order = coefficients.size - 1
    result = samples[order:].copy()
    for k in range(1, order + 1):
        result += coefficients[k] * samples[order - k : samples.size - k]
    return result


def fill(samples: Float64s, coefficients: Float64s, positions: Int64s, *, pull: float = 0.0) -> bool:
    """Fill gaps: normal equations of the unknown samples, factorised as L D L', solved forwards and backwards."""
    order, count = coefficients.size - 1, positions.size
    b = autocorrelation(coefficients, order).tolist()
    at = positions.tolist()
    right = [pull * float(samples[place]) for place in at]
    samples[positions] = 0.0
    x = samples.tolist()
    for i, place in enumerate(at):
        total = b[0] * x[place]
        for k in range(1, order + 1):
            total += b[k] * (x[place + k] + x[place - k])
        right[i] -= total
    lower = [[b[at[i] - at[j]] if at[i] - at[j] <= order else 0.0 for j in range(i + 1)] for i in range(count)]
    for i, row in enumerate(lower):
        row[i] += pull
        first = max(0, i - order)
        for j in range(first, i):
            for k in range(max(first, j - order), j):
                row[j] -= row[k] * lower[j][k]
        for j in range(first, i):
            scaled = row[j] / lower[j][j]
            row[i] -= scaled * row[j]
            row[j] = scaled
        if not row[i] > 0.0:
            return False
    for i, row in enumerate(lower):
        for j in range(max(0, i - order), i):
            right[i] -= row[j] * right[j]
    for i in reversed(range(count)):
        right[i] /= lower[i][i]
        for j in range(i + 1, min(i + order, count - 1) + 1):
            right[i] -= lower[j][i] * right[j]
    samples[positions] = right
    return True
