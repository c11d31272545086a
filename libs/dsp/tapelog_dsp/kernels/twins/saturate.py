"""Twin of ``saturate.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.saturate import reach_frames
from tapelog_dsp.kernels.twins.console import exp2_array, log2_array

LN_2 = 0.6931471805599453
TWICE_LOG2_E = -2.8853900817779268


def _soft(x: Float64s) -> Float64s:
    small = exp2_array(np.abs(x) * TWICE_LOG2_E)
    size = (1.0 - small) / (1.0 + small)
    return np.where(x < 0.0, -size, size)


def _integral(x: Float64s) -> Float64s:
    size = np.abs(x)
    return size + LN_2 * (log2_array(1.0 + exp2_array(size * TWICE_LOG2_E)) - 1.0)


def saturate(
    samples: Float64s, up: Float64s, down: Float64s, ends: tuple[Float64s, Float64s], place: tuple[int, int]
) -> Float64s:
    """Return what the curve adds: at rest over the whole signal, on the move frame by frame."""
    reach = reach_frames(*up.shape)
    if ends[0] is ends[1]:
        return _stretch(samples, up, down, ends[0])
    parts = []
    for n in range(samples.size - reach):
        way = float(place[0] + n) / float(place[1])
        parts.append(_stretch(samples[n : n + reach + 1], up, down, ends[0] + (ends[1] - ends[0]) * way))
    return np.concatenate(parts)


def _stretch(samples: Float64s, up: Float64s, down: Float64s, settings: Float64s) -> Float64s:
    drive, bias, rest, scale, weight = settings.tolist()
    phases, taps = up.shape
    frames = samples.size - reach_frames(phases, taps)
    wide = frames + (taps - 1 if phases > 1 else 0)
    points = []
    for phase in range(phases):
        u = np.zeros(wide + 1)
        for k in range(taps):
            u += up[phase, k] * samples[k : k + wide + 1]
        points.append(u)
    added = np.zeros(frames)
    for phase in range(phases):
        u1, u0 = points[phase][1:], points[phase - 1][:-1] if phase == 0 else points[phase - 1][1:]
        v0, v1 = drive * u0 + bias, drive * u1 + bias
        step = v1 - v0
        close = np.abs(step) < 1e-5
        slope = (_integral(v1) - _integral(v0)) / np.where(close, 1.0, step)
        curve = np.where(close, _soft(0.5 * (v1 + v0)), slope)
        bent = ((curve - rest) * scale - 0.5 * (u1 + u0)) * weight
        if phases == 1:
            added += bent
            continue
        for k in range(taps):
            added += down[phase, k] * bent[k : k + frames]
    return added
