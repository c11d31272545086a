"""What is measured of a file when it arrives, and of no render: its noise floor, and mains hum."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from tapelog.common.v1 import audio_pb2 as pb
from tapelog_dsp.repair import hum
from tapelog_dsp.resampling import resample

from tapelog_desk.files.decoders import Samples

STEPS_PER_S: Final = 10
FLOOR_STEPS: Final = 4
"""The noise floor is read over 400 ms."""

STEADY: Final = 10 ** (4.0 / 10.0)
"""The steps of a pause lie within 4 dB: noise over 100 ms varies by about 1 dB, a decay by more."""

HUM_SEARCH_S: Final = 20
"""Hum is there all the time: the first stretch that the detector follows decides, and bounds time and memory."""

HUM_CHANNELS: Final = 2
HUM_RATE_MAX_HZ: Final = 192_000
HUM_RATE_HZ: Final = 8_000
"""Holds the forty harmonics that the detector knows, at a sixth of the work."""


class ArrivalMeter:
    """Measures a stream of ``[channels, frames]``; any block size gives the same result."""

    def __init__(self, audio: pb.AudioFormat) -> None:
        self._rate_hz = audio.sample_rate_hz
        self._step_frames = max(1, audio.sample_rate_hz // STEPS_PER_S)
        self._open: list[Samples] = []
        self._open_frames = 0
        self._powers: list[float] = []
        self._start: list[Samples] = []
        self._missing = HUM_SEARCH_S * audio.sample_rate_hz if audio.sample_rate_hz <= HUM_RATE_MAX_HZ else 0

    def __repr__(self) -> str:
        return f"ArrivalMeter({len(self._powers)} steps)"

    def add(self, samples: Samples) -> None:
        """Measure the next block."""
        if self._missing:
            kept = samples[:HUM_CHANNELS, : self._missing].copy()
            self._start.append(kept)
            self._missing -= kept.shape[1]
        begin = 0
        while begin < samples.shape[1]:
            end = min(begin + self._step_frames - self._open_frames, samples.shape[1])
            self._open.append(samples[:, begin:end].copy())
            self._open_frames += end - begin
            begin = end
            if self._open_frames == self._step_frames:
                self._powers.append(float(np.square(np.concatenate(self._open, axis=1)).mean()))
                self._open, self._open_frames = [], 0

    def result(self, numbers: pb.Measurements) -> None:
        """Set the fields of `numbers` that this meter measures; what does not exist stays absent."""
        powers = np.array(self._powers)
        if powers.size and powers.any():
            numbers.rms_dbfs = 10.0 * math.log10(float(powers.mean()))
        floor = noise_floor(powers)
        if floor:
            numbers.noise_floor_dbfs = 10.0 * math.log10(floor)
        self._search_hum(numbers)

    def _search_hum(self, numbers: pb.Measurements) -> None:
        frames = sum(block.shape[1] for block in self._start)
        if frames < hum.MINIMUM_S * self._rate_hz:
            return
        start = np.concatenate(self._start, axis=1)
        rate_hz = min(self._rate_hz, HUM_RATE_HZ)
        finding = hum.detect(start if rate_hz == self._rate_hz else resample(start, self._rate_hz, rate_hz), rate_hz)
        numbers.hum_searched_s = frames / self._rate_hz
        if finding.present:
            numbers.hum_dbfs = finding.evidence["level_dbfs"]
            numbers.hum_hz = finding.evidence["frequency_hz"]


def noise_floor(powers: npt.NDArray[np.float64]) -> float:
    """Return the mean power of the quietest 400 ms that are steady, or 0 where none are.

    Noise is steady and a decay is music: a take whose notes ring into each other has no floor that could be read.
    Digital silence has none either.

    Parameters
    ----------
    powers : float64 ``[steps]``
        Mean power of each 100 ms.
    """
    if powers.size < FLOOR_STEPS:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(powers, FLOOR_STEPS)
    means, lowest, highest = windows.mean(axis=1), windows.min(axis=1), windows.max(axis=1)
    is_pause = (lowest > 0.0) & (highest <= STEADY * lowest)
    return float(means[is_pause].min()) if is_pause.any() else 0.0
