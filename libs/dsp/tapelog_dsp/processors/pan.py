"""Pan laws: how a mono source is placed between two speakers, how a stereo one is balanced."""

import math
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import CurvePoints, curve

PAN_LAWS_DB: Final = (0.0, -3.0, -4.5, -6.0)
"""Level of each speaker at the centre. The exact values are 0, -3.0103, -4.5154 and -6.0206 dB."""


def _law(position: float, law_db: float) -> tuple[float, float]:
    """Return the gains for a position from 0 (left) to 1 (right)."""
    if position <= 0.0:
        return 1.0, 0.0
    if position >= 1.0:
        return 0.0, 1.0
    linear = 1.0 - position, position
    power = math.cos(0.5 * math.pi * position), math.sin(0.5 * math.pi * position)
    if law_db == 0.0:
        return min(1.0, 2.0 * linear[0]), min(1.0, 2.0 * linear[1])
    if law_db == -3.0:
        return power
    if law_db == -4.5:
        return math.sqrt(linear[0] * power[0]), math.sqrt(linear[1] * power[1])
    return linear


def _checked(pan: float, law_db: float) -> float:
    if law_db not in PAN_LAWS_DB:
        raise ParameterError("pan_law_db", law_db, f"one of {', '.join(f'{law:g}' for law in PAN_LAWS_DB)}")
    if not -1.0 <= pan <= 1.0:
        raise ParameterError("pan", pan, "from -1 (left) to 1 (right)")
    return 0.5 * (pan + 1.0)


def mono_pan_gains(pan: float, law_db: float) -> tuple[float, float]:
    """Return (left, right) gains of a mono source at ``pan`` from -1 to 1.

    Raises
    ------
    ParameterError
        The position or the law is none of those allowed.
    """
    return _law(_checked(pan, law_db), law_db)


def stereo_balance_gains(pan: float, law_db: float) -> tuple[float, float]:
    """Return (left, right) gains of a stereo source: exactly 1 and 1 at the centre, the far side follows the law.

    Raises
    ------
    ParameterError
        The position or the law is none of those allowed.
    """
    position = _checked(pan, law_db)
    if position == 0.5:
        return 1.0, 1.0
    left, right = _law(position, law_db)
    centre = _law(0.5, law_db)
    return min(1.0, left / centre[0]), min(1.0, right / centre[1])


def pan_gains(pan: float, law_db: float, *, channels: int) -> tuple[float, float]:
    """Return (left, right) gains: of a mono source by the law, of a stereo one as a balance."""
    return mono_pan_gains(pan, law_db) if channels == 1 else stereo_balance_gains(pan, law_db)


class DualPan:
    """Each channel of a stereo source placed on its own, by the mono law.

    Parameters
    ----------
    left, right : float
        Where the left and the right channel stand, from -1 to 1; -1 and 1 leave the image as it is.
    law_db : float
        The mix's pan law.
    """

    def __init__(self, left: float, right: float, law_db: float) -> None:
        self._left = mono_pan_gains(left, law_db)
        self._right = mono_pan_gains(right, law_db)

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Return the placed block."""
        del start_frame
        rows = (samples[0] * self._left[side] + samples[1] * self._right[side] for side in (0, 1))
        return np.stack(list(rows))


class PanCurve:
    """A pan position that moves, evaluated for every frame.

    Parameters
    ----------
    points : CurvePoints
        Position from -1 to 1 over song time.
    law_db : float
        The mix's pan law.
    channels : int
        1 is panned, 2 are balanced.
    """

    def __init__(self, points: CurvePoints, law_db: float, *, channels: int) -> None:
        self._points = points
        self._law_db = law_db
        self._channels = channels

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Return the placed block as two channels."""
        position = 0.5 * (curve(self._points, start_frame, samples.shape[1], decibels=False) + 1.0)
        gains = _moving_law(position, self._law_db)
        if self._channels == 2:
            centre = _law(0.5, self._law_db)
            gains = tuple(np.minimum(1.0, gain / at) for gain, at in zip(gains, centre, strict=True))
        return np.stack([samples[0] * gains[0], samples[-1] * gains[1]])


def _quarter_sine(x: Float64s) -> Float64s:
    """Return sin(pi x / 2) for 0 <= x <= 1 by its series, which no machine computes differently."""
    angle = 0.5 * math.pi * x
    square = angle * angle
    total = np.ones_like(angle)
    for k in range(10, 0, -1):
        total = 1.0 - total * square / ((2 * k) * (2 * k + 1))
    return angle * total


def _moving_law(position: Float64s, law_db: float) -> tuple[Float64s, ...]:
    """Return `_law` for every frame."""
    linear = 1.0 - position, position
    if law_db == 0.0:
        return np.minimum(1.0, 2.0 * linear[0]), np.minimum(1.0, 2.0 * linear[1])
    if law_db == -6.0:
        return linear
    power = _quarter_sine(linear[0]), _quarter_sine(linear[1])
    if law_db == -3.0:
        return power
    return np.sqrt(linear[0] * power[0]), np.sqrt(linear[1] * power[1])
