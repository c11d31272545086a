"""Windows, and the local sums that several tools share; written so that every machine gets the same bits."""

import functools
import math

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.kernels.call import Float64s


@functools.lru_cache(maxsize=32)
def hann(length: int) -> Float64s:
    """Return the periodic Hann window; copies shifted by half of its length add up to 1."""
    window = np.array([0.5 - 0.5 * math.cos(2.0 * math.pi * n / length) for n in range(length)])
    window.setflags(write=False)
    return window


@functools.lru_cache(maxsize=32)
def gaussian(sigma: float, radius: int) -> tuple[float, ...]:
    """Return exp(-d^2 / (2 sigma^2)) for d = 0 .. radius."""
    return tuple(math.exp(-0.5 * (d / sigma) ** 2) for d in range(radius + 1))


def block_power(samples: Audio, block: int) -> Float64s:
    """Return the mean square ``[frames // block]`` of whole blocks, all channels together."""
    blocks = samples.shape[1] // block
    squares = np.square(samples[:, : blocks * block]).sum(axis=0)
    return np.asarray(squares.reshape(blocks, block).sum(axis=1) / (block * samples.shape[0]))


def smooth(values: Float64s, radius: int) -> Float64s:
    """Return the mean over 2 radius + 1 neighbours, fewer at the ends, along the last axis."""
    padded = np.concatenate((np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)), axis=-1)
    last = values.shape[-1]
    low = np.maximum(np.arange(last) - radius, 0)
    high = np.minimum(np.arange(last) + radius + 1, last)
    return np.asarray((padded[..., high] - padded[..., low]) / (high - low))
