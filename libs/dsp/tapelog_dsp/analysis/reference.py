"""Reference matching by aspect: tone, dynamics, width and loudness, each on its own, of one or several references.

The result is settings that can be read and changed, never a black box: a curve, a compressor, a width, a target.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tapelog_dsp.analysis.bands import THIRDS_HZ, decibels, third_octaves_db
from tapelog_dsp.analysis.spectrum import Spectrum, SpectrumMeter
from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.checks import declared, default, one_of
from tapelog_dsp.errors import AudioError, ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.master.chain import run_aligned
from tapelog_dsp.master.linear_phase import PHASES, CurveEq
from tapelog_dsp.meters.levels import LevelMeter
from tapelog_dsp.meters.loudness import LoudnessMeter
from tapelog_dsp.processors.base import ProcessorSpec
from tapelog_dsp.processors.compressor import Compressor
from tapelog_dsp.processors.gain import Width

ASPECTS: Final = ("tone", "dynamics", "width", "loudness")
TONE_ANCHOR_HZ: Final = (100.0, 10_000.0)
TONE_FLOOR_DB: Final = -60.0
"""A third octave this far below a spectrum's loudest says nothing: the curve keeps its neighbour's value there."""

WIDTH_RANGE: Final = (0.25, 2.0)
WIDTH_FROM_HZ: Final = 150.0
"""Lows are near mono in every master and say nothing about width."""

RATIO: Final = 3.0
ATTACK_MS: Final = 1.0
LOOKAHEAD_MS: Final = 2.0
"""Fast enough to hold the peaks that PSR is made of; a slow attack would let them through and raise it."""

THRESHOLD_RANGE_DB: Final = (-30.0, 10.0)
"""Searched around the integrated loudness."""

DYNAMICS_PASSES: Final = 7
DYNAMICS_AIM_LU: Final = 0.2

BlockSource = Callable[[], Iterator[Audio]]


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What matching knows of a master.

    Parameters
    ----------
    spectrum : Spectrum
        Average power.
    integrated_lufs : float
        Loudness.
    psr_lu : float
        Median of the peak to short-term loudness; NaN below 3 s.
    side_to_mid_db : float
        Above 150 Hz; minus infinity for mono.
    """

    spectrum: Spectrum
    integrated_lufs: float
    psr_lu: float
    side_to_mid_db: float


class Profiler:
    """The profile of a stream.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        1 or 2.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._spectrum = SpectrumMeter(sample_rate, channels)
        self._loudness = LoudnessMeter(sample_rate, channels)
        self._levels = LevelMeter(sample_rate, channels)

    def add(self, samples: Audio) -> None:
        """Take the next block ``[channels, frames]``."""
        samples = valid_audio(samples, name="profiled block", channels=self._channels)
        self._spectrum.add(samples)
        self._loudness.add(samples)
        self._levels.add(samples)

    def result(self) -> Profile:
        """Return the profile so far; raises `AudioError` when nothing passes the absolute gate."""
        loudness = self._loudness.result()
        if loudness.integrated_lufs == -math.inf:
            raise AudioError("nothing in the recording is louder than the absolute gate of -70 LUFS")
        spectrum = self._spectrum.result()
        psr = self._levels.result().psr_lu(loudness.short_term_lufs)
        heard = np.sort(psr[np.isfinite(psr)])
        mid, side = (spectrum.power(row, WIDTH_FROM_HZ, 1e6) for row in (spectrum.mid, spectrum.side))
        return Profile(
            spectrum,
            loudness.integrated_lufs,
            float(heard[heard.size // 2]) if heard.size else math.nan,
            decibels(side) - decibels(mid) if side > 0.0 and mid > 0.0 else -math.inf,
        )


def profile(samples: Audio, sample_rate: int) -> Profile:
    """Return the profile of a whole recording ``[channels, frames]``."""
    profiling = Profiler(sample_rate, samples.shape[0])
    profiling.add(samples)
    return profiling.result()


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A master to be like.

    Parameters
    ----------
    profile : Profile
        Of it.
    weights : mapping of str to float
        Per aspect of `ASPECTS`, 0 or more; 1 where it is not named.
    """

    profile: Profile
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for aspect, weight in self.weights.items():
            if aspect not in ASPECTS or not 0.0 <= weight < math.inf:
                limit = f"0 or more for one of {', '.join(ASPECTS)}"
                raise ParameterError("Reference.weights", f"{aspect}: {weight}", limit)


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """How far to go.

    Parameters
    ----------
    aspects : tuple of str
        Of `ASPECTS`: what to match, each alone or together.
    max_gain_db : float
        The tone curve is kept within this, up and down.
    strength : float
        0 to 1: share of the tone and width difference that is made up for.
    phase : {"minimum", "linear"}
        Of the curve.
    """

    aspects: tuple[str, ...] = ASPECTS
    max_gain_db: float = default("MatchSettings", "max_gain_db")
    strength: float = default("MatchSettings", "strength")
    phase: str = "minimum"

    def __post_init__(self) -> None:
        if not self.aspects or set(self.aspects) - set(ASPECTS):
            raise ParameterError("MatchSettings.aspects", self.aspects, f"some of {', '.join(ASPECTS)}")
        declared(self)
        one_of(self, "phase", PHASES)


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What to do to a master so that it is like its references.

    Parameters
    ----------
    processors : tuple of ProcessorSpec
        In order: curve, compressor, width; what needs nothing is left out.
    target_lufs : float or None
        For the loudness solver, where loudness is matched.
    reasons : tuple of str
        One sentence per aspect: what was found, and what is done about it.
    """

    processors: tuple[ProcessorSpec, ...]
    target_lufs: float | None
    reasons: tuple[str, ...]


def match(
    source: BlockSource, sample_rate: int, references: Sequence[Reference], settings: MatchSettings | None = None
) -> Match:
    """Find the settings that bring a master close to its references.

    Parameters
    ----------
    source : callable
        Starts another pass over the master's blocks; dynamics need several.
    sample_rate : int
        Of the master, in Hz; references may have others.
    references : sequence of Reference
        One or more.
    settings : MatchSettings, optional
        How far to go.

    Raises
    ------
    ParameterError
        No reference, or none with a weight for an aspect.
    AudioError
        The master is empty or silent.
    """
    if not references:
        raise ParameterError("references", "none", "one or more")
    wanted = settings or MatchSettings()
    own = _profile_of(source(), sample_rate)
    processors: list[ProcessorSpec] = []
    reasons: list[str] = []
    if "tone" in wanted.aspects:
        curve, reason = _tone(own, references, wanted)
        processors += [curve] if curve is not None else []
        reasons.append(reason)
    if "dynamics" in wanted.aspects:
        compressor, reason = _dynamics(source, sample_rate, own, references, tuple(processors))
        processors += [compressor] if compressor is not None else []
        reasons.append(reason)
    if "width" in wanted.aspects:
        width, reason = _width(own, references, wanted)
        processors += [width] if width is not None else []
        reasons.append(reason)
    target: float | None = None
    if "loudness" in wanted.aspects:
        target = round(_mean(references, "loudness", lambda one: one.integrated_lufs), 2)
        reasons.append(f"loudness: {own.integrated_lufs:.1f} LUFS, the references have {target:.1f}")
    return Match(tuple(processors), target, tuple(reasons))


def _profile_of(blocks: Iterator[Audio], sample_rate: int) -> Profile:
    profiling: Profiler | None = None
    for block in blocks:
        profiling = profiling or Profiler(sample_rate, block.shape[0])
        profiling.add(block)
    if profiling is None:
        raise AudioError("the master's source gave no blocks")
    return profiling.result()


def _mean(references: Sequence[Reference], aspect: str, value: Callable[[Profile], float]) -> float:
    """Return the weighted mean over the references that have the value."""
    pairs = [(value(one.profile), one.weights.get(aspect, 1.0)) for one in references]
    pairs = [(number, weight) for number, weight in pairs if math.isfinite(number)]
    total = sum(weight for _, weight in pairs)
    if total <= 0.0:
        raise ParameterError("references", f"no weight for {aspect}", "a reference with a weight above 0")
    return sum(number * weight for number, weight in pairs) / total


def _tone_shape(spectrum: Spectrum) -> Float64s:
    """Return third octaves in dB around their mean from 100 Hz to 10 kHz; NaN where there is nothing to hear."""
    levels = third_octaves_db(spectrum, spectrum.stereo)
    centres = np.array(THIRDS_HZ)
    levels[levels < levels.max() + TONE_FLOOR_DB] = np.nan
    levels[centres * 2.0 ** (1.0 / 6.0) > float(spectrum.frequencies_hz[-1])] = np.nan
    inside = (centres >= TONE_ANCHOR_HZ[0]) & (centres <= TONE_ANCHOR_HZ[1]) & np.isfinite(levels)
    shape: Float64s = levels - (float(levels[inside].mean()) if inside.any() else 0.0)
    return shape


def _tone(own: Profile, references: Sequence[Reference], wanted: MatchSettings) -> tuple[CurveEq | None, str]:
    shapes = [(_tone_shape(one.profile.spectrum), one.weights.get("tone", 1.0)) for one in references]
    if sum(weight for _, weight in shapes) <= 0.0:
        raise ParameterError("references", "no weight for tone", "a reference with a weight above 0")
    weights = np.array([[weight] for _, weight in shapes]) * np.isfinite([shape for shape, _ in shapes])
    total = weights.sum(axis=0)
    weighted = (np.nan_to_num([shape for shape, _ in shapes]) * weights).sum(axis=0)
    target = weighted / np.where(total > 0.0, total, np.nan)
    difference = wanted.strength * (target - _tone_shape(own.spectrum))
    known = np.isfinite(difference)
    if not known.any():
        return None, "tone: nothing in common with the references"
    filled = np.interp(np.arange(difference.size), np.flatnonzero(known), difference[known])
    smooth = np.convolve(np.pad(filled, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    curve = np.clip(smooth, -wanted.max_gain_db, wanted.max_gain_db)
    if np.abs(curve).max() < 0.1:
        return None, "tone: within 0.1 dB of the references already"
    points = tuple(
        (round(hz, 2), round(level, 2))
        for hz, level in zip(THIRDS_HZ, curve.tolist(), strict=True)
        if hz < 0.95 * float(own.spectrum.frequencies_hz[-1])
    )
    most = max(points, key=lambda point: abs(point[1]))
    held = f"; held at {wanted.max_gain_db:g} dB" if np.abs(smooth).max() > wanted.max_gain_db else ""
    return CurveEq(points, wanted.phase), f"tone: up to {most[1]:+.1f} dB, at {most[0]:.0f} Hz{held}"


def _width(own: Profile, references: Sequence[Reference], wanted: MatchSettings) -> tuple[Width | None, str]:
    if own.side_to_mid_db == -math.inf:
        return None, "width: the master is mono"
    if all(one.profile.side_to_mid_db == -math.inf for one in references):
        return None, "width: the references are mono"
    target = _mean(references, "width", lambda one: one.side_to_mid_db)
    change = wanted.strength * (target - own.side_to_mid_db)
    width = round(min(max(10.0 ** (change / 20.0), WIDTH_RANGE[0]), WIDTH_RANGE[1]), 3)
    reason = f"width: sides {own.side_to_mid_db:.1f} dB against the middle, the references have {target:.1f}"
    return (None if abs(change) < 0.2 else Width(width)), reason


def _dynamics(
    source: BlockSource, sample_rate: int, own: Profile, references: Sequence[Reference],
    before: tuple[ProcessorSpec, ...],
) -> tuple[Compressor | None, str]:  # fmt: skip
    if math.isnan(own.psr_lu):
        return None, "dynamics: too short to be measured"
    target = _mean(references, "dynamics", lambda one: one.psr_lu)
    found = f"dynamics: PSR {own.psr_lu:.1f} LU, the references have {target:.1f}"
    if own.psr_lu <= target + DYNAMICS_AIM_LU:
        return None, f"{found}; what is dense already is not made more dynamic"
    low, high = (own.integrated_lufs + edge for edge in THRESHOLD_RANGE_DB)
    low, high = max(low, -80.0), min(high, 0.0)
    best: tuple[float, Compressor] | None = None
    for _ in range(DYNAMICS_PASSES):
        threshold = round(0.5 * (low + high), 2)
        compressor = Compressor(threshold, RATIO, ATTACK_MS, release_ms=120.0, knee_db=6.0, lookahead_ms=LOOKAHEAD_MS)
        psr = _profile_through(source, sample_rate, (*before, compressor)).psr_lu
        if best is None or abs(psr - target) < best[0]:
            best = (abs(psr - target), compressor)
        if abs(psr - target) <= DYNAMICS_AIM_LU:
            break
        low, high = (threshold, high) if psr < target else (low, threshold)
    assert best is not None  # noqa: S101  # there is at least one pass
    return best[1], f"{found}; compressed {RATIO:g}:1 above {best[1].threshold_db:.1f} dBFS, {best[0]:.1f} LU are left"


def _profile_through(source: BlockSource, sample_rate: int, specs: tuple[ProcessorSpec, ...]) -> Profile:
    def blocks() -> Iterator[Audio]:
        stream = source()
        first = next(stream)
        chained: Iterator[Audio] = _with_first(first, stream)
        for spec in specs:
            chained = run_aligned(spec.prepare(sample_rate, first.shape[0]), chained)
        yield from chained

    return _profile_of(blocks(), sample_rate)


def _with_first(first: Audio, rest: Iterator[Audio]) -> Iterator[Audio]:
    yield first
    yield from rest
