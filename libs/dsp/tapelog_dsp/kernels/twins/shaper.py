"""Twin of ``shaper.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.shaper import CLIP


def _added(curve: int, settings: Float64s, u: Float64s) -> Float64s:
    if curve == CLIP:
        start, ceiling = settings.tolist()
        width = ceiling - start
        over = np.abs(u) - start
        cut = np.where(over < 2.0 * width, over * over * (0.25 / width if width > 0.0 else 0.0), over - width)
        taken = np.where(over > 0.0, cut, 0.0)
        return np.where(u < 0.0, taken, -taken)
    drive, odd, even = settings.tolist()
    v = drive * u
    squared = v * v
    bent: Float64s = v / np.sqrt(1.0 + squared) - v
    added: Float64s = (odd * bent + even * (squared / (1.0 + squared))) * (1.0 / drive)
    return added


def shape(samples: Float64s, up: Float64s, down: Float64s, *, curve: int, settings: Float64s) -> Float64s:
    """Return what the curve adds, tap by tap."""
    taps = up.shape[1]
    wide = samples.size - taps + 1
    frames = wide - taps + 1
    total = np.zeros(frames)
    for rising, falling in zip(up, down, strict=True):
        between = np.zeros(wide)
        for k, tap in enumerate(rising.tolist()):
            between += tap * samples[k : k + wide]
        between = _added(curve, settings, between)
        for k, tap in enumerate(falling.tolist()):
            total += tap * between[k : k + frames]
    return total
