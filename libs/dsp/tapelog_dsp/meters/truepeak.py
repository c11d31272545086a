"""True peak by the ITU's own 48-tap filter, by the 49-tap one in wide use, and by a long 16-fold interpolation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.design.interpolators import (
    LONG_TAPS,
    OVERSAMPLING_FREE_RATE_HZ,
    Interpolator,
    hann49,
    itu48,
    long128,
)
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.console import magnitude
from tapelog_dsp.kernels.interpolation import interpolated_maximum
from tapelog_dsp.units import gain_to_db

REACH_FRAMES: Final = LONG_TAPS - 1
"""How far the longest interpolator reaches back."""


@dataclass(frozen=True, slots=True)
class TruePeak:
    """What the meter read, in dB relative to full scale; minus infinity for digital silence.

    Parameters
    ----------
    max_dbtp : float
        The largest of all readings: what is held against a ceiling.
    itu48_dbtp, hann49_dbtp, long_dbtp : float
        By each interpolator, sample peaks included.
    sample_peak_dbfs : float
        The largest sample.
    """

    max_dbtp: float
    itu48_dbtp: float
    hann49_dbtp: float
    long_dbtp: float
    sample_peak_dbfs: float


@dataclass(frozen=True, slots=True, eq=False)
class TruePeakState:
    """A measured part of a programme, for joining.

    Parameters
    ----------
    most : mapping of str to float
        The largest value of each interpolator.
    sample_peak : float
        The largest sample.
    kept : ndarray [shape=(channels, REACH_FRAMES)]
        The part's end, which the next samples are interpolated with.
    """

    most: Mapping[str, float]
    sample_peak: float
    kept: Float32s


class TruePeakMeter:
    """A streaming meter; blocks of any length give the same reading.

    Only stretches that could exceed the largest value so far are interpolated, which leaves the reading unchanged.

    Parameters
    ----------
    sample_rate : int
        In Hz; from 192 kHz on the standard filters read the samples themselves.
    channels : int
        Of every block.
    before : ndarray [shape=(channels, frames)], optional
        What comes right before this meter's part of a programme; at least `REACH_FRAMES` of it unless there is less.
    """

    def __init__(self, sample_rate: int, channels: int, *, before: Audio | None = None) -> None:
        valid_sample_rate(sample_rate)
        standard = sample_rate < OVERSAMPLING_FREE_RATE_HZ
        self._tables: dict[str, Interpolator | None] = {
            "itu48": itu48() if standard else None,
            "hann49": hann49() if standard else None,
            "long": long128(),
        }
        self._reach = long128().count - 1
        self._kept = np.zeros((channels, self._reach), dtype=np.float32)
        self._most = dict.fromkeys(self._tables, 0.0)
        self._sample_peak = 0.0
        if before is not None:
            joined = np.concatenate((self._kept, before.astype(np.float32)), axis=1)
            self._kept = joined[:, joined.shape[1] - self._reach :].copy()

    def state(self) -> "TruePeakState":
        """Return what another process needs to join this part to the one before it."""
        return TruePeakState(dict(self._most), self._sample_peak, self._kept.copy())

    def join(self, later: "TruePeakState") -> None:
        """Take in the state of the part that follows, measured with the end of this part as its `before`."""
        self._most = {name: max(value, later.most[name]) for name, value in self._most.items()}
        self._sample_peak = max(self._sample_peak, later.sample_peak)
        self._kept = later.kept.copy()

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        joined = np.concatenate((self._kept, samples.astype(np.float32)), axis=1)
        self._kept = joined[:, joined.shape[1] - self._reach :].copy()
        self._sample_peak = max(self._sample_peak, magnitude(samples))
        self._raise(joined, self._most)

    def result(self) -> TruePeak:
        """Return the reading so far, as if silence followed; measuring can go on."""
        most = dict(self._most)
        ending = np.zeros((self._kept.shape[0], 2 * self._reach), dtype=np.float32)
        ending[:, : self._reach] = self._kept
        self._raise(ending, most)
        peaks = {name: max(value, self._sample_peak) for name, value in most.items()}
        return TruePeak(
            max_dbtp=gain_to_db(max(peaks.values())),
            itu48_dbtp=gain_to_db(peaks["itu48"]),
            hann49_dbtp=gain_to_db(peaks["hann49"]),
            long_dbtp=gain_to_db(peaks["long"]),
            sample_peak_dbfs=gain_to_db(self._sample_peak),
        )

    def _raise(self, joined: Float32s, most: dict[str, float]) -> None:
        for name, table in self._tables.items():
            if table is None:
                continue
            first = self._reach - (table.count - 1)
            for channel in joined:
                most[name] = interpolated_maximum(channel[first:], table.taps, table.gain_sum, most[name])
