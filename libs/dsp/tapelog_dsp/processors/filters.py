"""High-pass, low-pass and the parametric equaliser: fixed cascades of second-order sections."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, fits_rate
from tapelog_dsp.design.butterworth import butterworth, notch
from tapelog_dsp.design.matched import bell, high_shelf, low_shelf
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.lanes import SECTIONS
from tapelog_dsp.kernels.recursion import sos, sos_state
from tapelog_dsp.processors import movingeq
from tapelog_dsp.processors.base import LaneStage, Processor

BANDS_MAX: Final = 24
"""More bands than this are one curve that belongs into a linear-phase filter."""


@dataclass(frozen=True, slots=True)
class HighPass:
    """A Butterworth high-pass, -3.01 dB at its corner.

    Parameters
    ----------
    cutoff_hz : float
        From 10 Hz to below half the sample rate.
    slope_db_per_octave : int
        6 to 48 in steps of 6.
    """

    cutoff_hz: float
    slope_db_per_octave: int = 12

    def __post_init__(self) -> None:
        declared(self)

    def sections(self, sample_rate: int) -> Float64s:
        """Return its sections ``[sections, 5]``."""
        fits_rate(self, sample_rate)
        return butterworth(self.cutoff_hz, self.slope_db_per_octave, sample_rate, highpass=True)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running filter."""
        return SectionFilter(self.sections(sample_rate), channels)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running filter whose corner moves."""
        return movingeq.MovingEq((self,), sample_rate, channels, lambda name: (0, name))


@dataclass(frozen=True, slots=True)
class LowPass:
    """A Butterworth low-pass, -3.01 dB at its corner; the same settings as `HighPass`."""

    cutoff_hz: float
    slope_db_per_octave: int = 12

    def __post_init__(self) -> None:
        declared(self)

    def sections(self, sample_rate: int) -> Float64s:
        """Return its sections ``[sections, 5]``."""
        fits_rate(self, sample_rate)
        return butterworth(self.cutoff_hz, self.slope_db_per_octave, sample_rate, highpass=False)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running filter."""
        return SectionFilter(self.sections(sample_rate), channels)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running filter whose corner moves."""
        return movingeq.MovingEq((self,), sample_rate, channels, lambda name: (0, name))


@dataclass(frozen=True, slots=True)
class Bell:
    """A bell after the analog (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1), matched up to half the sample rate.

    Parameters
    ----------
    frequency_hz : float
        Centre, from 10 Hz to below half the sample rate.
    gain_db : float
        At the centre, from -24 to 24 dB.
    q : float
        From 0.1 to 40.
    """

    frequency_hz: float
    gain_db: float
    q: float = 1.0

    def __post_init__(self) -> None:
        declared(self, "EqBand")

    def sections(self, sample_rate: int) -> Float64s:
        """Return its one section."""
        fits_rate(self, sample_rate, "EqBand")
        return bell(self.frequency_hz, self.gain_db, self.q, sample_rate)


@dataclass(frozen=True, slots=True)
class LowShelf:
    """A Butterworth shelf below its corner, half its gain in dB at the corner.

    Parameters
    ----------
    frequency_hz : float
        Corner, from 10 Hz to below half the sample rate.
    gain_db : float
        Far below the corner, from -24 to 24 dB.
    """

    frequency_hz: float
    gain_db: float

    def __post_init__(self) -> None:
        declared(self, "EqBand")

    def sections(self, sample_rate: int) -> Float64s:
        """Return its one section."""
        fits_rate(self, sample_rate, "EqBand")
        return low_shelf(self.frequency_hz, self.gain_db, sample_rate)


@dataclass(frozen=True, slots=True)
class HighShelf:
    """A Butterworth shelf above its corner; the same settings as `LowShelf`."""

    frequency_hz: float
    gain_db: float

    def __post_init__(self) -> None:
        declared(self, "EqBand")

    def sections(self, sample_rate: int) -> Float64s:
        """Return its one section."""
        fits_rate(self, sample_rate, "EqBand")
        return high_shelf(self.frequency_hz, self.gain_db, sample_rate)


@dataclass(frozen=True, slots=True)
class Notch:
    """Takes one frequency out.

    Parameters
    ----------
    frequency_hz : float
        From 10 Hz to below half the sample rate.
    q : float
        Frequency divided by the width between the -3 dB points, from 0.1 to 200.
    """

    frequency_hz: float
    q: float = 10.0

    def __post_init__(self) -> None:
        declared(self)

    def sections(self, sample_rate: int) -> Float64s:
        """Return its one section."""
        fits_rate(self, sample_rate)
        return notch(self.frequency_hz, self.q, sample_rate)


@dataclass(frozen=True, slots=True)
class Tilt:
    """Turns the whole spectrum around one frequency: two shelves of half the gain each.

    Parameters
    ----------
    frequency_hz : float
        The pivot, where the level stays.
    gain_db : float
        How much more the top gets than the bottom, from -24 to 24 dB.
    """

    frequency_hz: float
    gain_db: float

    def __post_init__(self) -> None:
        declared(self, "EqBand")

    def sections(self, sample_rate: int) -> Float64s:
        """Return its two sections."""
        fits_rate(self, sample_rate, "EqBand")
        half = 0.5 * self.gain_db
        return np.concatenate(
            (low_shelf(self.frequency_hz, -half, sample_rate), high_shelf(self.frequency_hz, half, sample_rate))
        )


Band = Bell | LowShelf | HighShelf | Notch | Tilt | HighPass | LowPass


@dataclass(frozen=True, slots=True)
class ParametricEq:
    """Bands in series.

    Parameters
    ----------
    bands : tuple of Bell, LowShelf, HighShelf, Notch, Tilt, HighPass or LowPass
        At most 24.
    """

    bands: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        if len(self.bands) > BANDS_MAX:
            raise ParameterError("ParametricEq.bands", f"{len(self.bands)} bands", f"at most {BANDS_MAX}")

    def sections(self, sample_rate: int) -> Float64s:
        """Return all sections ``[sections, 5]``."""
        parts = [band.sections(sample_rate) for band in self.bands]
        return np.concatenate(parts) if parts else np.empty((0, 5))

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running equaliser."""
        return SectionFilter(self.sections(sample_rate), channels)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running equaliser whose bands move; their settings are called ``bands.<place>.<setting>``."""

        def place_of(name: str) -> tuple[int, str]:
            word, _, rest = name.partition(".")
            place, _, setting = rest.partition(".")
            if word != "bands" or not place.isdecimal():
                raise ParameterError(f"ParametricEq.{name}", "an automation", "for bands.<place>.<setting>")
            return int(place), setting

        return movingeq.MovingEq(self.bands, sample_rate, channels, place_of)


class SectionFilter(Processor):
    """A running cascade; sections that change nothing are left out.

    Parameters
    ----------
    sections : ndarray [shape=(sections, 5)]
        b0 b1 b2 a1 a2 of each.
    channels : int
        Of every block.
    """

    def __init__(self, sections: Float64s, channels: int) -> None:
        neutral = (sections == np.array([1.0, 0.0, 0.0, 0.0, 0.0])).all(axis=1)
        self._sections = np.ascontiguousarray(sections[~neutral])
        self._state = sos_state(len(self._sections), channels)
        self.tail_frames = ringing_frames(self._sections) if len(self._sections) else 0

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Filter one block."""
        del start_frame
        return sos(self._sections, self._state, samples) if len(self._sections) else samples

    def lane_stages(self) -> tuple[LaneStage, ...]:
        """Return the cascade, or nothing where it changes nothing."""
        return (LaneStage(SECTIONS, self._sections, self._state),) if len(self._sections) else ()

    def reset(self) -> None:
        """Empty the sections' memory."""
        self._state[:] = 0.0
