"""Door to ``shaper.c``: what a curve adds to a signal, computed between the samples."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function

CLIP, EXCITE = 0, 1
TAPS_MAX = 64


def shape(
    samples: Float64s, up: Float64s, down: Float64s, *, gain_sum: float, idle: float, curve: int, settings: Float64s
) -> Float64s:
    """Return what the curve adds ``[frames]`` to one channel ``[frames + 2 taps - 2]``.

    Parameters
    ----------
    samples : ndarray
        The channel, with what came before it.
    up, down : ndarray [shape=(phases, taps)]
        Interpolator and decimator.
    gain_sum : float
        Largest sum of magnitudes of an interpolator's phase.
    idle : float
        Magnitude up to which the curve adds nothing.
    curve : int
        `CLIP` (settings: knee start, ceiling) or `EXCITE` (drive, odd share, even share).
    settings : ndarray
        Of the curve.
    """
    phases, taps = up.shape
    added = np.empty(samples.size - 2 * taps + 2)
    function("tl_shape", "pppllddlppl")(
        address(samples), address(up), address(down), phases, taps, gain_sum, idle, curve, address(settings),
        address(added), added.size,
    )  # fmt: skip
    return added
