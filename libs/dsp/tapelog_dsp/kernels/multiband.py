"""Door to ``multiband.c``: crossover, one gain curve per band, and the sum."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

BANDS_MAX = 5

BAND_FIGURES = 5
"""Held reduction, smoothed reduction, mean square, and for reports the largest and the sum of reductions in dB."""


def multiband_memory(bands: int) -> Float64s:
    """Return the memory of the crossover at rest ``[sections, 2, 2]``: four per split, then the all-passes."""
    splits = bands - 1
    return np.zeros((4 * splits + splits * (splits - 1) // 2, 2, 2))


def multiband(
    sections: Float64s, memory: Float64s, settings: Float64s, figures: Float64s, samples: Float64s
) -> Float64s:
    """Return the sum of the bands behind their gains; memory and figures move on in place.

    Parameters
    ----------
    sections : ndarray [shape=(splits, 3, 5)]
        Low-pass, high-pass and all-pass of each split.
    memory : ndarray
        From `multiband_memory`.
    settings : ndarray [shape=(bands, 9)]
        Threshold, knee, slope, attack, release, make-up, mix, power as for the compressor, and the largest reduction.
    figures : ndarray [shape=(bands, 5)]
        See `BAND_FIGURES`.
    samples : ndarray [shape=(channels, frames)]
        One or two channels.
    """
    result = np.empty_like(samples)
    function("tl_multiband", "pppppplll")(
        address(sections), address(memory), address(settings), address(figures), address(samples), address(result),
        len(settings), *samples.shape,
    )  # fmt: skip
    return result
