"""True peak by the ITU's own 48-tap filter, by the 49-tap one in wide use, and by a long 16-fold interpolation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.design.interpolators import (
    LONG_TAPS,
    OVERSAMPLING_FREE_RATE_HZ,
    long_lanes,
    search_bound,
    standard_lanes,
)
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.interpolation import search_peaks
from tapelog_dsp.kernels.metering import Peaks
from tapelog_dsp.units import gain_to_db

REACH_FRAMES: Final = LONG_TAPS - 1
"""How far the longest interpolator reaches back."""

_NAMES: Final = ("long", "itu48", "hann49")


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

    Only what could exceed the largest value so far is interpolated, which leaves the reading unchanged. `kept` is what
    the search goes on with.

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
        others = standard_lanes() if sample_rate < OVERSAMPLING_FREE_RATE_HZ else None
        most = np.zeros(len(_NAMES), dtype=np.float32)
        end = np.zeros((channels, REACH_FRAMES), dtype=np.float32)
        if before is not None:
            end = np.concatenate((end, before.astype(np.float32)), axis=1)[:, -REACH_FRAMES:].copy()
        self.kept = Peaks(end, long_lanes(), others, search_bound(), np.zeros(1), most)

    def state(self) -> "TruePeakState":
        """Return what another process needs to join this part to the one before it."""
        return TruePeakState(
            dict(zip(_NAMES, self.kept.most.tolist(), strict=True)), float(self.kept.peak[0]), self.kept.kept.copy()
        )

    def join(self, later: "TruePeakState") -> None:
        """Take in the state of the part that follows, measured with the end of this part as its `before`."""
        most = np.array([later.most[name] for name in _NAMES], dtype=np.float32)
        np.maximum(self.kept.most, most, out=self.kept.most)
        self.kept.peak[0] = max(float(self.kept.peak[0]), later.sample_peak)
        self.kept.kept[:] = later.kept

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        self._raise(samples, self.kept.kept, self.kept.most)

    def result(self) -> TruePeak:
        """Return the reading so far, as if silence followed; measuring can go on."""
        most = self.kept.most.copy()
        self._raise(np.zeros((len(self.kept.kept), REACH_FRAMES)), self.kept.kept.copy(), most)
        sample_peak = float(self.kept.peak[0])
        peaks = {name: max(value, sample_peak) for name, value in zip(_NAMES, most.tolist(), strict=True)}
        return TruePeak(
            max_dbtp=gain_to_db(max(peaks.values())),
            itu48_dbtp=gain_to_db(peaks["itu48"]),
            hann49_dbtp=gain_to_db(peaks["hann49"]),
            long_dbtp=gain_to_db(peaks["long"]),
            sample_peak_dbfs=gain_to_db(sample_peak),
        )

    def _raise(self, samples: Audio, kept: Float32s, most: Float32s) -> None:
        for channel, end in zip(samples, kept, strict=True):
            search_peaks(
                channel, end, self.kept.lanes, self.kept.others, self.kept.bound, peak=self.kept.peak, most=most
            )
