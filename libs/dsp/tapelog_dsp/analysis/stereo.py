"""What is left of a stereo master in mono, band by band."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.analysis.bands import BANDS_HZ, VOICE_HZ, decibels, k_power
from tapelog_dsp.analysis.spectrum import Spectrum

BAND_FLOOR_DB = -45.0
"""A band this far below the whole is not part of the balance and is not judged."""


@dataclass(frozen=True, slots=True)
class BandFold:
    """One band in mono.

    Parameters
    ----------
    name : str
        Of `BANDS_HZ`.
    low_hz, high_hz : float
        Its edges.
    level_db : float
        Its stereo power against that of the whole.
    lost_db : float
        How much softer it is in mono: 0 for equal channels, 3 for unrelated ones, more where they cancel.
    """

    name: str
    low_hz: float
    high_hz: float
    level_db: float
    lost_db: float


@dataclass(frozen=True, slots=True)
class MonoFold:
    """A master's mono fold-down.

    Parameters
    ----------
    bands : tuple of BandFold
        The lowest first.
    loudness_lost_lu : float
        K-weighted, both played at the same gain per loudspeaker.
    voice_lost_db : float
        From 1 to 4 kHz.
    """

    bands: tuple[BandFold, ...]
    loudness_lost_lu: float
    voice_lost_db: float

    @property
    def worst_band(self) -> BandFold:
        """The band that loses most, of those that are part of the balance."""
        heard = [band for band in self.bands if band.level_db > BAND_FLOOR_DB]
        return max(heard or self.bands, key=lambda band: band.lost_db)


def mono_fold(spectrum: Spectrum, sample_rate: int) -> MonoFold:
    """Return what mono leaves of a master, from its average spectrum."""
    stereo, mid = spectrum.stereo, spectrum.mid
    whole = float(stereo.sum())

    def lost(low_hz: float, high_hz: float) -> float:
        return decibels(spectrum.power(stereo, low_hz, high_hz)) - decibels(spectrum.power(mid, low_hz, high_hz))

    bands = tuple(
        BandFold(
            name, low, high, decibels(spectrum.power(stereo, low, high)) - decibels(whole), max(lost(low, high), 0.0)
        )
        for name, (low, high) in BANDS_HZ.items()
        if high <= 0.5 * sample_rate or low < 0.4 * sample_rate
    )
    weights = k_power(spectrum.frequencies_hz, sample_rate)
    loudness = decibels(float(np.dot(weights, stereo))) - decibels(float(np.dot(weights, mid)))
    return MonoFold(bands, max(loudness, 0.0), max(lost(*VOICE_HZ), 0.0))
