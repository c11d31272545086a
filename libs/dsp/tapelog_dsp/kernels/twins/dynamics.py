"""Twins of ``dynamics.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.twins.console import exp2_array, gain_exp2_array, level_log2_array, log2_array
from tapelog_dsp.units import DB_PER_OCTAVE, LOG2_10_OVER_20


def compress(settings: Float64s, state: Float64s, key: Float64s) -> Float64s:
    """Return the gain of eq. (4) and eq. (17) of Giannoulis, Massberg and Reiss."""
    threshold, knee, slope, attack, release, makeup, mix, power = settings.tolist()
    held, smooth, mean, most, total = state.tolist()
    level = np.abs(key).max(axis=0)
    floor, log_scale = 1e-10, DB_PER_OCTAVE
    if power > 0.0:
        floor, log_scale = 1e-10 * 1e-10, 0.5 * DB_PER_OCTAVE
        for n, value in enumerate(level.tolist()):
            mean += power * (value * value - mean)
            level[n] = mean
    over = log_scale * level_log2_array(np.maximum(level, floor)) - threshold
    into = over + 0.5 * knee
    bent = into * into * (0.5 / knee if knee > 0.0 else 0.0)
    wanted = np.where(into <= 0.0, 0.0, np.where(over > 0.5 * knee, over, bent) * slope)
    reduction = np.empty_like(wanted)
    for n, value in enumerate(wanted.tolist()):
        held = max(value, held + release * (value - held))
        smooth += attack * (held - smooth)
        most = max(most, smooth)
        total += smooth
        reduction[n] = smooth
    state[:] = held, smooth, mean, most, total
    gains: Float64s = gain_exp2_array((makeup - reduction) * LOG2_10_OVER_20) * mix + (1.0 - mix)
    return gains


def gate(settings: Float64s, state: Float64s, key: Float64s) -> Float64s:
    """Return the gain of a gate, one sample at a time."""
    opens, closes, threshold, slope, span, attack, release, decay, hold = settings.tolist()
    level, reduction, is_open, held, opened = state.tolist()
    result = np.empty(key.shape[1])
    for n, peak in enumerate(np.abs(key).max(axis=0).tolist()):
        level = max(peak, level + decay * (peak - level))
        if level >= opens:
            is_open, held = 1.0, hold
        elif level >= closes:
            held = hold if is_open else held
        elif held > 0.0:
            held -= 1.0
        else:
            is_open = 0.0
        opened += is_open
        wanted = 0.0
        if not is_open:
            below = threshold - DB_PER_OCTAVE * float(log2_array(np.array([max(level, 1e-10)]))[0])
            wanted = min(span, max(below, 0.0) * slope)
        reduction += (attack if wanted < reduction else release) * (wanted - reduction)
        result[n] = reduction
    state[:] = level, reduction, is_open, held, opened
    return exp2_array(-result * LOG2_10_OVER_20)
