"""Clipper: takes the tips off short peaks before the limiter, without folding their harmonics back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.sincs import TAPS
from tapelog_dsp.kernels import shaper
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.master.shaping import LATENCY_FRAMES, Shaper
from tapelog_dsp.processors.base import Course, Processor
from tapelog_dsp.processors.moving import moved
from tapelog_dsp.units import db_to_gain


@dataclass(frozen=True, slots=True)
class Clipper:
    """Cuts the wave at a ceiling, between the samples (8 times the rate at 44.1 and 48 kHz).

    What lies below the knee comes out bit for bit, late by the latency. The harmonics above half the sample rate are
    filtered off instead of folded back, so a peak stands over the ceiling again, by 0.5 dB on tones and up to 3 dB on
    noise: a true-peak limiter belongs behind it.

    Parameters
    ----------
    ceiling_db : float
        In dBFS.
    knee_db : float
        How far below the ceiling the bend begins; 0 cuts hard.
    """

    ceiling_db: float = default("Clipper", "ceiling_db")
    knee_db: float = default("Clipper", "knee_db")

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running clipper."""
        return _RunningClipper(self, sample_rate, channels)


class _RunningClipper(Processor):
    latency_frames = LATENCY_FRAMES
    tail_frames = TAPS

    def __init__(self, spec: Clipper, sample_rate: int, channels: int) -> None:
        self._start, self._end = spec, spec
        settings = _numbers(spec)
        self._shaper = Shaper(sample_rate, channels, curve=shaper.CLIP, settings=settings, idle=float(settings[0]))
        self._frames, self._clipped = 0, 0

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another."""
        self._start, self._end = moved(self._start, self._end, name, course)
        start, end = _numbers(self._start), _numbers(self._end)
        self._shaper.move(start, end, idle=min(float(start[0]), float(end[0])), course=course)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        signal, added = self._shaper.process(samples, start_frame)
        self._frames += samples.shape[1]
        self._clipped += int(np.count_nonzero((np.abs(added) > 1e-6).any(axis=0)))
        return signal + added

    def reset(self) -> None:
        self._shaper.reset()
        self._frames, self._clipped = 0, 0

    def telemetry(self) -> Mapping[str, float]:
        """Return the share of time in which the clipper did something."""
        return {"clipped_share": self._clipped / max(self._frames, 1)}


def _numbers(spec: Clipper) -> Float64s:
    return np.array([db_to_gain(spec.ceiling_db - spec.knee_db), db_to_gain(spec.ceiling_db)])
