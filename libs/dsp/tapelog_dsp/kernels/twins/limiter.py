"""Twins of ``limiter.c`` and ``detect.c``, for a whole clip from rest."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from tapelog_dsp.design.interpolators import Interpolator
from tapelog_dsp.kernels.call import Float32s, Float64s, Int64s
from tapelog_dsp.kernels.twins.interpolation import interpolated_peaks

UNIT = float(1 << 40)


def limit(shape: Int64s, ceiling: float, factors: Float64s, peaks: Float32s) -> Float64s:
    """Return the limiter's gain."""
    ahead, hold, one, two = shape.tolist()
    release, attack, fall = factors.tolist()
    needed: deque[int] = deque([0] * ahead, maxlen=ahead)
    recent: deque[int] = deque([0] * hold, maxlen=hold)
    first: deque[int] = deque([0] * one, maxlen=one)
    second: deque[int] = deque([0] * two, maxlen=two)
    released = slow = 0
    gains = np.empty(peaks.size)
    for n, level in enumerate(peaks.astype(np.float64).tolist()):
        needed.append(int((1.0 - ceiling / level) * UNIT) + 1 if level > ceiling else 0)
        recent.append(max(needed))
        held = max(recent)
        if held >= slow:
            slow += int(float(held - slow) * attack)
        else:
            slow -= int(float(slow - held) * fall) + 1
        released = max(recent[-1], int(float(released) * release), slow)
        first.append(released)
        second.append(sum(first))
        gains[n] = 1.0 - float(sum(second)) * (1.0 / (float(one * two) * UNIT))
    return gains


def limiter_peaks(tables: Sequence[Interpolator], samples: Float32s, before: int, frames: int) -> Float32s:
    """Return the largest magnitude at and after each frame, every one worked out."""
    peaks: Float32s = np.abs(samples[:, before : before + frames]).max(axis=0)
    for channel in samples:
        for table in tables:
            first = before - table.centre
            interpolated_peaks(channel[first : first + frames + table.count - 1], table.taps, peaks)
    return peaks
