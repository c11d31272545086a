"""The spectrum of a steady noise under music, and how sure it is that there is one.

A steady noise gives every frequency a floor: however often one looks, the quiet moments have the same level there. In
music each looks different. So the measure is, per frequency, how close the lowest tenth of all moments comes to the
lowest thirtieth: within 1.8 dB the floor is hard. A note that is held all the time has a hard floor too, but a calm
one: noise throws its dice anew every moment. So on the floor the power has to change from moment to moment by as much
as its own mean (von Neumann's ratio; 1 for Gaussian noise, 0 for a steady tone). And noise is smooth from bin to bin,
while the floor under a chord that never stops has peaks.
"""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_dsp.audio import Audio
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.store import Store
from tapelog_dsp.repair.windows import hann, smooth

FRAME_S: Final = 0.0464
SMOOTH_FRAMES: Final = 2  # to each side, as with the bins
HARD_RATIO: Final = 1.51  # 1.8 dB between the 3 % and the 10 % quantile
RESTLESS: Final = 0.7
ROUGH_RATIO: Final = 1.6  # a bin over the median around it, or under it
ROUGH_SHARE: Final = 0.25  # of the bins around: above it none of them is trusted
ROUGH_FROM_BIN: Final = 8  # below it the floor of rumble and hum is steep by nature
QUANTILES: Final = (0.03, 0.10)
QUANTILE_BIAS: Final = 1.3  # mean of smoothed noise over its 10 % quantile, 5 x 5 cells
BAND_EDGES_HZ: Final = (100.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 15_500.0)  # lossy formats cut above
STRETCH_S: Final = 10
SAMPLED_S: Final = 60
SHORT_STRETCH_S: Final = 2
"""Longer recordings are sampled evenly, a minute of them in stretches of 2 s: 23 MB of spectra per channel."""

ROWS_MIN: Final = 40


@dataclass(frozen=True, slots=True)
class NoiseProfile:
    """A noise floor.

    Parameters
    ----------
    power : ndarray [shape=(bins,)]
        Mean of |X|^2 per bin of a Hann-windowed DFT of ``length`` samples, mean over channels.
    length : int
        Length of that DFT.
    hard_fraction : float
        Share of the spectrum whose floor is hard: mean of the shares of the bands between `BAND_EDGES_HZ`.
    pause_fraction : float
        Share of the moments in which nine tenths of the spectrum lie on the floor at once.
    level : float
        Mean square of the noise, from the hard bins alone.
    """

    power: Float64s
    length: int
    hard_fraction: float
    pause_fraction: float
    level: float

    def at(self, length: int) -> Float64s:
        """Return the profile for a DFT of another length."""
        here = np.arange(length // 2 + 1) / length
        there = np.arange(self.power.size) / self.length
        return np.asarray(np.interp(here, there, self.power) * (length / self.length))


def frame_length(sample_rate: int, seconds: float) -> int:
    """Return the power of two nearest to a time."""
    length = 64
    while length * 1.5 < seconds * sample_rate:
        length *= 2
    return length


def power_spectra(samples: Audio, length: int, hop: int) -> Float64s:
    """Return ``[channels, rows, bins]``: |X|^2 of Hann-windowed frames."""
    rows = max(0, (samples.shape[1] - length) // hop + 1)
    index = np.arange(rows)[:, None] * hop + np.arange(length)
    spectra = np.fft.rfft(samples[:, index] * hann(length), axis=2)
    return np.asarray(np.square(spectra.real) + np.square(spectra.imag))


def _box(values: Float64s, radius: int, axis: int) -> Float64s:
    """Return the mean over 2 radius + 1 neighbours along an axis, without the ends that have fewer."""
    size = 2 * radius + 1
    count = values.shape[axis] - 2 * radius
    moved = np.moveaxis(values, axis, 0)
    total = moved[:count].copy()
    for d in range(1, size):
        total += moved[d : d + count]
    return np.asarray(np.moveaxis(total / size, 0, axis))


def _spectra_of_stretches(store: Store, sample_rate: int, length: int) -> Float64s:
    long = store.frames > SAMPLED_S * sample_rate
    stretch = (SHORT_STRETCH_S if long else STRETCH_S) * sample_rate
    count = -(-store.frames // stretch)
    most = SAMPLED_S // SHORT_STRETCH_S
    chosen = (k * count // most for k in range(most)) if long else range(count)
    parts = (store.read(k * stretch, min((k + 1) * stretch, store.frames)) for k in chosen)
    spectra = [power_spectra(part, length, length // 2) for part in parts]
    together = np.concatenate(spectra, axis=1)
    # Digital silence is an edit, not a floor.
    return np.asarray(together[:, together.sum(axis=(0, 2)) > length * 1e-11])


def _restlessness(power: Float64s, quiet: npt.NDArray[np.bool_]) -> Float64s:
    """Return per bin how much the power on the floor changes from moment to moment, over its mean, squared."""
    both = quiet[1:] & quiet[:-1]
    count = np.maximum(both.sum(axis=0), 1)
    total, weight = np.zeros(power.shape[2]), np.zeros(power.shape[2])
    for channel in power:
        mean = (channel * quiet).sum(axis=0) / np.maximum(quiet.sum(axis=0), 1)
        steps = (np.square(np.diff(channel, axis=0)) * both).sum(axis=0) / count
        # Louder channels count more, a silent one not at all.
        total += mean * steps / (2.0 * np.square(mean) + 1e-300)
        weight += mean
    return total / (weight + 1e-300)


def _rough(floor: Float64s) -> npt.NDArray[np.bool_]:
    """Tell per bin whether the floor around it has peaks."""
    padded = np.pad(floor, 8, mode="edge")
    around = np.median(np.stack([padded[d : d + floor.size] for d in range(17)]), axis=0)
    odd = (floor > ROUGH_RATIO * around) | (floor * ROUGH_RATIO < around)
    odd[:ROUGH_FROM_BIN] = False
    return np.asarray(smooth(odd.astype(np.float64), 12) > ROUGH_SHARE)


def measure(store: Store, sample_rate: int) -> NoiseProfile | None:
    """Measure the noise floor; None when there is too little audio to tell."""
    length = frame_length(sample_rate, FRAME_S)
    apart = _spectra_of_stretches(store, sample_rate, length)
    if apart.shape[1] < ROWS_MIN:
        return None
    power = apart.sum(axis=0) / apart.shape[0]
    padded = np.pad(power, ((0, 0), (SMOOTH_FRAMES, SMOOTH_FRAMES)), mode="edge")
    cells = _box(_box(padded, SMOOTH_FRAMES, 1), SMOOTH_FRAMES, 0)
    low, tenth = np.quantile(cells, QUANTILES, axis=0)
    hard = tenth < HARD_RATIO * low
    floor = QUANTILE_BIAS * tenth + 1e-20
    inner = power[SMOOTH_FRAMES:-SMOOTH_FRAMES]
    for _ in range(3):
        quiet = cells < 2.0 * floor
        floor = (inner * quiet).sum(axis=0) / np.maximum(quiet.sum(axis=0), 1) + 1e-20
    hard &= _restlessness(apart[:, SMOOTH_FRAMES:-SMOOTH_FRAMES], quiet) >= RESTLESS
    hard &= ~_rough(floor)
    frequency = np.arange(floor.size) * (sample_rate / length)
    bands = [
        (frequency >= low) & (frequency < high)
        for low, high in itertools.pairwise(BAND_EDGES_HZ)
        if high <= 0.36 * sample_rate
    ]
    band = np.logical_or.reduce(bands)
    pauses = (cells[:, band] < 2.0 * floor[band]).sum(axis=1) > 0.9 * band.sum()
    # Mean square of the noise: 2 / (N sum w^2) over the positive frequencies, and sum w^2 = 3 N / 8.
    level = float(floor[hard & band].sum()) * 2.0 / (length * 0.375 * length)
    return NoiseProfile(
        power=_enveloped(floor, hard),
        length=length,
        hard_fraction=float(np.mean([hard[one].mean() for one in bands])),
        pause_fraction=float(pauses.mean()),
        level=level,
    )


def _enveloped(floor: Float64s, hard: Float64s) -> Float64s:
    """Hold the floor of each bin to that of the hard bins around it: a held note must not count as noise."""
    bins = np.flatnonzero(hard)
    if bins.size < 9:
        return floor
    result = floor.copy()
    for b in range(floor.size):
        reach = max(12, b * 3 // 20)
        first, last = np.searchsorted(bins, (b - reach, b + reach + 1))
        if last - first < 5:
            centre = int(np.searchsorted(bins, b))
            first, last = max(0, min(centre - 4, bins.size - 9)), max(9, min(centre + 5, bins.size))
        result[b] = min(floor[b], 1.28 * float(np.median(floor[bins[first:last]])))
    return result
