"""Door to ``loudness.c``: K-weighted energy per hop of 10 ms."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

HOPS_PER_S: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class HopFilter:
    """A K-weighting with what carries its memory over a hop at once.

    Parameters
    ----------
    sections : ndarray [shape=(2, 5)]
        b0 b1 b2 a1 a2 of both.
    reach : ndarray [shape=(4, longest)]
        What each sample of a hop leaves in the memory at its end, the newest sample last.
    power : ndarray [shape=(2, 4, 4)]
        What is left of the memory after a hop of `longest` frames, and after one of a frame less.
    rate : int
        In Hz.
    """

    sections: Float64s
    reach: Float64s
    power: Float64s
    rate: int

    @property
    def longest(self) -> int:
        """Frames of the longest hop."""
        return int(self.reach.shape[1])


def hop_filter(sections: Float64s, rate: int) -> HopFilter:
    """Return the K-weighting ``sections`` [2, 5] for hops at a sample rate in Hz."""
    (b0, b1, b2, a1, a2), (c0, c1, c2, d1, d2) = sections.tolist()
    inner = [b1 - a1 * b0, b2 - a2 * b0]
    # The memory as a linear system: s' = A s + B x, the first section's output being s[0] + b0 x.
    step = np.array(
        [
            [-a1, 1.0, 0.0, 0.0],
            [-a2, 0.0, 0.0, 0.0],
            [c1 - d1 * c0, 0.0, -d1, 1.0],
            [c2 - d2 * c0, 0.0, -d2, 0.0],
        ]
    )
    newest = np.array([*inner, (c1 - d1 * c0) * b0, (c2 - d2 * c0) * b0])
    longest = -(-rate // HOPS_PER_S)
    # B and A side by side: every step moves all five columns on.
    columns = np.concatenate((newest[:, None], np.eye(4)), axis=1)
    reach, power = np.empty((4, longest)), np.empty((2, 4, 4))
    for place in range(longest - 1, -1, -1):
        reach[:, place] = columns[:, 0]
        if place == 0:
            power[1] = columns[:, 1:]
        # BLAS would give every kind of processor its own bits: the sum over the memory is taken in order.
        columns = sum((step[:, [k]] * columns[k] for k in range(1, 4)), step[:, [0]] * columns[0])
    power[0] = columns[:, 1:]
    return HopFilter(sections, reach, power, rate)


def hop_energies(weighting: HopFilter, state: Float64s, samples: Float64s, *, first: int, hops: int) -> Float64s:
    """Return the energy ``[hops, channels]`` of whole hops of 10 ms; the state moves on in place.

    Parameters
    ----------
    weighting : HopFilter
        The K-weighting.
    state : ndarray [shape=(channels, 2, 2)]
        Its memory.
    samples : ndarray [shape=(channels, frames)]
        Each row contiguous; begins with a hop, and what lies behind the last one is not looked at.
    first, hops : int
        Number of the first hop on the programme's clock, and how many follow each other. Hop k covers the frames from
        floor(k * rate / 100) to floor((k + 1) * rate / 100).
    """
    channels = len(samples)
    energies = np.empty((hops, channels))
    function("tl_hop_energies", "pplppplllllp")(
        address(weighting.sections), address(weighting.reach), weighting.longest, address(weighting.power),
        address(state), samples.ctypes.data, channels, samples.strides[0] // samples.itemsize, first, hops,
        weighting.rate, address(energies),
    )  # fmt: skip
    return energies
