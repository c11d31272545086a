"""How a master comes across on loudspeakers that play less, or more, than the studio's."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.analysis.bands import BANDS_HZ, curve_db, decibels, k_power
from tapelog_dsp.analysis.profiles import Device, get_curve
from tapelog_dsp.analysis.spectrum import Spectrum


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """One master on one device.

    Parameters
    ----------
    device : Device
        The profile.
    loudness_change_lu : float
        K-weighted, against the full range in stereo.
    lost_against_pink_lu : float
        How much more than pink noise it loses (or less, when negative): what the arrangement is to blame for.
    bands : tuple of (str, float)
        Change of each band's share of the loudness, in dB, the lowest band first.
    """

    device: Device
    loudness_change_lu: float
    lost_against_pink_lu: float
    bands: tuple[tuple[str, float], ...]


def on_device(spectrum: Spectrum, sample_rate: int, device: Device) -> DeviceResult:
    """Return how a master comes across on a device, from its average spectrum."""
    frequencies = spectrum.frequencies_hz
    gain = np.power(10.0, curve_db(device.points, frequencies) / 10.0)
    weights = k_power(frequencies, sample_rate)
    source = spectrum.stereo
    played = (spectrum.mid if device.channels == 1 else source) * gain
    pink = np.power(10.0, curve_db(get_curve("pink").points, frequencies) / 10.0)
    pink[frequencies < 20.0] = 0.0
    change = decibels(float(np.dot(weights, played))) - decibels(float(np.dot(weights, source)))
    pink_change = decibels(float(np.dot(weights, pink * gain))) - decibels(float(np.dot(weights, pink)))
    bands = []
    for name, (low, high) in BANDS_HZ.items():
        inside = (frequencies >= low) & (frequencies < high)
        before, after = float(source[inside].sum()), float(played[inside].sum())
        bands.append((name, decibels(after) - decibels(before) if before > 0.0 else 0.0))
    return DeviceResult(device, change, pink_change - change, tuple(bands))


def bass_harmonics_db(spectrum: Spectrum) -> float:
    """Return the power from 120 to 600 Hz against that from 60 to 120 Hz: what stands for the bass where it is cut."""
    low = spectrum.power(spectrum.stereo, 60.0, 120.0)
    if low <= 0.0:
        return 0.0
    return decibels(spectrum.power(spectrum.stereo, 120.0, 600.0)) - decibels(low)
