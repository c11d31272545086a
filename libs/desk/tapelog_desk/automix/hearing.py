"""What can be measured of one stem: loudness where it plays, spectrum over time, pitch, attacks, width."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import tapelog_dsp as dsp

from tapelog_desk.automix.bands import LOW_BANDS, BandMeter, Floats, Windows, decibels, window_frames
from tapelog_desk.files.streams import BlockReader
from tapelog_desk.limits import BLOCK_FRAMES

FLUX_WINDOW_S: Final = 0.021
"""Of the search for attacks."""

ACTIVE_BELOW_LU: Final = 20.0
"""A stem plays where its momentary loudness is at most so far below its integrated loudness."""

SILENT_LUFS: Final = -70.0
"""The absolute gate of BS.1770: what never passes it counts as silent."""

SHORTEST_S: Final = 0.5
"""A shorter stem is measured as if silence followed it."""

PITCH_LOW_HZ: Final = 45.0
PITCH_HIGH_HZ: Final = 1_100.0


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What was measured of a stem.

    Attributes
    ----------
    channels, frames : int
        Of the stem at the sample rate of the mix.
    integrated_lufs : float
        Loudness of the active regions, gated after BS.1770; minus infinity if silent.
    momentary_lufs : ndarray [shape=(steps,)]
        Loudness of 400 ms, every 100 ms.
    spread_lu : float
        From the 25th to the 95th percentile of the momentary loudness where the stem plays.
    peak_dbfs : float
        Largest sample.
    loud_peak_dbfs : float
        95th percentile of the peaks of 100 ms where the stem plays.
    crest_db : float
        Peak over the root mean square of the active windows.
    bands : ndarray [shape=(windows, BANDS)]
        Power in each band over time, both channels added.
    low_side_db : float
        Side against mid below 140 Hz.
    width_db : float
        Side against mid over all.
    balance_db : float
        Left against right.
    activity : float
        Share of the time in which it plays, 0 to 1.
    onsets_per_s : float
        Attacks per second of playing time.
    percussive : float
        Share of the flux that is in attacks: 0 is held tones, near 1 is hits.
    centroid_hz, flatness : float
        Of the active windows: where the power lies (by interval), and how noise-like it is, 0 to 1.
    brightness_swing : float
        How far the centroid wanders, in octaves.
    harmonicity : float
        How periodic the active windows are, 0 to 1.
    pitch_hz : float
        Median fundamental of the periodic windows; 0 if there are none.
    pitch_low_hz : float
        Low end (10th percentile) of the fundamentals, 0 if there are none.
    on_grid : float
        How well the pitches sit on one tempered grid, 0 to 1: high for keys, lower for voices and bends.
    """

    channels: int
    frames: int
    integrated_lufs: float
    momentary_lufs: Floats
    spread_lu: float
    peak_dbfs: float
    loud_peak_dbfs: float
    crest_db: float
    bands: Floats
    low_side_db: float
    width_db: float
    balance_db: float
    activity: float
    onsets_per_s: float
    percussive: float
    centroid_hz: float
    flatness: float
    brightness_swing: float
    harmonicity: float
    pitch_hz: float
    pitch_low_hz: float
    on_grid: float

    @property
    def is_silent(self) -> bool:
        """Whether nothing of it can be heard."""
        return self.integrated_lufs <= SILENT_LUFS

    def active(self) -> Floats:
        """Return 1 for every 100 ms in which the stem plays, 0 elsewhere."""
        gate = max(self.integrated_lufs - ACTIVE_BELOW_LU, SILENT_LUFS)
        return (self.momentary_lufs > gate).astype(np.float64)


class Ear:
    """Measures a stem block by block; memory grows by 4 kB per second."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._rate = sample_rate_hz
        self._channels = channels
        self._meter = dsp.LoudnessMeter(sample_rate_hz, channels)
        self._long = BandMeter(sample_rate_hz, channels)
        self._short = Windows(1, window_frames(sample_rate_hz, FLUX_WINDOW_S))
        self._frames = 0
        self._peaks: list[float] = []
        self._tone: list[Floats] = []
        self._flux: list[Floats] = []
        self._last_short: Floats | None = None

    def add(self, block: Floats) -> None:
        """Measure the next block ``[channels, frames]``."""
        self._meter.add(block)
        self._frames += block.shape[1]
        step = max(self._rate // 10, 1)
        for first in range(0, block.shape[1], step):
            self._peaks.append(float(np.abs(block[:, first : first + step]).max()))
        self._tone += [_tone(power, self._rate) for power in self._long.add(block)]
        for windows in self._short.add(block.mean(axis=0, keepdims=True)):
            self._attacks(windows)

    def _attacks(self, windows: Floats) -> None:
        spectra = np.log1p(1000.0 * np.abs(self._short.power(windows)[:, 0]))
        before = spectra[:1] if self._last_short is None else self._last_short
        steps = np.diff(np.concatenate([before, spectra]), axis=0)
        self._flux.append(np.stack([np.maximum(steps, 0.0).mean(axis=1), np.abs(steps).mean(axis=1)], axis=1))
        self._last_short = spectra[-1:]

    def result(self) -> Heard:
        """Return what was measured; the stem has ended."""
        # Loudness begins at 400 ms: a one-shot is measured with the silence that follows it in the song.
        self._meter.add(np.zeros((self._channels, max(round(SHORTEST_S * self._rate) - self._frames, 0))))
        self._tone += [_tone(power, self._rate) for power in self._long.flush()]
        loudness = self._meter.result()
        bands, tone = self._long.bands(), np.concatenate([np.zeros((0, 4)), *self._tone])
        power = bands.sum(axis=1)
        playing = power > max(float(power.max(initial=0.0)) * 1e-4, 1e-10)
        momentary = loudness.momentary_lufs
        gate = max(loudness.integrated_lufs - ACTIVE_BELOW_LU, SILENT_LUFS)
        active = momentary[momentary > gate]
        peaks = np.array(self._peaks)
        loud = peaks[peaks > peaks.max() * 0.05] if peaks.size else peaks
        peak = float(peaks.max(initial=0.0))
        mean_power = float(power[playing].mean()) if playing.any() else 0.0
        onsets, percussive = _onsets(self._flux, self._short.hop / self._rate)
        played_s = float(playing.sum()) * self._long.hop_s
        return Heard(
            channels=self._channels,
            frames=self._frames,
            integrated_lufs=loudness.integrated_lufs,
            momentary_lufs=momentary,
            spread_lu=_spread(active),
            peak_dbfs=decibels(peak**2),
            loud_peak_dbfs=decibels(float(np.quantile(loud, 0.95)) ** 2) if loud.size else -120.0,
            crest_db=decibels(peak**2) - decibels(mean_power),
            bands=bands,
            low_side_db=self._long.width_db(slice(LOW_BANDS)),
            width_db=self._long.width_db(),
            balance_db=self._long.balance_db(),
            activity=active.size / max(momentary.size, 1),
            onsets_per_s=onsets / max(played_s, 0.5),
            percussive=percussive,
            **_timbre(tone[playing], power[playing]),
        )


def _spread(active: Floats) -> float:
    return float(np.quantile(active, 0.95) - np.quantile(active, 0.25)) if active.size > 4 else 0.0


def _tone(power: Floats, rate: int) -> Floats:
    """Return centroid (octaves over 1 kHz), flatness, periodicity and pitch of each window ``[windows, 4]``."""
    bins = power.shape[1]
    width_hz = rate / 2.0 / (bins - 1)
    first, last = round(60.0 / width_hz), min(round(12_000.0 / width_hz), bins)
    inside = power[:, first:last] + 1e-18
    octaves = np.log2(np.arange(first, last) * width_hz / 1000.0)
    total = inside.sum(axis=1)
    centroid = (inside * octaves).sum(axis=1) / total
    flatness = np.exp(np.log(inside).mean(axis=1)) / inside.mean(axis=1)
    lags = np.fft.irfft(power, axis=1)[:, : round(rate / PITCH_LOW_HZ) + 2]
    shortest = round(rate / PITCH_HIGH_HZ)
    # The Hann window makes the correlation of a steady tone fall with the lag; dividing by its own takes that away.
    fall = np.maximum(1.0 - np.arange(lags.shape[1]) / (2.0 * (bins - 1)), 0.1)
    lags = lags / (np.maximum(lags[:, :1], 1e-18) * fall)
    best = _first_peak(lags, shortest)
    rows = np.arange(len(lags))
    before, here, after = lags[rows, best - 1], lags[rows, best], lags[rows, best + 1]
    here = np.where((here >= before) & (here >= after), here, 0.0)
    bend = before - 2.0 * here + after
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (before - after) / np.where(np.abs(bend) > 1e-9, bend, 1.0), 0.0)
    return np.stack([centroid, flatness, here, rate / (best + np.clip(shift, -0.5, 0.5))], axis=1)


def _first_peak(lags: Floats, shortest: int) -> npt.NDArray[np.int64]:
    """Return the shortest lag whose peak is nearly the highest: the period, not a multiple of it."""
    inner = lags[:, shortest:-1]
    # Ripple on the slope from lag 0 is no period: the correlation has to have fallen by half before it rises again.
    has_fallen = np.logical_or.accumulate(lags < 0.5, axis=1)[:, shortest:-1]
    is_peak = (inner >= lags[:, shortest - 1 : -2]) & (inner >= lags[:, shortest + 1 :]) & has_fallen
    peaks = np.where(is_peak, inner, -1.0)
    near = peaks >= 0.93 * np.maximum(peaks.max(axis=1, keepdims=True), 0.0)
    best = shortest + np.argmax(near & is_peak, axis=1)
    clipped: npt.NDArray[np.int64] = np.clip(best, 1, lags.shape[1] - 2)
    return clipped


def _onsets(parts: list[Floats], hop_s: float) -> tuple[int, float]:
    """Return the number of attacks, and the share of the spectral change that lies in them."""
    flux = np.concatenate(parts) if parts else np.zeros((0, 2))
    if len(flux) < 8:
        return 0, 0.0
    rise, both = flux[:, 0], flux[:, 1]
    reach = max(round(0.05 / hop_s), 1)
    padded = np.pad(rise, reach)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    floor = float(np.median(rise)) + 0.35 * float(np.quantile(rise, 0.995))
    hits = (rise >= highest) & (rise > floor) & (rise > 1e-3)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(hits.astype(np.float64), 1), 3).max(axis=1)
    return int(hits.sum()), float((rise * near).sum() / max(float(both.sum()), 1e-9))


def _timbre(tone: Floats, power: Floats) -> dict[str, float]:
    if not len(tone):
        names = ("centroid_hz", "flatness", "brightness_swing", "harmonicity", "pitch_hz", "pitch_low_hz", "on_grid")
        return dict.fromkeys(names, 0.0)
    weight = power**0.3
    weight = weight / weight.sum()
    centroid = float((tone[:, 0] * weight).sum())
    swing = math.sqrt(float((weight * (tone[:, 0] - centroid) ** 2).sum()))
    voiced = tone[tone[:, 2] > 0.6]
    pitch = np.sort(voiced[:, 3]) if len(voiced) > 3 else np.zeros(0)
    grid = abs(np.exp(2j * np.pi * 12.0 * np.log2(pitch / 440.0)).mean()) if pitch.size else 0.0
    return {
        "centroid_hz": 1000.0 * 2.0**centroid,
        "flatness": float((tone[:, 1] * weight).sum()),
        "brightness_swing": swing,
        "harmonicity": float((tone[:, 2] * weight).sum()),
        "pitch_hz": float(np.median(pitch)) if pitch.size else 0.0,
        "pitch_low_hz": float(np.quantile(pitch, 0.1)) if pitch.size else 0.0,
        "on_grid": float(grid),
    }


def hear(reader: BlockReader, *, sample_rate_hz: int, channels: int) -> Heard:
    """Measure a recording to its end.

    Parameters
    ----------
    reader : BlockReader
        At the sample rate of the mix.
    sample_rate_hz, channels : int
        What it is.
    """
    ear = Ear(sample_rate_hz, channels)
    while (block := reader.read(BLOCK_FRAMES)).shape[1]:
        ear.add(block)
        if block.shape[1] < BLOCK_FRAMES:
            break
    return ear.result()
