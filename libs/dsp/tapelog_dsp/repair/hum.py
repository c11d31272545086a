"""Mains hum with its harmonics: found by being there all the time, and subtracted, never notched.

Method: the first harmonic is searched from 45 to 65 Hz by a comb score on a spectrum that weights quiet moments most;
`tapelog_dsp.repair.hum_track` follows it. What is subtracted is a sum of sinusoids that were fitted by least squares,
so a bass note on the same frequency stays: it is not there in the pauses, the hum is.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels import mains
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.hum_track import HumTrack, block_frames, track
from tapelog_dsp.repair.report import Finding, RepairReport, confidence, untouched
from tapelog_dsp.repair.store import Store, as_store, blocks, difference, mended
from tapelog_dsp.repair.windows import block_power, hann, smooth

SEGMENT_S: Final = 20
"""A hum is followed in stretches of this length, each half overlapping the next; the grid starts at frame 0."""

TRACKS_KEPT: Final = 4
"""Stretches whose tracks are kept from looking to mending; those of longer recordings are followed again."""

MINIMUM_S: Final = 3.0
"""Shorter audio is not searched: a bass note could last as long."""

CENTRE_HZ: Final = 55.0  # demodulating here keeps 45 to 65 Hz within reach of every comb tooth
COMB_HARMONICS: Final = 12
STEP_HZ: Final = 0.01
STRONG_SNR: Final = 100.0  # 20 dB: a harmonic that is surely there
SUBTRACT_SNR: Final = 4.0  # 6 dB: below it the estimate may add more than it takes
STRONG_GATE: Final = 3  # harmonics
QUIET_PERIOD: Final = 0.25  # of the hum's power: a mains period with less cannot hold that hum
QUIET_PERIODS_MAX: Final = 0.005
QUIETEST_DBFS: Final = -75.0  # a hum below this is left alone: taking it out is not worth touching the audio


@dataclass(frozen=True, slots=True)
class HumSettings:
    """Where to look for hum.

    Parameters
    ----------
    lowest_hz, highest_hz : float
        Range of the first harmonic, within 45 to 65 Hz.
    harmonics : int
        How many are followed and subtracted, 1 to 40; those above 0.4 of the sample rate are left out.
    """

    lowest_hz: float = default("HumSettings", "lowest_hz")
    highest_hz: float = default("HumSettings", "highest_hz")
    harmonics: int = int(default("HumSettings", "harmonics"))

    def __post_init__(self) -> None:
        declared(self)
        if self.lowest_hz >= self.highest_hz:
            raise ParameterError("HumSettings.highest_hz", self.highest_hz, f"above lowest_hz, {self.lowest_hz:g} Hz")


def _segments(frames: int, sample_rate: int) -> list[tuple[int, int]]:
    half = SEGMENT_S * sample_rate // 2
    count = max(1, -(-frames // half) - 1)
    return [(k * half, frames if k == count - 1 else (k + 2) * half) for k in range(count)]


def _comb_score(samples: Audio, sample_rate: int, grid: Float64s) -> Float64s:
    """Return how far the teeth of each candidate stand over the spectrum around them, in nats, summed."""
    block = block_frames(sample_rate)
    turns = np.arange(samples.shape[1], dtype=np.float64) * (CENTRE_HZ / sample_rate)
    power = smooth(block_power(samples, block), 8)
    weights = 1.0 / (power + np.quantile(power, 0.02) + 1e-14)
    weights *= hann(weights.size) / weights.max()
    size = 1 << (4 * weights.size - 1).bit_length()
    step = sample_rate / block / size
    score = np.zeros(grid.size)
    for channel in samples:
        z = mains.demodulate(np.ascontiguousarray(channel), turns, harmonics=COMB_HARMONICS, block=block)
        for h in range(1, COMB_HARMONICS + 1):
            series = np.empty(weights.size, dtype=np.complex128)
            series.real, series.imag = z[:, h - 1, 0] * weights, z[:, h - 1, 1] * weights
            spectrum = np.fft.fft(series, size)
            levels = spectrum.real**2 + spectrum.imag**2
            reach = round(10 * h / step)
            around = np.median(np.concatenate((levels[: reach + 1], levels[-reach:])))
            teeth = np.round(h * (grid - CENTRE_HZ) / step).astype(np.int64)
            score += np.clip(np.log(levels[teeth] / (around + 1e-300) + 1e-30), 0.0, 8.0)
    return np.asarray(score / samples.shape[0])


def detect(samples: Audio, sample_rate: int, settings: HumSettings | None = None) -> Finding:
    """Look for hum.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : HumSettings, optional
        Where to look.

    Returns
    -------
    Finding
        Evidence: ``frequency_hz``, ``strong_harmonics`` (at least 20 dB over their uncertainty and in every window in
        which they could be seen), ``level_dbfs`` of the hum, ``quiet_periods``: share of the mains periods that hold
        less power than the hum alone would. ``detail`` says what was followed.
    """
    return look(as_store(samples, sample_rate), sample_rate, settings)


def look(store: Store, sample_rate: int, settings: HumSettings | None = None) -> Finding:
    """Look for hum in a store; see `detect`."""
    settings = settings or HumSettings()
    if store.frames < MINIMUM_S * sample_rate or not any(block.any() for _, block in blocks(store)):
        return Finding("hum", present=False, confidence=0.0)
    pieces = _segments(store.frames, sample_rate)
    grid = np.arange(settings.lowest_hz, settings.highest_hz + 0.5 * STEP_HZ, STEP_HZ)
    score = np.zeros(grid.size)
    for start, end in pieces:
        score += _comb_score(store.read(start, end), sample_rate, grid)
    frequency_hz = float(grid[int(np.argmax(score))])
    followed = _Followed(frequency_hz, min(settings.harmonics, int(0.4 * sample_rate / frequency_hz)))
    seen = []
    for start, end in pieces:
        piece = store.read(start, end)
        one = followed.track(piece, sample_rate)
        if len(pieces) <= TRACKS_KEPT:
            followed.kept.append(one)
        rate = (one.turns[-1] - one.turns[0]) / (one.turns.size - 1)
        seen.append((rate, float(_strong_harmonics(one)), _power(one), _quiet_periods(piece, one)))
    rates, strong, powers, quiet = zip(*seen, strict=True)
    evidence = {
        "frequency_hz": float(np.mean(rates) * sample_rate),
        "strong_harmonics": float(np.median(strong)),
        "comb_score": float(score.max() / len(pieces)),
        "level_dbfs": 10.0 * math.log10(float(np.mean(powers)) + 1e-20),
    }
    evidence["quiet_periods"] = float(np.mean(quiet))
    measure = float(np.median(strong))
    there = evidence["quiet_periods"] <= QUIET_PERIODS_MAX and evidence["level_dbfs"] >= QUIETEST_DBFS
    present = measure >= STRONG_GATE and there
    return Finding("hum", present, confidence(measure, STRONG_GATE), evidence, detail=followed)


@dataclass(frozen=True, slots=True)
class _Followed:
    """What was followed: the first harmonic's frequency, how many harmonics; the tracks where they are few."""

    frequency_hz: float
    harmonics: int
    kept: list[HumTrack] = field(default_factory=list)

    def track(self, piece: Audio, sample_rate: int) -> HumTrack:
        return track(piece, sample_rate, self.frequency_hz, self.harmonics)


def _snr(one: HumTrack) -> Float64s:
    return np.asarray(np.square(one.mean).sum(axis=2) / np.maximum(one.variance, 1e-300))


def _power(one: HumTrack) -> float:
    return float(np.where(_snr(one) > SUBTRACT_SNR, np.square(one.mean).sum(axis=2), 0.0).sum(axis=1).max() / 2.0)


def _quiet_periods(piece: Audio, one: HumTrack) -> float:
    """Return the share of mains periods without the hum: its power is the same in each, music can only add to it."""
    sure = _snr(one) > SUBTRACT_SNR
    power = np.where(sure, np.square(one.mean).sum(axis=2), 0.0).sum(axis=1) / 2.0
    loudest = int(np.argmax(power))
    period = max(1, round((one.turns.size - 1) / float(one.turns[-1] - one.turns[0])))
    levels = block_power(piece[loudest : loudest + 1], period)
    return float((levels < QUIET_PERIOD * power[loudest]).sum()) / levels.size


def _strong_harmonics(one: HumTrack) -> int:
    """Count, on the channel with most, the harmonics that are surely there and never missing."""
    strong = (_snr(one) > STRONG_SNR) & (one.absent == 0.0) & (one.reliable > 0.0)
    return int(strong.sum(axis=1).max())


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: HumSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Subtract the hum that was found; without one the same values come back.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : HumSettings, optional
        Where to look.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    return mended(samples, sample_rate, finding or detect(samples, sample_rate, settings), mend)


def mend(store: Store, sample_rate: int, finding: Finding) -> tuple[Store, RepairReport]:
    """Subtract the hum of a store; see `repair`."""
    if not finding.present:
        return store, untouched(finding, "no family of mains harmonics is there all the time")
    followed: _Followed = finding.detail
    result = store.new(store.channels)
    pieces = _segments(store.frames, sample_rate)
    before = np.zeros((store.channels, 0))
    for index, (start, end) in enumerate(pieces):
        piece = store.read(start, end)
        one = followed.kept[index] if followed.kept else followed.track(piece, sample_rate)
        fade = np.ones(end - start)
        if index:
            shared = pieces[index - 1][1] - start
            fade[:shared] = (np.arange(shared) + 0.5) / shared
        following = pieces[index + 1][0] if index + 1 < len(pieces) else end
        if following < end:
            shared = end - following
            fade[-shared:] = 1.0 - (np.arange(shared) + 0.5) / shared
        hum = np.stack([fade * _hum(one, channel) for channel in range(store.channels)])
        # What the stretch before said about the frames that both have.
        hum[:, : before.shape[1]] += before
        before = hum[:, following - start :].copy()
        result.write(start, piece[:, : following - start] - hum[:, : following - start])
    frequency_hz, level_dbfs = finding.evidence["frequency_hz"], finding.evidence["level_dbfs"]
    reason = f"hum at {frequency_hz:.3f} Hz and its harmonics, {level_dbfs:.1f} dBFS, subtracted"
    return result, difference(store, result).report(finding, reason)


def _hum(one: HumTrack, channel: int) -> Float64s:
    """Return one channel's hum over a stretch; harmonics that are not sure enough stay in the audio."""
    local = one.amplitudes[channel] * (_snr(one)[channel] > SUBTRACT_SNR)[:, None]
    frames = one.turns.size
    # A window's amplitude belongs to its centre, one hop after its start: knot 0 repeats the first window.
    knots = np.zeros((frames // one.hop + 2, *local.shape[1:]))
    index = np.clip(np.arange(knots.shape[0]) - 1, 0, local.shape[0] - 1)
    knots[:] = local[index]
    return mains.modulate(one.turns, knots, hop=one.hop)
