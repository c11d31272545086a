"""Long-term average spectrum of left, right, middle and sides: sums of squared FFT frames, so parts can be added."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Mean power per frequency bin; a whole row adds up to the mean square of its signal.

    Parameters
    ----------
    frequencies_hz : ndarray [shape=(bins,)]
        Of the bins.
    left, right, mid, side : ndarray [shape=(bins,)]
        Power; mid is (L + R) / 2, side (L - R) / 2. Of mono, left, right and mid are equal.
    """

    frequencies_hz: Float64s
    left: Float64s
    right: Float64s
    mid: Float64s
    side: Float64s

    @property
    def stereo(self) -> Float64s:
        """Mean of left and right: what a listener between two loudspeakers gets of each bin."""
        return 0.5 * (self.left + self.right)

    def power(self, row: Float64s, low_hz: float, high_hz: float) -> float:
        """Return a row's power from one frequency up to another."""
        inside = (self.frequencies_hz >= low_hz) & (self.frequencies_hz < high_hz)
        return float(row[inside].sum())


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumState:
    """A measured part of a programme, for joining.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    sums : ndarray [shape=(4, bins)]
        Squared frames of left, right, middle and sides.
    frames : int
        How many were added.
    open_frame : ndarray [shape=(channels, frames)]
        The end, which the next samples continue.
    """

    sample_rate: int
    sums: Float64s
    frames: int
    open_frame: Audio


class SpectrumMeter:
    """A streaming meter over Hann frames of about 0.17 s, half overlapped, on a grid of song time.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        1 or 2.
    before : ndarray [shape=(channels, frames)], optional
        What comes right before this meter's part of a programme, `hop_frames` of it or more.

    Attributes
    ----------
    hop_frames : int
        Parts that are measured beside each other begin at multiples of it.
    """

    def __init__(self, sample_rate: int, channels: int, *, before: Audio | None = None) -> None:
        self._rate = valid_sample_rate(sample_rate)
        if channels not in (1, 2):
            raise ParameterError("SpectrumMeter.channels", channels, "1 or 2")
        self._size = 1 << max(round(np.log2(0.17 * sample_rate)), 6)
        self._window = np.hanning(self._size + 1)[:-1]
        self._sums = np.zeros((4, self._size // 2 + 1))
        self._frames = 0
        self.hop_frames = self._size // 2
        self._open: Audio = np.zeros((channels, 0)) if before is None else before[:, -self.hop_frames :].copy()

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        joined = np.concatenate((self._open, samples), axis=1)
        hop, place = self.hop_frames, 0
        while place + self._size <= joined.shape[1]:
            self._sums += self._powers(joined[:, place : place + self._size])
            self._frames += 1
            place += hop
        self._open = joined[:, place:].copy()

    def _powers(self, frame: Audio) -> Float64s:
        spectra = np.fft.rfft(frame * self._window, axis=1)
        left, right = spectra[0], spectra[-1]
        rows = np.stack((left, right, 0.5 * (left + right), 0.5 * (left - right)))
        power: Float64s = rows.real**2 + rows.imag**2
        return power

    def state(self) -> "SpectrumState":
        """Return what another process needs to join this part to the one before it."""
        return SpectrumState(self._rate, self._sums.copy(), self._frames, self._open.copy())

    def join(self, later: "SpectrumState") -> None:
        """Append the state of the part that follows, measured with the end of this part as its `before`."""
        if (later.sample_rate, later.open_frame.shape[0]) != (self._rate, self._open.shape[0]):
            raise ParameterError("SpectrumMeter.join", "another rate or channel count", "the same of both")
        self._sums += later.sums
        self._frames += later.frames
        self._open = later.open_frame.copy()

    def result(self) -> Spectrum:
        """Return the mean so far; a recording shorter than a frame is one frame with silence behind it."""
        sums, frames = self._sums, self._frames
        if not frames and self._open.shape[1]:
            padded = np.zeros((self._open.shape[0], self._size))
            padded[:, : self._open.shape[1]] = self._open
            sums, frames = self._powers(padded), 1
        scale = 2.0 / (self._size * float(np.square(self._window).sum()) * max(frames, 1))
        rows = sums * scale
        rows[:, [0, -1]] *= 0.5
        frequencies = np.arange(self._size // 2 + 1, dtype=np.float64) * (self._rate / self._size)
        return Spectrum(frequencies, *rows)
