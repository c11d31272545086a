"""Gain automation: breakpoints in dB become a gain for every sample, from absolute song time alone."""

import bisect

import numpy as np

from tapelog_dsp.graph.spec import GainPoint
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import exp2_array
from tapelog_dsp.units import LOG2_10_OVER_20, SILENCE_DB, db_to_gain


class GainCurve:
    """The gain of a fader with its automation, as a function of song time.

    Parameters
    ----------
    base_db : float
        The fader's own level; the automation is added.
    points : tuple of GainPoint
        In rising order of time; empty for a fader that stands still.
    """

    def __init__(self, base_db: float, points: tuple[GainPoint, ...]) -> None:
        self._base_db = base_db
        self._points = points
        self._frames = [point.frame for point in points]

    def gains(self, start_frame: int, frames: int) -> float | Float64s:
        """Return the linear gain of each frame, or one number where it does not change within the block."""
        constant = self._constant_db(start_frame, start_frame + frames)
        if constant is not None:
            return db_to_gain(constant)
        levels = np.empty(frames)
        filled = 0
        while filled < frames:
            now = start_frame + filled
            stop = min(self._segment_end(now), start_frame + frames)
            self._fill(levels[filled : stop - start_frame], now, stop)
            filled = stop - start_frame
        gains = exp2_array(levels * LOG2_10_OVER_20)
        gains[levels <= SILENCE_DB] = 0.0
        return gains

    def _before(self, frame: int) -> int:
        """Return the index of the last breakpoint at or before a frame, -1 before the first."""
        return bisect.bisect_right(self._frames, frame) - 1

    def _segment_end(self, frame: int) -> int:
        index = self._before(frame) + 1
        return self._points[index].frame if index < len(self._points) else 1 << 62

    def _constant_db(self, start: int, stop: int) -> float | None:
        if not self._points:
            return self._base_db
        index = self._before(start)
        last = index == len(self._points) - 1
        held = index < 0 or last or self._points[index].shape == "hold"
        if not held or stop > self._segment_end(start):
            return None
        return self._level_db(max(index, 0))

    def _level_db(self, index: int) -> float:
        return self._base_db + self._points[index].gain_db

    def _fill(self, levels: Float64s, start: int, stop: int) -> None:
        """Write the levels of one segment; every sample depends on its own frame only, so blocks cannot be seen."""
        index = self._before(start)
        if index < 0 or index == len(self._points) - 1 or self._points[index].shape == "hold":
            levels[:] = self._level_db(max(index, 0))
            return
        here, there = self._points[index], self._points[index + 1]
        passed = np.arange(start - here.frame, stop - here.frame, dtype=np.float64)
        levels[:] = self._level_db(index) + (there.gain_db - here.gain_db) * (passed / (there.frame - here.frame))
