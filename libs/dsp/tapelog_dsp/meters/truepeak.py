"""True peak by the ITU's own 48-tap filter, by the 49-tap one in wide use, and by a long 16-fold interpolation."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.design.interpolators import OVERSAMPLING_FREE_RATE_HZ, Interpolator, hann49, itu48, long128
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.interpolation import interpolated_maximum
from tapelog_dsp.units import gain_to_db


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


class TruePeakMeter:
    """A streaming meter; blocks of any length give the same reading.

    Only stretches that could exceed the largest value so far are interpolated, which leaves the reading unchanged.

    Parameters
    ----------
    sample_rate : int
        In Hz; from 192 kHz on the standard filters read the samples themselves.
    channels : int
        Of every block.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
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

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        joined = np.concatenate((self._kept, samples.astype(np.float32)), axis=1)
        self._kept = joined[:, joined.shape[1] - self._reach :].copy()
        self._sample_peak = max(self._sample_peak, float(np.abs(samples).max(initial=0.0)))
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
