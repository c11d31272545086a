"""Level, crest, DC, noise floor, stereo correlation and short-term peaks: sums over steps of 100 ms."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.design.interpolators import OVERSAMPLING_FREE_RATE_HZ, itu48
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.interpolation import interpolated_maximum

STEPS_PER_S: Final = 10
CORRELATION_STEPS: Final = 4
"""Correlation is taken over windows of 400 ms: short enough to find a passage that cancels."""

PEAK_STEPS: Final = 30
"""PSR holds the true peak of 3 s against their loudness."""

FLOOR_STEPS: Final = 4
SILENCE_DBFS: Final = -90.0
"""Windows below this are silence and say nothing about correlation."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """What the meter read.

    Parameters
    ----------
    rms_dbfs, peak_dbfs : float
        Over all channels: root mean square (a full-scale square wave is 0) and largest sample.
    crest_db : float
        Peak minus root mean square.
    dc : tuple of float
        Mean of each channel.
    noise_floor_dbfs : float
        Root mean square of the quietest 400 ms that are not digital silence; minus infinity when all are.
    correlation : float
        Of left and right over the whole, -1 to 1; 1 for mono.
    correlation_series : ndarray [shape=(steps,)]
        Over windows of 400 ms every 100 ms; NaN where it is silent. Empty for mono.
    correlation_p5 : float
        Its 5th percentile: how bad the worst moments are.
    side_to_mid_db, balance_db : float
        Level of the sides against the middle, and of left against right; 0 and minus infinity for mono.
    peaks : ndarray [shape=(steps,)]
        True peak (ITU 48-tap) of every 100 ms, linear.
    """

    rms_dbfs: float
    peak_dbfs: float
    crest_db: float
    dc: tuple[float, ...]
    noise_floor_dbfs: float
    correlation: float
    correlation_series: Float64s
    correlation_p5: float
    side_to_mid_db: float
    balance_db: float
    peaks: Float64s

    def psr_lu(self, short_term_lufs: Float64s) -> Float64s:
        """Return PSR every 100 ms: true peak of 3 s minus their loudness; NaN where that is below -70 LUFS.

        Parameters
        ----------
        short_term_lufs : ndarray [shape=(steps,)]
            S every 100 ms as `Loudness` has it.
        """
        count = min(short_term_lufs.size, max(self.peaks.size - PEAK_STEPS + 1, 0))
        highest = np.zeros(count)
        for offset in range(PEAK_STEPS):
            np.maximum(highest, self.peaks[offset : offset + count], out=highest)
        loudness = short_term_lufs[:count]
        heard = (loudness >= -70.0) & (highest > 0.0)
        result = np.full(count, np.nan)
        result[heard] = 20.0 * np.log10(highest[heard]) - loudness[heard]
        return result


@dataclass(frozen=True, slots=True, eq=False)
class LevelState:
    """A measured part of a programme, for joining.

    Parameters
    ----------
    sample_rate, channels : int
        Of the programme.
    first_frame, end_frame : int
        Where the part begins and ends.
    rows : tuple of tuple of float
        Sums and peaks of every finished step.
    kept : ndarray [shape=(channels, 11)], open_step : tuple of ndarray
        The end that the next samples are interpolated with, and the unfinished step.
    """

    sample_rate: int
    channels: int
    first_frame: int
    end_frame: int
    rows: tuple[tuple[float, ...], ...]
    kept: Audio
    open_step: tuple[Audio, ...]


class LevelMeter:
    """A streaming meter; blocks of any length give the same reading.

    It keeps 8 numbers per 100 ms of stereo (2.3 MB per hour).

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        Of every block; correlation is taken of the first two.
    first_frame : int
        Where this meter's part of a programme begins, on a step of 100 ms.
    before : ndarray [shape=(channels, frames)], optional
        What comes right before it: 11 frames or more.
    """

    def __init__(self, sample_rate: int, channels: int, *, first_frame: int = 0, before: Audio | None = None) -> None:
        self._rate = valid_sample_rate(sample_rate)
        self._channels = channels
        if self._step_start(self._step_of(first_frame)) != first_frame:
            raise ParameterError("LevelMeter.first_frame", first_frame, "on a step of 100 ms")
        self._first = self._clock = first_frame
        self._table = itu48() if sample_rate < OVERSAMPLING_FREE_RATE_HZ else None
        reach = itu48().count - 1
        kept = np.zeros((channels, reach))
        self._kept = kept if before is None else np.concatenate((kept, before), axis=1)[:, -reach:]
        self._open: list[Audio] = []
        self._rows: list[list[float]] = []

    def _step_of(self, frame: int) -> int:
        return -(-frame * STEPS_PER_S // self._rate)

    def _step_start(self, step: int) -> int:
        return step * self._rate // STEPS_PER_S

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        place = 0
        while place < samples.shape[1]:
            step = self._step_of(self._clock + 1) - 1
            taken = min(self._step_start(step + 1) - self._clock, samples.shape[1] - place)
            self._open.append(samples[:, place : place + taken].copy())
            place += taken
            self._clock += taken
            if self._clock == self._step_start(step + 1):
                self._rows.append(self._row(np.concatenate(self._open, axis=1)))
                self._open = []

    def _row(self, step: Audio) -> list[float]:
        """Return frames, peak, true peak, sum of squares per channel, mixed product, and sums per channel."""
        joined = np.concatenate((self._kept, step), axis=1)
        self._kept = joined[:, step.shape[1] :].copy()
        peak = float(np.abs(step).max(initial=0.0))
        highest = peak
        if self._table is not None and peak > 0.0:
            for channel in joined.astype(np.float32):
                highest = interpolated_maximum(channel, self._table.taps, self._table.gain_sum, highest)
        squares = [float(np.square(channel).sum()) for channel in step]
        product = float((step[0] * step[1]).sum()) if self._channels > 1 else 0.0
        return [float(step.shape[1]), peak, highest, product, *squares, *(float(row.sum()) for row in step)]

    def state(self) -> "LevelState":
        """Return what another process needs to join this part to the one before it."""
        rows = tuple(tuple(row) for row in self._rows)
        return LevelState(
            self._rate, self._channels, self._first, self._clock, rows, self._kept.copy(), tuple(self._open)
        )

    def join(self, later: "LevelState") -> None:
        """Append the state of the part that follows, as if this meter had measured both.

        Raises
        ------
        ParameterError
            The other part does not begin where this one ends, or has another rate or channel count.
        """
        if (later.sample_rate, later.channels, later.first_frame) != (self._rate, self._channels, self._clock):
            limit = f"a part from frame {self._clock} on, of the same rate and channels"
            raise ParameterError("LevelMeter.join", f"a part from frame {later.first_frame} on", limit)
        self._rows += [list(row) for row in later.rows]
        self._clock, self._kept, self._open = later.end_frame, later.kept.copy(), list(later.open_step)

    def result(self) -> Levels:
        """Return the reading so far; measuring can go on."""
        rows = list(self._rows)
        if self._open:
            kept = self._kept
            rows.append(self._row(np.concatenate(self._open, axis=1)))
            self._kept = kept
        table = np.array(rows).reshape(-1, 4 + 2 * self._channels)
        frames, squares = table[:, 0], table[:, 4 : 4 + self._channels]
        total = max(frames.sum(), 1.0)
        mean = float(squares.sum()) / (total * self._channels)
        peak = float(table[:, 1].max(initial=0.0))
        series, p5 = self._correlations(table)
        left, right = (float(squares[:, min(c, self._channels - 1)].sum()) for c in (0, 1))
        product = float(table[:, 3].sum())
        stereo = self._channels > 1
        sides = left + right - 2.0 * product
        return Levels(
            rms_dbfs=_power_db(mean),
            peak_dbfs=_power_db(peak * peak),
            crest_db=_power_db(peak * peak) - _power_db(mean) if mean > 0.0 else 0.0,
            dc=tuple(float(table[:, 4 + self._channels + c].sum()) / total for c in range(self._channels)),
            noise_floor_dbfs=_floor_dbfs(frames, squares),
            correlation=_correlation(left, right, product) if stereo else 1.0,
            correlation_series=series,
            correlation_p5=p5,
            side_to_mid_db=_ratio_db(sides, left + right + 2.0 * product) if stereo else -math.inf,
            balance_db=_ratio_db(left, right) if stereo else 0.0,
            peaks=table[:, 2].copy(),
        )

    def _correlations(self, table: Float64s) -> tuple[Float64s, float]:
        """Return correlation per window, and its 5th percentile."""
        if self._channels < 2:
            return np.empty(0), 1.0
        left, right, product, frames = (_windows(table[:, column], CORRELATION_STEPS) for column in (4, 5, 3, 0))
        heard = np.minimum(left, right) > 10.0 ** (SILENCE_DBFS / 10.0) * np.maximum(frames, 1.0)
        series = np.full(left.size, np.nan)
        series[heard] = np.clip(product[heard] / np.sqrt(left[heard] * right[heard]), -1.0, 1.0)
        found = np.sort(series[heard])
        return series, float(found[math.floor(0.05 * (found.size - 1))]) if found.size else 1.0


def _windows(values: Float64s, length: int) -> Float64s:
    count = max(values.size - length + 1, 1)
    total = np.zeros(count)
    for offset in range(min(length, values.size)):
        total += values[offset : offset + count]
    return total


def _floor_dbfs(frames: Float64s, squares: Float64s) -> float:
    power = _windows(squares.sum(axis=1), FLOOR_STEPS) / (_windows(frames, FLOOR_STEPS).clip(1.0) * squares.shape[1])
    silent = _windows((squares.sum(axis=1) == 0.0).astype(np.float64), FLOOR_STEPS)
    heard = power[silent == 0.0]
    return _power_db(float(heard.min())) if heard.size else -math.inf


def _power_db(power: float) -> float:
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def _ratio_db(over: float, under: float) -> float:
    if over <= 0.0:
        return -math.inf
    return math.inf if under <= 0.0 else 10.0 * math.log10(over / under)


def _correlation(left: float, right: float, product: float) -> float:
    return min(max(product / math.sqrt(left * right), -1.0), 1.0) if left > 0.0 and right > 0.0 else 0.0
