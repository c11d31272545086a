"""Long FIR filters over a stream by FFT, on partitions of song time that no block size can move."""

from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.fft import fft, inverse_fft
from tapelog_dsp.processors.base import Processor

PARTITION_MIN: Final = 1_024


class FirFilter(Processor):
    """Overlap-save convolution; left and right are the two parts of one complex signal.

    The stream is cut at multiples of the partition whatever the blocks are, so the output is the same bit for bit;
    one partition is waited for, which the latency says.

    Parameters
    ----------
    taps : ndarray [shape=(taps,)]
        The impulse response.
    centre : int
        Which tap is time zero: the filter's own delay.
    channels : int
        1 or 2.
    """

    def __init__(self, taps: Float64s, centre: int, channels: int) -> None:
        if channels not in (1, 2):
            raise ParameterError("FirFilter", f"{channels} channels", "used on one or two channels")
        self._step = PARTITION_MIN
        while self._step < taps.size:
            self._step *= 2
        self._length = 2 * self._step
        padded = np.zeros(self._length)
        padded[: taps.size] = taps
        self._spectrum = fft(padded, np.zeros(self._length))
        self._past: Audio = np.zeros((channels, self._step))
        self._waiting: list[Audio] = []
        self._waiting_frames = 0
        self._ready: Audio = np.zeros((channels, self._step))
        self.latency_frames = centre + self._step
        self.tail_frames = taps.size

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Filter one block."""
        del start_frame
        frames = samples.shape[1]
        self._waiting.append(samples)
        self._waiting_frames += frames
        if self._waiting_frames >= self._step:
            self._convolve()
        result = np.ascontiguousarray(self._ready[:, :frames])
        self._ready = self._ready[:, frames:]
        return result

    def _convolve(self) -> None:
        joined = np.concatenate(self._waiting, axis=1)
        whole = joined.shape[1] // self._step * self._step
        done = [self._ready]
        for start in range(0, whole, self._step):
            now = joined[:, start : start + self._step]
            done.append(self._filtered(np.concatenate((self._past, now), axis=1)))
            self._past = now
        self._past = self._past.copy()
        self._ready = np.concatenate(done, axis=1)
        self._waiting = [joined[:, whole:].copy()]
        self._waiting_frames = joined.shape[1] - whole

    def _filtered(self, samples: Audio) -> Audio:
        """Return the second half of a circular convolution, the part without the circle."""
        left, right = samples[0], samples[-1] if len(samples) > 1 else np.zeros(self._length)
        (a, b), (c, d) = fft(left, right), self._spectrum
        parts = inverse_fft(a * c - b * d, a * d + b * c)
        return np.stack(parts[: len(samples)])[:, self._step :]

    def reset(self) -> None:
        """Forget the past."""
        self._past = np.zeros_like(self._past)
        self._waiting, self._waiting_frames = [], 0
        self._ready = np.zeros_like(self._past)
