"""Pan laws: how a mono source is placed between two speakers, how a stereo one is balanced."""

import math
from typing import Final

from tapelog_dsp.errors import ParameterError

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
