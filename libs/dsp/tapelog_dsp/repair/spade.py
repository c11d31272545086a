"""Declipping by sparsity: among all signals that agree with what was recorded, the one with the fewest partials.

A-SPADE: Kitic, Bertin and Gribonval, "Sparsity and cosparsity for audio declipping: a flexible non-convex approach",
LVA/ICA 2015; with the dictionary of a twice redundant DFT, as in Zaviska, Rajmic, Prusa and Vesely, "Revisiting
synthesis model of sparse audio declipper", 2018. "Agree" means: equal at every good sample, at or beyond the clipping
level at every clipped one.
"""

from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.windows import hann

FRAME_S: Final = 0.0464  # 2048 frames at 44.1 kHz: long enough for partials of low notes, short enough for steady ones
OVERLAP: Final = 4
REDUNDANCY: Final = 2
TOLERANCE: Final = 0.1  # relative distance of the sparse and the consistent solution at which a frame is done
ROUNDS_MAX: Final = 400  # one more partial each round; frames that need more are taken as they are
BATCH: Final = 32  # frames worked on together: their spectra fit a level-2 cache


def frame_length(sample_rate: int) -> int:
    """Return the power of two nearest to `FRAME_S`."""
    length = 256
    while length * 1.5 < FRAME_S * sample_rate:
        length *= 2
    return length


def declip(samples: Float64s, high: float, low: float, length: int) -> Float64s:
    """Return ``[frames]`` with new values wherever a sample lies at or above ``high`` or at or below ``low``.

    Parameters
    ----------
    samples : ndarray [shape=(frames,)]
        One channel.
    high, low : float
        The clipping levels; infinite where a polarity is not clipped.
    length : int
        Frame length; the frames stand on a grid that starts at sample 0.
    """
    hop = length // OVERLAP
    clipped = (samples >= high) | (samples <= low)
    padded = np.concatenate((np.zeros(length), samples, np.zeros(2 * length)))
    touched = np.zeros(padded.size, dtype=np.int64)
    touched[length : length + samples.size] = clipped
    counts = np.concatenate(([0], np.cumsum(touched)))
    starts = np.arange(hop, samples.size + length, hop)
    starts = starts[counts[starts + length] > counts[starts]]
    window = hann(length)
    total, weight = np.zeros(padded.size), np.zeros(padded.size)
    for first in range(0, starts.size, BATCH):
        batch = starts[first : first + BATCH]
        frames = padded[batch[:, None] + np.arange(length)]
        for start, frame in zip(batch.tolist(), _solve(frames, high, low, window), strict=True):
            total[start : start + length] += frame * window
            weight[start : start + length] += window * window
    inner = slice(length, length + samples.size)
    result = samples.copy()
    result[clipped] = (total[inner] / np.maximum(weight[inner], 1e-12))[clipped]
    # Every frame keeps to the bounds in exact arithmetic; rounding may miss one by a bit.
    result[samples >= high] = np.maximum(result[samples >= high], samples[samples >= high])
    result[samples <= low] = np.minimum(result[samples <= low], samples[samples <= low])
    return result


def _solve(frames: Float64s, high: float, low: float, window: Float64s) -> Float64s:
    """Return the windowed frames ``[count, length]`` with their clipped samples rebuilt."""
    length = window.size
    size = REDUNDANCY * length
    result = frames * window
    floor = np.where(frames <= low, -np.inf, result)
    ceiling = np.where(frames >= high, np.inf, result)
    current = result.copy()
    dual = np.zeros((frames.shape[0], size // 2 + 1), dtype=np.complex128)
    live = np.arange(frames.shape[0])
    spectrum = np.fft.rfft(current, size)
    for partials in range(1, min(ROUNDS_MAX, size // 2) + 1):
        wanted = spectrum + dual
        power = np.square(wanted.real) + np.square(wanted.imag)
        least = np.partition(power, power.shape[1] - partials, axis=1)[:, -partials]
        sparse = np.where(power >= least[:, None], wanted, 0.0)
        current = np.clip(np.fft.irfft(sparse - dual, size)[:, :length], floor, ceiling)
        spectrum = np.fft.rfft(current, size)
        gap = spectrum - sparse
        distance = (np.square(gap.real) + np.square(gap.imag)).sum(axis=1)
        energy = (np.square(sparse.real) + np.square(sparse.imag)).sum(axis=1)
        dual += gap
        done = distance <= TOLERANCE * TOLERANCE * energy
        if done.any():
            result[live[done]] = current[done]
            going = ~done
            live, current, dual, spectrum = live[going], current[going], dual[going], spectrum[going]
            floor, ceiling = floor[going], ceiling[going]
            if not live.size:
                return result
    result[live] = current
    return result
