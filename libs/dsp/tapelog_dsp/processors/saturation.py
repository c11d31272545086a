"""Saturation without the aliases of a plain curve: anti-derivative anti-aliasing of the first order.

J. Parker, V. Zavalishin, E. Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time
convolution", DAFx 2016: y = (F(x1) - F(x0)) / (x1 - x0) with F the integral of the curve, here ln cosh for tanh.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import exp2_array, log2_array
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.units import db_to_gain

LN_2: Final = 0.6931471805599453
LOG2_E: Final = 1.4426950408889634
STEP_MIN: Final = 1e-5
"""Between samples that are closer than this the quotient loses its digits; the curve at their middle stands in."""


@dataclass(frozen=True, slots=True)
class Saturation:
    """A soft curve, tanh, with a gain before and after it.

    Parameters
    ----------
    drive_db : float
        How far the signal is pushed into the curve; small signals keep their level. 0 leaves it alone altogether.
    bias : float
        Shifts the curve, for even harmonics; the offset that it makes is taken off.
    output_db : float
        Level afterwards.
    """

    drive_db: float
    bias: float = 0.0
    output_db: float = 0.0

    def __post_init__(self) -> None:
        declared(self)

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running saturation; half a frame late, which nothing evens out."""
        del sample_rate
        return _RunningSaturation(self, channels)


class _RunningSaturation(Processor):
    def __init__(self, spec: Saturation, channels: int) -> None:
        self._drive = db_to_gain(spec.drive_db)
        self._output = db_to_gain(spec.output_db)
        self._bias = spec.bias
        self._neutral = spec.drive_db == 0.0
        rest = float(_tanh(np.array([spec.bias]))[0])
        self._offset = rest
        self._scale = 1.0 / (self._drive * (1.0 - rest * rest))
        self._kept = np.full((channels, 1), spec.bias)
        self.tail_frames = 0 if self._neutral else 1

    def process(self, samples: Audio, start_frame: int) -> Audio:
        del start_frame
        if self._neutral:
            return samples * self._output if self._output != 1.0 else samples
        joined = np.concatenate((self._kept, samples * self._drive + self._bias), axis=1)
        self._kept = joined[:, -1:].copy()
        before, now = joined[:, :-1], joined[:, 1:]
        step = now - before
        close = np.abs(step) < STEP_MIN
        integral = _ln_cosh(joined)
        slope = (integral[:, 1:] - integral[:, :-1]) / np.where(close, 1.0, step)
        curve = np.where(close, _tanh(0.5 * (now + before)), slope)
        return (curve - self._offset) * (self._scale * self._output)

    def reset(self) -> None:
        self._kept[:] = self._bias


def _tanh(x: Float64s) -> Float64s:
    small = exp2_array(np.abs(x) * (-2.0 * LOG2_E))
    return np.copysign((1.0 - small) / (1.0 + small), x)


def _ln_cosh(x: Float64s) -> Float64s:
    size = np.abs(x)
    return size + LN_2 * (log2_array(1.0 + exp2_array(size * (-2.0 * LOG2_E))) - 1.0)
