"""Twin of ``multiband.c``, for a whole clip from rest."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.recursion import sos_state
from tapelog_dsp.kernels.twins.console import gain_exp2_array, level_log2_array
from tapelog_dsp.kernels.twins.recursion import sos
from tapelog_dsp.units import DB_PER_OCTAVE, LOG2_10_OVER_20


def _filtered(section: Float64s, times: int, samples: Float64s) -> Float64s:
    cascade = np.array([section] * times)
    return sos(cascade, sos_state(times, len(samples)), samples)


def crossover(sections: Float64s, samples: Float64s) -> list[Float64s]:
    """Return the bands, the lowest first; they sum to an all-pass of the input."""
    rest, bands = samples, []
    for index, (lowpass, highpass, _) in enumerate(sections):
        low = _filtered(lowpass, 2, rest)
        rest = _filtered(highpass, 2, rest)
        for _, _, allpass in sections[index + 1 :]:
            low = _filtered(allpass, 1, low)
        bands.append(low)
    return [*bands, rest]


def gains(settings: Float64s, band: Float64s) -> Float64s:
    """Return the linear gain of one band, eq. (4) and (17) of Giannoulis, Massberg and Reiss."""
    threshold, knee, slope, attack, release, makeup, mix, power, most = settings.tolist()
    level = np.abs(band).max(axis=0)
    floor, log_scale = 1e-10, DB_PER_OCTAVE
    if power > 0.0:
        floor, log_scale, mean = 1e-10 * 1e-10, 0.5 * DB_PER_OCTAVE, 0.0
        for n, value in enumerate(level.tolist()):
            mean += power * (value * value - mean)
            level[n] = mean
    over = log_scale * level_log2_array(np.maximum(level, floor)) - threshold
    into = over + 0.5 * knee
    bent = into * into * (0.5 / knee if knee > 0.0 else 0.0)
    wanted = np.minimum(np.where(into <= 0.0, 0.0, np.where(over > 0.5 * knee, over, bent) * slope), most)
    held = smooth = 0.0
    reduction = np.empty_like(wanted)
    for n, value in enumerate(wanted.tolist()):
        held = max(value, held + release * (value - held))
        smooth += attack * (held - smooth)
        reduction[n] = smooth
    gain: Float64s = gain_exp2_array((makeup - reduction) * LOG2_10_OVER_20) * mix + (1.0 - mix)
    return gain


def multiband(sections: Float64s, settings: Float64s, samples: Float64s) -> Float64s:
    """Return the sum of the bands behind their gains."""
    total = np.zeros_like(samples)
    for own, band in zip(settings, crossover(sections, samples), strict=True):
        total += band * gains(own, band)
    return total
