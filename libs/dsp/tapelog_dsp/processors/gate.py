"""Gate and downward expander: hysteresis and hold against chatter, a range instead of silence."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default, movable
from tapelog_dsp.kernels.console import apply_curve
from tapelog_dsp.kernels.dynamics import GATE_STATE, gate
from tapelog_dsp.processors.base import Course, Key, Processor
from tapelog_dsp.processors.compressor import one_pole
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.processors.keyfilter import KeyFilter
from tapelog_dsp.processors.moving import detector_step
from tapelog_dsp.units import db_to_gain

LEVEL_DECAY_MS: Final = 5.0
"""How fast the detector's peak level falls: bridges the zero crossings of the lowest notes."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate; with a small ratio an expander.

    Parameters
    ----------
    threshold_db : float
        Peak level in dBFS at which it opens.
    hysteresis_db : float
        How far below that the level must fall before it closes.
    range_db : float
        How far it closes; 0 does nothing.
    ratio : float
        Output dB per input dB below the threshold while closed.
    attack_ms, hold_ms, release_ms : float
        Time to 63.2 % of opening; how long it stays open below the closing level; time to 63.2 % of closing.
    lookahead_ms : float
        How far the detector hears ahead, so that attacks pass whole; the mix graph evens the latency out.
    sidechain_highpass_hz, sidechain_lowpass_hz : float or None
        What the detector hears.
    key : Key, optional
        Another strip of the mix that the detector hears instead.
    """

    threshold_db: float = default("Gate", "threshold_db")
    hysteresis_db: float = default("Gate", "hysteresis_db")
    range_db: float = default("Gate", "range_db")
    ratio: float = default("Gate", "ratio")
    attack_ms: float = default("Gate", "attack_ms")
    hold_ms: float = default("Gate", "hold_ms")
    release_ms: float = default("Gate", "release_ms")
    lookahead_ms: float = 0.0
    sidechain_highpass_hz: float | None = None
    sidechain_lowpass_hz: float | None = None
    key: Key | None = None

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running gate."""
        return _RunningGate(self, sample_rate, channels)


class _RunningGate(Processor):
    def __init__(self, spec: Gate, sample_rate: int, channels: int) -> None:
        self._spec = spec
        self._rate = sample_rate
        self._settings = np.empty(9)
        self.step_frames = detector_step(spec.attack_ms)
        self._tune()
        self._state = np.zeros(GATE_STATE)
        self._frames = 0
        self.latency_frames = round(spec.lookahead_ms * sample_rate / 1000.0)
        self._delay = DelayLine(channels, self.latency_frames)
        self._key_filter = KeyFilter(spec.sidechain_highpass_hz, spec.sidechain_lowpass_hz, sample_rate)

    def _tune(self) -> None:
        spec = self._spec
        self._settings[:] = (
            db_to_gain(spec.threshold_db),
            db_to_gain(spec.threshold_db - spec.hysteresis_db),
            spec.threshold_db,
            spec.ratio - 1.0,
            spec.range_db,
            one_pole(spec.attack_ms, self._rate),
            one_pole(spec.release_ms, self._rate),
            one_pole(LEVEL_DECAY_MS, self._rate),
            round(spec.hold_ms * self._rate / 1000.0),
        )

    def process(self, samples: Audio, start_frame: int) -> Audio:
        return self.process_keyed(samples, samples, start_frame)

    def process_keyed(self, samples: Audio, key: Audio, start_frame: int) -> Audio:
        gains = gate(self._settings, self._state, self._key_filter.process(key, start_frame))
        self._frames += samples.shape[1]
        return apply_curve(self._delay.process(samples), gains)

    def move(self, name: str, course: Course) -> None:
        """Let a setting move cell by cell; attack and release smooth what it does."""
        movable(self._spec, name, course=course)
        changes: dict[str, Any] = {name: course.start}
        self._spec = dataclasses.replace(self._spec, **changes)
        if name.startswith("sidechain"):
            self._key_filter.move(name, course)
        self._tune()

    def reset(self) -> None:
        self._state[:] = 0.0
        self._frames = 0
        self._delay.reset()
        self._key_filter.reset()

    def telemetry(self) -> Mapping[str, float]:
        """Return the share of time in which it was open."""
        return {"open_share": float(self._state[4]) / max(self._frames, 1)}
