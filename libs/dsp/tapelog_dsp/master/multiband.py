"""Multiband dynamics on Linkwitz-Riley crossovers that sum flat."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from tapelog_parameters.sizes import MULTIBAND_BANDS_MAX, MULTIBAND_BANDS_MIN

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.response import ringing_frames
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.multiband import BAND_FIGURES, multiband, multiband_memory
from tapelog_dsp.master.crossover import crossover_sections
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.compressor import one_pole
from tapelog_dsp.processors.moving import moved


@dataclass(frozen=True, slots=True)
class BandDynamics:
    """One band's compressor; its channels share one gain. Times are to 63.2 %.

    Parameters
    ----------
    threshold_db : float
        Level in dBFS, inside the band, above which its gain comes down.
    ratio : float
        Input dB per output dB above the threshold, from 1 to 100; 1 leaves the band as it is.
    attack_ms, release_ms : float
        Of the gain.
    knee_db : float
        Width of the soft knee.
    gain_db : float
        Of the band, after its curve.
    range_db : float
        The curve asks for no more reduction than this.
    mix : float
        Share of the compressed band.
    rms_ms : float
        0 detects peaks; above it the level is the root mean square over this time.
    """

    threshold_db: float = default("BandDynamics", "threshold_db")
    ratio: float = default("BandDynamics", "ratio")
    attack_ms: float = default("BandDynamics", "attack_ms")
    release_ms: float = default("BandDynamics", "release_ms")
    knee_db: float = default("BandDynamics", "knee_db")
    gain_db: float = default("BandDynamics", "gain_db")
    range_db: float = default("BandDynamics", "range_db")
    mix: float = default("BandDynamics", "mix")
    rms_ms: float = default("BandDynamics", "rms_ms")

    def __post_init__(self) -> None:
        declared(self)

    @property
    def neutral(self) -> bool:
        """Whether the band comes out as it went in, whatever its level."""
        return self.gain_db == 0.0 and (self.ratio == 1.0 or self.range_db == 0.0 or self.mix == 0.0)

    def settings(self, sample_rate: int) -> list[float]:
        """Return the settings in the kernel's order."""
        return [
            self.threshold_db,
            self.knee_db,
            1.0 - 1.0 / self.ratio,
            one_pole(self.attack_ms, sample_rate),
            one_pole(self.release_ms, sample_rate),
            self.gain_db,
            self.mix,
            one_pole(self.rms_ms, sample_rate) if self.rms_ms > 0.0 else 0.0,
            self.range_db,
        ]


@dataclass(frozen=True, slots=True)
class Multiband:
    """Two to five bands with a compressor each.

    The bands sum to an all-pass: flat within 1e-9 dB, turned in phase around the splits. Where every band is neutral
    nothing is split and the input comes out bit for bit.

    Parameters
    ----------
    splits_hz : tuple of float
        Rising crossover frequencies, one fewer than bands.
    bands : tuple of BandDynamics
        The lowest first.
    """

    splits_hz: tuple[float, ...] = (200.0, 3_000.0)
    bands: tuple[BandDynamics, ...] = field(default=(BandDynamics(), BandDynamics(), BandDynamics()))

    def __post_init__(self) -> None:
        if not MULTIBAND_BANDS_MIN <= len(self.bands) <= MULTIBAND_BANDS_MAX:
            raise ParameterError(
                "Multiband.bands", f"{len(self.bands)} bands", f"{MULTIBAND_BANDS_MIN} to {MULTIBAND_BANDS_MAX}"
            )
        if len(self.splits_hz) != len(self.bands) - 1:
            limit = f"one fewer than bands: {len(self.bands) - 1}"
            raise ParameterError("Multiband.splits_hz", f"{len(self.splits_hz)} splits", limit)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make running dynamics; raises `ParameterError` for splits that do not fit the sample rate."""
        sections = crossover_sections(self.splits_hz, sample_rate, owner="Multiband")
        if channels not in (1, 2):
            raise ParameterError("Multiband", f"{channels} channels", "used on one or two channels")
        return _RunningMultiband(self, sections, sample_rate)


def _band_of(name: str, count: int) -> tuple[int, str]:
    """Split ``bands.<place>.<setting>``."""
    word, _, rest = name.partition(".")
    place, _, setting = rest.partition(".")
    if word != "bands" or not place.isdecimal() or int(place) >= count:
        raise ParameterError(f"Multiband.{name}", "an automation", f"for bands.<0 to {count - 1}>.<setting>")
    return int(place), setting


class _RunningMultiband(Processor):
    def __init__(self, spec: Multiband, sections: Float64s, sample_rate: int) -> None:
        self._neutral = all(band.neutral for band in spec.bands)
        self._rate = sample_rate
        self._sections = sections
        self._start, self._end = list(spec.bands), list(spec.bands)
        self._course = Course(0.0, 0.0)
        self._settings = self._to = self._numbers(self._start)
        self._memory = multiband_memory(len(spec.bands))
        self._figures = np.zeros((len(spec.bands), BAND_FIGURES))
        self._frames = 0
        # Each way of a split passes two sections in series: twice the time of one.
        self._ringing_frames = 2 * ringing_frames(sections[:, 0])
        self.tail_frames = 0 if self._neutral else self._ringing_frames

    def _numbers(self, bands: list[BandDynamics]) -> Float64s:
        return np.array([band.settings(self._rate) for band in bands])

    def move(self, name: str, course: Course) -> None:
        """Let one setting of one band move; from now on the signal is split even where every band is neutral."""
        place, setting = _band_of(name, len(self._start))
        self._start[place], self._end[place] = moved(self._start[place], self._end[place], setting, course)
        self._course, self._neutral = course, False
        self.tail_frames = self._ringing_frames
        self._settings = self._to = self._numbers(self._start)
        if self._start != self._end:
            self._to = self._numbers(self._end)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        frames = samples.shape[1]
        self._frames += frames
        if self._neutral:
            return samples
        if self._to is self._settings:
            return multiband(self._sections, self._memory, self._settings, self._figures, samples)
        result = np.empty_like(samples)
        for n in range(frames):  # a band's gain moves frame by frame, or it would be heard
            way = (start_frame + n - self._course.first_frame) / self._course.frames
            settings = self._settings + (self._to - self._settings) * way
            part = np.ascontiguousarray(samples[:, n : n + 1])
            result[:, n : n + 1] = multiband(self._sections, self._memory, settings, self._figures, part)
        return result

    def reset(self) -> None:
        self._memory[:] = 0.0
        self._figures[:] = 0.0
        self._frames = 0

    def telemetry(self) -> Mapping[str, float]:
        """Return each band's largest and mean gain reduction in dB, positive."""
        figures = {}
        for index, band in enumerate(self._figures):
            figures[f"band_{index}_reduction_max_db"] = float(band[3])
            figures[f"band_{index}_reduction_mean_db"] = float(band[4]) / max(self._frames, 1)
        return figures
