"""Convolution reverb: the recorded answer of a room, mono, stereo or true stereo, by partitioned FFT convolution.

Left and right are the two parts of one complex signal x. Four responses from two inputs to two outputs are then
y = a * x + b * conj(x), with a = ((LL + RR) + i (LR - RL)) / 2 and b = ((LL - RR) + i (LR + RL)) / 2: one transform of
the signal and one of the result per block. Uniform partitions, overlap-save; G. Garcia, "Optimal filter partition for
efficient convolution with short input/output delay", AES 113, 2002, has the reasoning.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate
from tapelog_dsp.checks import declared, default
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import exp2_array
from tapelog_dsp.kernels.convolve import convolve
from tapelog_dsp.kernels.fft import fft, inverse_fft
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.processors.moving import moved
from tapelog_dsp.resampling import resample
from tapelog_dsp.units import LOG2_10_OVER_20, db_to_gain

IMPULSE_FRAMES_MAX: Final = 1 << 20
"""At the session's rate: 21.8 s at 48 kHz, and 134 MB of spectra for a true-stereo one."""

PARTITION_MIN: Final = 1_024
PARTITION_MAX: Final = 8_192
PARTITIONS_WANTED: Final = 32
"""A partition is about so small a part of the response: more of them cost more products, larger ones more latency."""


@dataclass(frozen=True, slots=True, eq=False)
class Impulse:
    """An impulse response.

    Parameters
    ----------
    samples : ndarray [shape=(1, 2 or 4, frames)]
        Mono: the same for every channel. Stereo: left to left, right to right. Four: left to left, left to right, right
        to left, right to right.
    sample_rate : int
        In Hz; it is converted to the session's.

    Raises
    ------
    AudioError, ParameterError
        It is no audio, has another number of channels, is empty or silent.
    """

    samples: Audio = field(repr=False)
    sample_rate: int

    def __post_init__(self) -> None:
        valid_sample_rate(self.sample_rate, name="Impulse.sample_rate")
        valid_audio(self.samples, name="impulse response")
        if self.samples.shape[0] not in (1, 2, 4):
            raise ParameterError("Impulse.samples", f"{self.samples.shape[0]} channels", "1, 2 or 4 channels")
        if not self.samples.any():
            raise ParameterError("Impulse.samples", "silence", "an impulse response that can be heard")

    def at_rate(self, sample_rate: int) -> Audio:
        """Return it at a rate, of the same level, at most `IMPULSE_FRAMES_MAX` frames.

        Raises
        ------
        ParameterError
            It is too long.
        """
        frames = self.samples.shape[1] * sample_rate / self.sample_rate
        if frames > IMPULSE_FRAMES_MAX:
            limit = f"at most {IMPULSE_FRAMES_MAX} frames, {IMPULSE_FRAMES_MAX / sample_rate:.1f} s"
            raise ParameterError("Impulse.samples", f"{math.ceil(frames)} frames at {sample_rate} Hz", limit)
        if sample_rate == self.sample_rate:
            return self.samples
        return resample(self.samples, self.sample_rate, sample_rate) * (self.sample_rate / sample_rate)


@dataclass(frozen=True, slots=True)
class ConvolutionReverb:
    """The answer of a room, a plate or a cabinet.

    Parameters
    ----------
    impulse : Impulse
        What one click sounds like there.
    predelay_ms : float
        Before it begins, to the whole frame.
    mix : float
        y = x (1 - mix) + reverb mix.
    gain_db : float
        Level of the reverb.
    normalise : bool
        Whether white noise comes out as loud as it went in, on the louder side; else the response keeps its own level.
    """

    impulse: Impulse
    predelay_ms: float = 0.0
    mix: float = default("ConvolutionReverb", "mix")
    gain_db: float = 0.0
    normalise: bool = True

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running reverb, one partition late; without any mix it lets everything pass at once.

        Raises
        ------
        ParameterError
            The response is too long at this rate.
        """
        return _RunningConvolution(self, sample_rate, channels, moves=False)

    def prepare_moving(self, sample_rate: int, channels: int) -> Processor:
        """Make a running reverb whose mix and gain move."""
        return _RunningConvolution(self, sample_rate, channels, moves=True)

    def taps(self, sample_rate: int) -> Audio:
        """Return the responses ``[4, frames]``: left to left, left to right, right to left, right to right."""
        samples = self.impulse.at_rate(sample_rate)
        silence = np.zeros_like(samples[0])
        ways = list(samples) if len(samples) == 4 else [samples[0], silence, silence, samples[-1]]
        if self.normalise:
            energy = [math.fsum((way * way).tolist()) for way in ways]
            ways = [way * (1.0 / math.sqrt(max(energy[0] + energy[2], energy[1] + energy[3]))) for way in ways]
        return np.stack(ways)


def partition_frames(taps: int) -> int:
    """Return the length of a partition for a response of so many frames."""
    size = PARTITION_MIN
    while size < PARTITION_MAX and size * PARTITIONS_WANTED < taps:
        size *= 2
    return size


def _spectra(real: Float64s, imaginary: Float64s, step: int) -> Float64s | None:
    """Return the partitions of a complex response as spectra ``[partitions, 2, 2 step]``, None of silence."""
    if not real.any() and not imaginary.any():
        return None
    count = -(-real.size // step)
    spectra = np.zeros((count, 2, 2 * step))
    for place in range(count):
        parts = np.zeros((2, 2 * step))
        for row, whole in zip(parts, (real, imaginary), strict=True):
            part = whole[place * step : (place + 1) * step]
            row[: part.size] = part
        spectra[place] = fft(parts[0], parts[1])
    return spectra


def _filters(spec: ConvolutionReverb, sample_rate: int) -> tuple[int, int, Float64s, Float64s | None]:
    """Return taps, partition length and the two filters of a reverb."""
    left, left_right, right_left, right = spec.taps(sample_rate)
    step = partition_frames(left.size)
    straight = _spectra(0.5 * (left + right), 0.5 * (left_right - right_left), step)
    crossed = _spectra(0.5 * (left - right), 0.5 * (left_right + right_left), step)
    if straight is None:
        straight = np.zeros((-(-left.size // step), 2, 2 * step))
    return left.size, step, straight, crossed


class _RunningConvolution(Processor):
    def __init__(self, spec: ConvolutionReverb, sample_rate: int, channels: int, *, moves: bool) -> None:
        self._start, self._end = spec, spec
        self._course = Course(0.0, 0.0)
        self._channels = channels
        taps, self._step, self._straight, self._crossed = _filters(spec, sample_rate)
        self._dry_only = spec.mix == 0.0 and not moves
        predelay = round(spec.predelay_ms * sample_rate / 1000.0)
        if not self._dry_only:
            self.latency_frames = self._step
            self.tail_frames = predelay + taps
        self._predelay = DelayLine(channels, predelay)
        self._dry = DelayLine(channels, self._step)
        self._past = np.zeros((len(self._straight), 2, 2, 2 * self._step))
        self._newest, self._filled = 0, 0
        self._block = np.zeros((2, 2 * self._step))
        self._ready = np.zeros((2, self._step))

    def move(self, name: str, course: Course) -> None:
        """Let mix or gain go from one value to another."""
        self._start, self._end = moved(self._start, self._end, name, course)
        self._course = course

    def process(self, samples: Audio, start_frame: int) -> Audio:
        if self._dry_only:
            return samples
        frames = samples.shape[1]
        wet = self._wet(self._predelay.process(samples))
        mix, gain_db = (
            Course(start, end, self._course.first_frame, self._course.frames).values(start_frame, frames)
            for start, end in ((self._start.mix, self._end.mix), (self._start.gain_db, self._end.gain_db))
        )
        if self._start.gain_db == self._end.gain_db:
            gains = np.full(frames, db_to_gain(self._start.gain_db))
        else:
            gains = exp2_array(gain_db * LOG2_10_OVER_20)
        return self._dry.process(samples) * (1.0 - mix) + wet * (gains * mix)

    def _wet(self, samples: Audio) -> Audio:
        """Return the convolved signal, one partition late; the stream is cut at multiples of the partition."""
        frames, step, done = samples.shape[1], self._step, 0
        result = np.empty_like(samples)
        while done < frames:
            size = min(step - self._filled, frames - done)
            place = slice(self._filled, self._filled + size)
            result[:, done : done + size] = self._ready[: self._channels, place]
            self._block[: self._channels, step + place.start : step + place.stop] = samples[:, done : done + size]
            if self._channels == 1:
                self._block[1, step + place.start : step + place.stop] = samples[0, done : done + size]
            self._filled += size
            done += size
            if self._filled == step:
                self._convolve()
        return result

    def _convolve(self) -> None:
        count, points = len(self._straight), 2 * self._step
        self._newest = (self._newest + 1) % count
        real, imaginary = fft(self._block[0], self._block[1])
        mirror = -np.arange(points) % points
        self._past[self._newest] = (real, imaginary), (real[mirror], -imaginary[mirror])
        parts = inverse_fft(*convolve(self._past, self._newest, self._straight, self._crossed))
        self._ready = np.stack(parts)[:, self._step :]
        self._block[:, : self._step] = self._block[:, self._step :]
        self._filled = 0

    def reset(self) -> None:
        self._past[:] = 0.0
        self._newest, self._filled = 0, 0
        self._block[:] = 0.0
        self._ready = np.zeros((2, self._step))
        self._predelay.reset()
        self._dry.reset()
