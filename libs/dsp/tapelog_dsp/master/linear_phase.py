"""Equalisers as FIR filters: the bands of `ParametricEq` without their phase, and free curves."""

import itertools
from dataclasses import dataclass
from typing import Final

from tapelog_parameters import PROCESSORS
from tapelog_parameters.sizes import CURVE_POINTS_MAX

from tapelog_dsp.checks import declared, default, one_of
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.master.fir import FirFilter
from tapelog_dsp.master.magnitude import (
    GRID,
    curve_magnitude,
    linear_phase,
    minimum_phase,
    sections_magnitude,
)
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.filters import Band, ParametricEq
from tapelog_dsp.processors.gain import Gain

PHASES: Final = ("linear", "minimum")


@dataclass(frozen=True, slots=True)
class LinearPhaseEq:
    """The bands of a parametric equaliser in linear phase: every frequency is late by the same time.

    Parameters
    ----------
    bands : tuple of Bell, LowShelf, HighShelf, Notch, HighPass or LowPass
        As for `ParametricEq`.
    length_ms : float
        Of the filter; half of it is latency and can ring before a transient. Bands at low frequencies and with high Q
        need the length: a bell at 60 Hz with Q 1 is within 0.05 dB at 170 ms.
    """

    bands: tuple[Band, ...] = ()
    length_ms: float = default("LinearPhaseEq", "length_ms")

    def __post_init__(self) -> None:
        ParametricEq(self.bands)
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running filter."""
        sections = ParametricEq(self.bands).sections(sample_rate)
        if not len(sections):
            return Gain().prepare(sample_rate, channels)
        taps = odd_taps(self.length_ms, sample_rate)
        return FirFilter(linear_phase(sections_magnitude(sections), taps), taps // 2, channels)


@dataclass(frozen=True, slots=True)
class CurveEq:
    """A free curve over frequency, as reference matching writes it.

    Parameters
    ----------
    points : tuple of (float, float)
        Hz, rising, and dB from -24 to 24; straight lines over log frequency between them, level beyond the ends.
    phase : {"minimum", "linear"}
        Minimum phase neither delays nor rings ahead.
    length_ms : float
        Of the filter.
    """

    points: tuple[tuple[float, float], ...]
    phase: str = "minimum"
    length_ms: float = default("CurveEq", "length_ms")

    def __post_init__(self) -> None:
        one_of(self, "phase", PHASES)
        declared(self)
        if not 2 <= len(self.points) <= CURVE_POINTS_MAX:
            raise ParameterError("CurveEq.points", f"{len(self.points)} points", f"2 to {CURVE_POINTS_MAX}")
        frequencies = [hz for hz, _ in self.points]
        if frequencies[0] <= 0.0 or any(a >= b for a, b in itertools.pairwise(frequencies)):
            raise ParameterError("CurveEq.points", tuple(frequencies), "rising frequencies above 0 Hz")
        for _, level in self.points:
            if not PROCESSORS["EqBand"]["gain_db"].allows(level):
                raise ParameterError("CurveEq.points", level, PROCESSORS["EqBand"]["gain_db"].range_text())

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running filter."""
        if all(level == 0.0 for _, level in self.points):
            return Gain().prepare(sample_rate, channels)
        taps = odd_taps(self.length_ms, sample_rate)
        magnitude = curve_magnitude(self.points, sample_rate)
        if self.phase == "linear":
            return FirFilter(linear_phase(magnitude, taps), taps // 2, channels)
        return FirFilter(minimum_phase(magnitude, taps), 0, channels)


def odd_taps(length_ms: float, sample_rate: int) -> int:
    """Return the number of taps: odd, and at most half the design grid, beyond which it would alias in time."""
    return min(2 * round(length_ms * sample_rate / 2000.0) + 1, GRID // 2 - 1)
