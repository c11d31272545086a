"""What a detector hears: its own band of the key."""

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.recursion import sos, sos_state, svf
from tapelog_dsp.processors.base import Course
from tapelog_dsp.processors.movingeq import THROUGH, state_variable

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
        self._rate = sample_rate
        self._corners = {"highpass": highpass_hz or 0.0, "lowpass": lowpass_hz or 0.0}
        parts = [self._sections_at(name, corner) for name, corner in self._corners.items() if corner]
        self._sections = np.concatenate(parts) if parts else np.empty((0, 5))
        self._state = sos_state(len(self._sections), KEY_CHANNELS)
        self._courses: dict[str, Course] = {}
        self._rows = (np.empty((0, 5)), np.empty((0, 5)))
        self.open = not parts

    def _sections_at(self, name: str, corner: float) -> Float64s:
        if corner >= 0.5 * self._rate:
            limit = f"below {0.5 * self._rate:g} Hz, half the sample rate"
            raise ParameterError(f"sidechain_{name}_hz", corner, limit)
        return butterworth(corner, 12, self._rate, highpass=name == "highpass")

    def move(self, setting: str, course: Course) -> None:
        """Let ``sidechain_highpass_hz`` or ``sidechain_lowpass_hz`` go from one value to another in the next cell."""
        if not self._courses:
            self._state = sos_state(len(self._corners), KEY_CHANNELS)
        self.open = False
        self._courses[setting.removeprefix("sidechain_").removesuffix("_hz")] = course
        ends = []
        for end in ("start", "end"):
            rows = [THROUGH] * len(self._corners)
            for place, (name, still) in enumerate(self._corners.items()):
                corner = getattr(self._courses[name], end) if name in self._courses else still
                if corner:
                    rows[place] = state_variable(self._sections_at(name, corner))
            ends.append(np.concatenate(rows))
        self._rows = ends[0], ends[1]

    def process(self, key: Audio, start_frame: int) -> Audio:
        """Return the next block ``[channels, frames]`` of the key as the detector hears it."""
        if self.open:
            return key
        state = self._state[: key.shape[0]]
        if not self._courses:
            return sos(self._sections, state, key)
        place = next(iter(self._courses.values())).place(start_frame)
        return svf(*self._rows, place, state, key)

    def reset(self) -> None:
        """Forget the past."""
        self._state[:] = 0.0
