"""What a detector hears: its own band of the key."""

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.recursion import sos, sos_state

KEY_CHANNELS = 2
"""A key has at most two channels; a mono one uses the first."""


class KeyFilter:
    """High-pass and low-pass of 12 dB per octave before a detector.

    Parameters
    ----------
    highpass_hz, lowpass_hz : float or None
        Corners; None or 0 is none.
    sample_rate : int
        In Hz.

    Raises
    ------
    ParameterError
        A corner is not below half the sample rate.
    """

    def __init__(self, highpass_hz: float | None, lowpass_hz: float | None, sample_rate: int) -> None:
        parts = []
        for name, corner, highpass in (("highpass", highpass_hz, True), ("lowpass", lowpass_hz, False)):
            if not corner:
                continue
            if corner >= 0.5 * sample_rate:
                limit = f"below {0.5 * sample_rate:g} Hz, half the sample rate"
                raise ParameterError(f"sidechain_{name}_hz", corner, limit)
            parts.append(butterworth(corner, 12, sample_rate, highpass=highpass))
        self._sections = np.concatenate(parts) if parts else np.empty((0, 5))
        self._state = sos_state(len(self._sections), KEY_CHANNELS)
        self.open = not parts

    def process(self, key: Audio) -> Audio:
        """Return the next block ``[channels, frames]`` of the key as the detector hears it."""
        return key if self.open else sos(self._sections, self._state[: key.shape[0]], key)

    def reset(self) -> None:
        """Forget the past."""
        self._state[:] = 0.0
