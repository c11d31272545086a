"""Twins of ``hum.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s

_SINE = (
    -7.6471637318198164759e-13,
    1.6059043836821614599e-10,
    -2.5052108385441718775e-8,
    2.7557319223985890653e-6,
    -1.9841269841269841270e-4,
    8.3333333333333333333e-3,
    -0.16666666666666666667,
)
_COSINE = (
    4.7794773323873852974e-14,
    -1.1470745597729724714e-11,
    2.0876756987868098979e-9,
    -2.7557319223985890653e-7,
    2.4801587301587301587e-5,
    -1.3888888888888888889e-3,
    4.1666666666666666667e-2,
    -0.5,
)


def _cos_sin(turns: float) -> tuple[float, float]:
    """Return cosine and sine of a phase in turns: the nearest quarter taken off, the rest by Taylor series."""
    quarters = turns * 4.0
    nearest = (quarters + 6755399441055744.0) - 6755399441055744.0
    u = (quarters - nearest) * 1.5707963267948966
    s = u * u
    sine, cosine = _SINE[0], _COSINE[0]
    for coefficient in _SINE[1:]:
        sine = sine * s + coefficient
    for coefficient in _COSINE[1:]:
        cosine = cosine * s + coefficient
    a, b = 1.0 + s * cosine, u + u * (s * sine)
    return ((a, b), (-b, a), (-a, -b), (b, -a))[int(nearest) & 3]


def _family(turns: float, harmonics: int) -> list[tuple[float, float]]:
    c1, s1 = _cos_sin(turns)
    pairs = [(c1, s1)]
    for _ in range(harmonics - 1):
        c, s = pairs[-1]
        pairs.append((c * c1 - s * s1, s * c1 + c * s1))
    return pairs


def demodulate(samples: Float64s, turns: Float64s, *, harmonics: int, block: int) -> Float64s:
    """Return the sums over blocks, one sample at a time."""
    result = np.zeros((samples.size // block, harmonics, 2))
    for m, row in enumerate(result):
        for i in range(m * block, (m + 1) * block):
            x = float(samples[i])
            for h, (c, s) in enumerate(_family(float(turns[i]), harmonics)):
                row[h, 0] += x * c
                row[h, 1] -= x * s
    return result


def modulate(turns: Float64s, knots: Float64s, *, hop: int) -> Float64s:
    """Return the sum of the harmonics, one sample at a time."""
    result = np.zeros(turns.size)
    for i in range(turns.size):
        k = i // hop
        part = float(i - k * hop) / float(hop)
        total = 0.0
        for h, (c, s) in enumerate(_family(float(turns[i]), knots.shape[1])):
            (a, b), (a2, b2) = knots[k, h].tolist(), knots[k + 1, h].tolist()
            total += (a + part * (a2 - a)) * c - (b + part * (b2 - b)) * s
        result[i] += total
    return result
