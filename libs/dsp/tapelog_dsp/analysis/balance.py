"""A master's spectrum against a reference: a named curve, or another master."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.analysis.bands import BANDS_HZ, THIRDS_HZ, curve_db, decibels, third_octaves_db
from tapelog_dsp.analysis.profiles import get_curve
from tapelog_dsp.analysis.spectrum import Spectrum
from tapelog_dsp.kernels.call import Float64s

ANCHOR_HZ = (100.0, 10_000.0)
"""Both spectra are brought to the same mean level in dB here."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A spectrum beside its reference.

    Parameters
    ----------
    reference : str
        Name of the curve, or of the other master.
    thirds_hz : tuple of float
        Centres of third octaves.
    level_db, reference_db : tuple of float
        Per third octave, at the same mean level from 100 Hz to 10 kHz.
    bands : tuple of (str, float)
        Difference per band in dB: above 0 there is more than in the reference.
    """

    reference: str
    thirds_hz: tuple[float, ...]
    level_db: tuple[float, ...]
    reference_db: tuple[float, ...]
    bands: tuple[tuple[str, float], ...]

    @property
    def worst_band(self) -> tuple[str, float]:
        """The band that differs most."""
        return max(self.bands, key=lambda band: abs(band[1]))


def balance(spectrum: Spectrum, reference: str | Spectrum, *, name: str = "reference") -> Balance:
    """Return a spectrum beside a named curve or beside another master's spectrum."""
    row = spectrum.stereo
    level = third_octaves_db(spectrum, row)
    if isinstance(reference, str):
        name = reference
        density = np.power(10.0, curve_db(get_curve(reference).points, spectrum.frequencies_hz) / 10.0)
        density[spectrum.frequencies_hz < 10.0] = 0.0
        shape = Spectrum(spectrum.frequencies_hz, density, density, density, density)
    else:
        shape = reference
    wanted = third_octaves_db(shape, shape.stereo)
    top = min(float(spectrum.frequencies_hz[-1]), float(shape.frequencies_hz[-1]), 20_000.0)
    centres = np.array(THIRDS_HZ)
    inside = (centres >= ANCHOR_HZ[0]) & (centres <= min(ANCHOR_HZ[1], top))
    offset = float((wanted - level)[inside].mean())
    bands = tuple(
        (band, _band_db(centres, level + offset, low, high) - _band_db(centres, wanted, low, high))
        for band, (low, high) in BANDS_HZ.items()
        if low < 0.8 * top
    )
    kept = centres * 2.0 ** (1.0 / 6.0) <= top * 1.2
    return Balance(
        name,
        tuple(centres[kept].tolist()),
        tuple((level + offset)[kept].tolist()),
        tuple(wanted[kept].tolist()),
        bands,
    )


def _band_db(centres: Float64s, levels: Float64s, low_hz: float, high_hz: float) -> float:
    """Return the mean level in dB of the third octaves within a band."""
    inside = (centres >= low_hz) & (centres < high_hz)
    return float(levels[inside].mean()) if inside.any() else decibels(0.0)
