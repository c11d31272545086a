"""Twin of ``loudness.c``."""

import itertools

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.loudness import HOPS_PER_S, HopFilter
from tapelog_dsp.kernels.twins.recursion import sos

_LANES = 8


def hop_energies(weighting: HopFilter, state: Float64s, samples: Float64s, *, first: int, hops: int) -> Float64s:
    """Return the energy of whole hops, one after the other."""
    starts = [hop * weighting.rate // HOPS_PER_S for hop in range(first, first + hops + 1)]
    energies = np.empty((hops, len(samples)))
    for hop, (begun, ended) in enumerate(itertools.pairwise(starts)):
        block = samples[:, begun - starts[0] : ended - starts[0]]
        weighted = sos(weighting.sections, state.copy(), block)
        for channel, row in enumerate(weighted):
            total = 0.0
            for value in row.tolist():
                total += value * value
            energies[hop, channel] = total
            state[channel] = _moved_on(weighting, state[channel].ravel(), block[channel]).reshape(2, 2)
    return energies


def _moved_on(weighting: HopFilter, state: Float64s, samples: Float64s) -> Float64s:
    """Return the memory after a hop."""
    reach = weighting.reach[:, weighting.longest - samples.size :]
    power = weighting.power[0 if samples.size == weighting.longest else 1]
    whole = samples.size // _LANES * _LANES
    result = np.empty(4)
    for i, row in enumerate(reach):
        lanes = np.zeros(_LANES)
        for n in range(0, whole, _LANES):
            lanes += row[n : n + _LANES] * samples[n : n + _LANES]
        total = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
        for n in range(whole, samples.size):
            total += row[n] * samples[n]
        for k in range(4):
            total += power[i, k] * state[k]
        result[i] = total
    return result
