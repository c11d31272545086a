"""Doors to ``dynamics.c``: gain curves of compressor and limiter."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function


@dataclass(frozen=True, slots=True)
class CompressorSettings:
    """What the compressor kernel needs, in the kernel's order.

    Parameters
    ----------
    threshold_db, knee_db : float
        T and W of the static curve.
    slope : float
        1 - 1/R: reduction in dB per dB above the threshold.
    attack, release, power : float
        One-pole factors b = 1 - exp(-1 / (tau fs)); power 0 detects peaks, above it the root mean square.
    makeup_db, mix : float
        Gain after the curve, and the share of the compressed signal.
    """

    threshold_db: float
    knee_db: float
    slope: float
    attack: float
    release: float
    makeup_db: float
    mix: float
    power: float

    def array(self) -> Float64s:
        """Return the settings as the kernel reads them."""
        return np.array(
            [
                self.threshold_db,
                self.knee_db,
                self.slope,
                self.attack,
                self.release,
                self.makeup_db,
                self.mix,
                self.power,
            ]
        )


COMPRESSOR_SETTINGS = 8
COMPRESSOR_STATE = 5
"""Held reduction, smoothed reduction, mean square, and for reports the largest and the sum of reductions in dB."""


def compress(settings: Float64s, state: Float64s, key: Float64s) -> Float64s:
    """Return the linear gain ``[frames]`` for a key ``[channels, frames]``; the state moves on in place."""
    channels, frames = key.shape
    gains = np.empty(frames)
    function("tl_compress", "ppppll")(address(settings), address(state), address(key), address(gains), channels, frames)
    return gains


GATE_STATE = 5
"""Level, reduction in dB, whether it is open, frames of hold left, and for reports how long it was open."""


def gate(settings: Float64s, state: Float64s, key: Float64s) -> Float64s:
    """Return the linear gain ``[frames]`` of a gate for a key ``[channels, frames]``; the state moves on in place.

    settings: opening and closing level (linear), threshold in dB, dB of reduction per dB below it, largest reduction in
    dB, one-pole factors of attack, release and of the level's own decay, frames of hold.
    """
    channels, frames = key.shape
    gains = np.empty(frames)
    function("tl_gate", "ppppll")(address(settings), address(state), address(key), address(gains), channels, frames)
    return gains
