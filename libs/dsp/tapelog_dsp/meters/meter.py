"""Loudness and true peak in one pass."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.meters.loudness import WARM_UP_S, Loudness, LoudnessMeter, LoudnessState
from tapelog_dsp.meters.truepeak import REACH_FRAMES, TruePeak, TruePeakMeter, TruePeakState

BLOCK_FRAMES: Final = 65_536
"""Measured at a time: what is copied stays within a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A programme's loudness and true peak.

    Parameters
    ----------
    frames : int
        How much was measured.
    loudness : Loudness
        Integrated, momentary, short-term, range.
    true_peak : TruePeak
        By three interpolators.
    """

    frames: int
    loudness: Loudness
    true_peak: TruePeak

    @property
    def peak_to_loudness_lu(self) -> float:
        """PLR: the largest true peak minus the integrated loudness."""
        return self.true_peak.max_dbtp - self.loudness.integrated_lufs


class Meter:
    """A streaming meter for everything a delivery is judged by.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        1, 2, 3, 5 or 6.
    first_frame : int
        Where this meter's part of a programme begins, on a step of 100 ms.
    before : ndarray [shape=(channels, frames)], optional
        What comes right before it, a second of it or all there is.
    """

    def __init__(self, sample_rate: int, channels: int, *, first_frame: int = 0, before: Audio | None = None) -> None:
        self._channels = channels
        if before is not None:
            before = valid_audio(before, name="what comes before", channels=channels)
        self._loudness = LoudnessMeter(sample_rate, channels, first_frame=first_frame, before=before)
        self._true_peak = TruePeakMeter(sample_rate, channels, before=before)
        self._frames = 0

    def add(self, samples: Audio) -> None:
        """Measure the next block.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)]
            float32 or float64.

        Raises
        ------
        AudioError
            The block has another shape or is not finite.
        """
        samples = valid_audio(samples, name="measured block", channels=self._channels)
        self._loudness.add(samples)
        self._true_peak.add(samples)
        self._frames += samples.shape[1]

    def result(self) -> Measurement:
        """Return the reading so far; measuring can go on."""
        return Measurement(self._frames, self._loudness.result(), self._true_peak.result())

    def state(self) -> "MeterState":
        """Return what another process needs to join this part to the one before it."""
        return MeterState(self._frames, self._loudness.state(), self._true_peak.state())

    def join(self, later: "MeterState") -> None:
        """Append the state of the part that follows, as if this meter had measured both."""
        self._loudness.join(later.loudness)
        self._true_peak.join(later.true_peak)
        self._frames += later.frames


@dataclass(frozen=True, slots=True, eq=False)
class MeterState:
    """A measured part of a programme, for joining.

    Parameters
    ----------
    frames : int
        Its length.
    loudness : LoudnessState
        Of its loudness meter.
    true_peak : TruePeakState
        Of its true-peak meter.
    """

    frames: int
    loudness: LoudnessState
    true_peak: TruePeakState


def measure(samples: Audio, sample_rate: int, *, threads: int = 1) -> Measurement:
    """Measure a whole recording, its parts beside each other.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        The recording.
    sample_rate : int
        In Hz.
    threads : int
        Parts of equal length to the second; the kernels run without the interpreter's lock.

    Returns
    -------
    Measurement
        For every number of threads the same peaks, and loudness within 1e-9 LU.
    """
    channels, frames = samples.shape
    seconds = max(frames // sample_rate, 1)
    count = min(max(threads, 1), seconds)
    starts = [part * seconds // count * sample_rate for part in range(count)]
    warm_up = max(round(WARM_UP_S * sample_rate), REACH_FRAMES)

    def part(start: int, stop: int) -> Meter:
        before = np.ascontiguousarray(samples[:, max(start - warm_up, 0) : start])
        meter = Meter(sample_rate, channels, first_frame=start, before=before)
        for first in range(start, stop, BLOCK_FRAMES):
            meter.add(np.ascontiguousarray(samples[:, first : min(first + BLOCK_FRAMES, stop)]))
        return meter

    with ThreadPoolExecutor(count) as pool:
        meters = list(pool.map(part, starts, [*starts[1:], frames]))
    for later in meters[1:]:
        meters[0].join(later.state())
    return meters[0].result()
