"""Third-octave bands, and a stream of audio cut into overlapping windows and their power spectra."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CENTRES_HZ: Final[tuple[float, ...]] = tuple(1000.0 * 2.0 ** (step / 3.0) for step in range(-15, 13))
"""31.25 Hz to 16 kHz: what every band figure of this package is taken at."""

BANDS: Final = len(CENTRES_HZ)
WINDOW_S: Final = 0.17
"""Of the spectra: narrow enough in frequency for third octaves of the bass."""

LOW_BANDS: Final = sum(centre < 130.0 for centre in CENTRES_HZ)
"""Bands that are bass: up to the one at 125 Hz."""


def band_edges(bins: int, sample_rate_hz: int) -> npt.NDArray[np.int64]:
    """Return the first bin of each band and the end of the last ``[BANDS + 1]``, for a spectrum of so many bins.

    A band too narrow for the spectrum, or above half the sample rate, is empty.
    """
    width_hz = sample_rate_hz / 2.0 / (bins - 1)
    edges_hz = [centre * 2.0 ** (-1.0 / 6.0) for centre in CENTRES_HZ] + [CENTRES_HZ[-1] * 2.0 ** (1.0 / 6.0)]
    return np.array([min(round(edge / width_hz), bins) for edge in edges_hz], dtype=np.int64)


def band_sums(power: Floats, sample_rate_hz: int) -> Floats:
    """Return the power in each band ``[windows, BANDS]`` of spectra ``[windows, bins]``."""
    edges = band_edges(power.shape[1], sample_rate_hz)
    sums = np.zeros((power.shape[0], BANDS))
    for band in range(BANDS):
        if edges[band] < edges[band + 1]:
            sums[:, band] = power[:, edges[band] : edges[band + 1]].sum(axis=1)
    return sums


def window_frames(sample_rate_hz: int, length_s: float) -> int:
    """Return the power of two that is nearest to a length."""
    return 1 << round(float(np.log2(sample_rate_hz * length_s)))


class Windows:
    """Hann windows that overlap by half, over blocks of any length.

    Parameters
    ----------
    channels : int
        Of the stream.
    frames : int
        Of a window; even.
    """

    def __init__(self, channels: int, frames: int) -> None:
        self.hop = frames // 2
        self._frames = frames
        self._window = np.hanning(frames + 1)[:-1]
        self._gain = 1.0 / float((self._window**2).sum() * frames)
        self._rest = np.zeros((channels, 0))

    def add(self, block: Floats) -> Iterator[Floats]:
        """Yield the windowed frames ``[windows, channels, frames]`` that a block ``[channels, frames]`` completes.

        At most 64 windows at a time, which bounds the memory.
        """
        joined = np.concatenate([self._rest, block], axis=1)
        count = max((joined.shape[1] - self._frames) // self.hop + 1, 0)
        if not count:
            self._rest = joined
            return
        views = np.lib.stride_tricks.sliding_window_view(joined, self._frames, axis=1)
        for first in range(0, count, 64):
            last = min(first + 64, count)
            chosen = views[:, first * self.hop : (last - 1) * self.hop + 1 : self.hop]
            yield np.ascontiguousarray(chosen.transpose(1, 0, 2)) * self._window
        self._rest = joined[:, count * self.hop :].copy()

    def flush(self) -> Iterator[Floats]:
        """Yield the last window, filled up with silence."""
        if self._rest.shape[1]:
            yield from self.add(np.zeros((self._rest.shape[0], self._frames - self._rest.shape[1])))

    def power(self, windows: Floats) -> npt.NDArray[np.complex128]:
        """Return the spectra of windowed frames, scaled so that their squares sum to the mean square of the signal."""
        spectra: npt.NDArray[np.complex128] = np.fft.rfft(windows, axis=-1) * np.sqrt(2.0 * self._gain)
        return spectra


class BandMeter:
    """Power in third octaves over time, and how it lies between left, right, mid and side.

    Parameters
    ----------
    sample_rate_hz, channels : int
        Of the stream; 1 or 2 channels.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._rate = sample_rate_hz
        self._channels = channels
        self._windows = Windows(channels, window_frames(sample_rate_hz, WINDOW_S))
        self._bands: list[Floats] = []
        self._fields = np.zeros((4, BANDS))

    @property
    def hop_s(self) -> float:
        """Seconds from one window to the next."""
        return self._windows.hop / self._rate

    def add(self, block: Floats) -> Iterator[Floats]:
        """Measure the next block; yield the power spectra ``[windows, bins]``, mean of the channels."""
        for windows in self._windows.add(block):
            yield self._measure(windows)

    def flush(self) -> Iterator[Floats]:
        """Measure the rest of the stream, as `add`."""
        for windows in self._windows.flush():
            yield self._measure(windows)

    def _measure(self, windows: Floats) -> Floats:
        spectra = self._windows.power(windows)
        power = spectra.real**2 + spectra.imag**2
        both: Floats = power.sum(axis=1) / self._channels
        self._bands.append(band_sums(both, self._rate))
        left, right = power[:, 0].sum(axis=0), power[:, -1].sum(axis=0)
        cross = (spectra[:, 0] * spectra[:, -1].conj()).real.sum(axis=0)
        mid, side = (left + right + 2.0 * cross) / 4.0, np.maximum(left + right - 2.0 * cross, 0.0) / 4.0
        self._fields += band_sums(np.stack([left, right, mid, side]), self._rate)
        return both

    def bands(self) -> Floats:
        """Return the power in each band over time ``[windows, BANDS]``, mean of the channels."""
        return np.concatenate(self._bands) if self._bands else np.zeros((0, BANDS))

    def balance_db(self) -> float:
        """Return left against right."""
        return ratio_db(self._fields[0], self._fields[1])

    def width_db(self, bands: slice = slice(None)) -> float:
        """Return side against mid, over all or over some bands."""
        return ratio_db(self._fields[3, bands], self._fields[2, bands])


def decibels(power: float, floor_db: float = -120.0) -> float:
    """Return a power in dB, at least the floor."""
    return max(10.0 * math.log10(power), floor_db) if power > 0.0 else floor_db


def ratio_db(one: Floats, other: Floats) -> float:
    """Return one sum of powers against another in dB, between -60 and 60."""
    return max(min(decibels(float(one.sum())) - decibels(float(other.sum())), 60.0), -60.0)
