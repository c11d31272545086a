"""One running way between strips: latency evened out, the level of a send with its automation."""

import numpy as np

from tapelog_dsp.automation import Fader
from tapelog_dsp.graph.plan import Edge
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.console import fade
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.units import db_to_gain


class Way:
    """A way in motion.

    Parameters
    ----------
    edge : Edge
        What it is.
    delay_frames : int
        How long it holds the signal back, so that all ways into the target arrive together.
    arrival_frames : int
        How late the signal is when it arrives, for the automation's sense of song time.
    sample_rate : int
        In Hz.

    Attributes
    ----------
    gain : float
        The fixed level, which the sum applies.
    still : bool
        Whether that level is all there is to it.
    """

    def __init__(self, edge: Edge, delay_frames: int, arrival_frames: int, sample_rate: int) -> None:
        self.edge = edge
        self.delay = DelayLine(2, delay_frames)
        self.still = delay_frames == 0 and not edge.gain_automation
        self._arrival = arrival_frames
        self._level = Fader(edge.gain_db, [edge.gain_automation], sample_rate) if edge.gain_automation else None
        self.gain = 1.0 if self._level else db_to_gain(edge.gain_db)

    def __repr__(self) -> str:
        return f"Way({self.edge.source} -> {self.edge.target})"

    def process(self, signal: Float32s, start_frame: int) -> Float32s:
        """Return the block as it arrives, but for the fixed `gain`, which the sum applies."""
        arrived: Float32s = self.delay.process(signal)
        if self._level is None:
            return arrived
        gains = self._level.gains(start_frame - self._arrival, signal.shape[1])
        moved = np.empty_like(arrived)
        for row, out in zip(arrived.astype(np.float64), moved, strict=True):
            fade(row, gains, 1.0, out)
        return moved
