"""Twins of ``filters.c``."""

from tapelog_dsp.kernels.call import Float64s


def sos(coefficients: Float64s, state: Float64s, samples: Float64s) -> Float64s:
    """Filter by a cascade in transposed direct form II, one sample at a time."""
    result = samples.copy()
    for channel, row in enumerate(result):
        for section, (b0, b1, b2, a1, a2) in enumerate(coefficients.tolist()):
            s1, s2 = state[channel, section].tolist()
            for n, x in enumerate(row.tolist()):
                y = b0 * x + s1
                s1 = (b1 * x + s2) - a1 * y
                s2 = b2 * x - a2 * y
                row[n] = y
            state[channel, section] = s1, s2
    return result


def svf(start: Float64s, end: Float64s, place: tuple[int, int], state: Float64s, samples: Float64s) -> Float64s:
    """Filter by moving state-variable filters, one sample at a time."""
    result = samples.copy()
    offset, span = place
    for channel, row in enumerate(result):
        for band in range(len(start)):
            one, two = state[channel, band].tolist()
            for n, x in enumerate(row.tolist()):
                way = (offset + n) / span
                g, k, a, m, low = (start[band] + (end[band] - start[band]) * way).tolist()
                v1 = (one + g * (x - two)) / (1.0 + g * (g + k))
                v2 = two + g * v1
                one, two = 2.0 * v1 - one, 2.0 * v2 - two
                row[n] = a * x + m * v1 + low * v2
            state[channel, band] = one, two
    return result
