"""Steady broadband noise: hiss, hum-free mains noise, preamplifier and tape noise.

Two steps. The first estimates the music's spectrum: log-spectral amplitude estimator with decision-directed SNR
(Ephraim and Malah, IEEE Trans. ASSP 33(2), 1985), its output smoothed over three moments and turned into a Wiener gain
(the two-step idea of Plapous, Marro and Scalart, IEEE Trans. ASLP 14(6), 2006), on 93 ms frames. The second takes the
result as the estimate of the music for an empirical Wiener filter on 46 ms frames, which leaves less smearing in time.
All channels share one gain, so the image stands still; length and alignment are exact.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.denoising import denoise_gain
from tapelog_dsp.repair.noise_profile import NoiseProfile, frame_length, measure
from tapelog_dsp.repair.report import Finding, RepairReport, confidence, untouched
from tapelog_dsp.repair.store import Store, as_store, difference, energy, mended, padded
from tapelog_dsp.repair.windows import hann
from tapelog_dsp.units import db_to_gain

FIRST_FRAME_S: Final = 0.0929
SECOND_FRAME_S: Final = 0.0464
OVERLAP: Final = 4
MEMORY: Final = 0.85
PRIOR_MIN: Final = 0.003
CHUNK_ROWS: Final = 256

HARD_GATE: Final = 0.4
PAUSE_GATE: Final = 0.03
SNR_GATE_DB: Final = 36.0  # cleaner than this there is more to lose than to win
QUIETEST_DBFS: Final = -75.0


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """How far noise is turned down.

    Parameters
    ----------
    floor_db : float
        Gain where there is only noise, -40 to -6 dB.
    """

    floor_db: float = default("NoiseSettings", "floor_db")

    def __post_init__(self) -> None:
        declared(self)


def detect(samples: Audio, sample_rate: int, settings: NoiseSettings | None = None) -> Finding:
    """Look for a steady noise floor.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : NoiseSettings, optional
        Not used by the detector.

    Returns
    -------
    Finding
        Evidence: ``hard_fraction`` of the spectrum, ``pause_fraction`` of the time, ``level_dbfs`` of the noise,
        ``snr_db``. ``detail`` is the profile.
    """
    del settings
    return look(as_store(samples, sample_rate), sample_rate)


def look(store: Store, sample_rate: int) -> Finding:
    """Look for a noise floor in a store; see `detect`."""
    power = energy(store) / max(store.channels * store.frames, 1)
    profile = measure(store, sample_rate) if power > 0.0 else None
    if profile is None or profile.level <= 0.0:
        return Finding("noise", present=False, confidence=0.0)
    level_dbfs = 10.0 * math.log10(profile.level)
    snr_db = 10.0 * math.log10(power / profile.level)
    evidence = {
        "hard_fraction": profile.hard_fraction,
        "pause_fraction": profile.pause_fraction,
        "level_dbfs": level_dbfs,
        "snr_db": snr_db,
    }
    steady = profile.hard_fraction >= HARD_GATE and profile.pause_fraction >= PAUSE_GATE
    present = steady and snr_db <= SNR_GATE_DB and level_dbfs >= QUIETEST_DBFS
    sure = min(confidence(profile.hard_fraction, HARD_GATE), confidence(profile.pause_fraction, PAUSE_GATE))
    sure = max(sure, 0.5) if present else min(sure, 0.49)
    return Finding("noise", present, sure, evidence, detail=profile)


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: NoiseSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Turn the noise that was found down, bin by bin.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : NoiseSettings, optional
        How far.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    acting = functools.partial(mend, settings=settings)
    return mended(samples, sample_rate, finding or detect(samples, sample_rate), acting)


def mend(
    store: Store, sample_rate: int, finding: Finding, *, settings: NoiseSettings | None = None
) -> tuple[Store, RepairReport]:
    """Turn the noise of a store down; see `repair`."""
    if not finding.present:
        return store, untouched(finding, "no steady noise floor worth lowering")
    profile: NoiseProfile = finding.detail
    gain_min = db_to_gain((settings or NoiseSettings()).floor_db)
    first = frame_length(sample_rate, FIRST_FRAME_S)
    estimate = _transform(store, store, first, _TwoStep(profile.at(first), gain_min))
    second = frame_length(sample_rate, SECOND_FRAME_S)
    noise = profile.at(second)

    def wiener(power: Float64s) -> Float64s:
        return np.maximum(power / (power + noise), gain_min)

    result = _transform(store, estimate, second, wiener)
    estimate.close()
    reason = f"noise of {finding.evidence['level_dbfs']:.1f} dBFS, {finding.evidence['snr_db']:.1f} dB under the music"
    return result, difference(store, result).report(finding, reason)


class _TwoStep:
    """Gains of the first step."""

    def __init__(self, noise: Float64s, gain_min: float) -> None:
        self._noise = noise
        self._gain_min = gain_min
        self._settings = np.array([MEMORY, PRIOR_MIN, gain_min])
        self._memory = np.ones(noise.size)

    def __call__(self, power: Float64s) -> Float64s:
        gains = denoise_gain(power, self._noise, self._memory, self._settings)
        cleaned = np.square(gains) * power
        # The edge rows have one neighbour: they are their own.
        padded = np.concatenate((cleaned[:1], cleaned, cleaned[-1:]))
        prior = (padded[:-2] + padded[1:-1] + padded[2:]) / 3.0 / self._noise
        return np.maximum(prior / (1.0 + prior), self._gain_min)


def _transform(store: Store, guide: Store, length: int, rule: Callable[[Float64s], Float64s]) -> Store:
    """Multiply the spectra of a store by gains made from the power spectra of ``guide``; overlap and add.

    Frames stand on a grid that starts one frame before sample 0, so that every sample is covered alike.
    """
    hop, window, result = length // OVERLAP, hann(length), store.new(store.channels)
    rows = (store.frames + length - 1) // hop + 1
    open_end = np.zeros((store.channels, length))
    for first in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - first)
        begun, frames = first * hop - length, (count - 1) * hop + length
        index = np.arange(count)[:, None] * hop + np.arange(length)
        power = np.zeros((count, length // 2 + 1))
        for channel in padded(guide, begun, begun + frames):
            spectra = np.fft.rfft(channel[index] * window, axis=1)
            power += np.square(spectra.real) + np.square(spectra.imag)
        gains = rule(power / store.channels)
        made = np.zeros((store.channels, count * hop + length))
        made[:, :length] = open_end
        for channel, out in zip(padded(store, begun, begun + frames), made, strict=True):
            spectra = np.fft.rfft(channel[index] * window, axis=1)
            # Parts apart: a complex product may be fused on some processors.
            spectra.real *= gains
            spectra.imag *= gains
            pieces = np.fft.irfft(spectra, length, axis=1) * window
            for row, piece in enumerate(pieces):
                out[row * hop : row * hop + length] += piece
        # Four copies of the squared window add up to 1.5. What later frames reach stays open.
        done = count * hop
        start, stop = max(begun, 0), min(begun + done, store.frames)
        if start < stop:
            result.write(start, made[:, start - begun : stop - begun] / 1.5)
        open_end = made[:, done : done + length].copy()
    return result
