"""One running channel strip: polarity, processors, fader with automation, pan, and the ways out."""

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.graph.automation import GainCurve
from tapelog_dsp.graph.spec import BusSpec, TrackSpec
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.console import fade
from tapelog_dsp.processors.chain import Chain
from tapelog_dsp.processors.pan import mono_pan_gains, stereo_balance_gains


class Strip:
    """A track or bus in motion.

    Parameters
    ----------
    spec : TrackSpec or BusSpec
        What it is.
    sample_rate : int
        In Hz.
    pan_law_db : float
        The mix's pan law.
    """

    def __init__(self, spec: TrackSpec | BusSpec, sample_rate: int, pan_law_db: float) -> None:
        self.spec = spec
        channels = spec.channels if isinstance(spec, TrackSpec) else 2
        pan_gains = mono_pan_gains if channels == 1 else stereo_balance_gains
        self.chain = Chain(spec.processors, sample_rate, channels)
        self._sides = pan_gains(spec.pan, pan_law_db)
        self._sign = -1.0 if spec.polarity_inverted else 1.0
        self._curve = GainCurve(spec.gain_db, spec.gain_automation)
        self._has_pre_fader_send = any(send.pre_fader for send in spec.sends)

    def __repr__(self) -> str:
        return f"Strip({self.spec.id}: {self.chain!r})"

    def process(self, samples: Audio, start_frame: int) -> tuple[Audio, Audio | None]:
        """Return (post fader, pre fader) stereo blocks on the float32 grid; pre fader only when a send needs it.

        Parameters
        ----------
        samples : ndarray [shape=(1 or 2, frames)]
            What enters the strip.
        start_frame : int
            Song time of the block's first sample.
        """
        frames = samples.shape[1]
        inside = self.chain.process(samples, start_frame)
        gains = self._curve.gains(start_frame - self.chain.latency_frames, frames)
        pre_fader = self._place(inside, 1.0) if self._has_pre_fader_send else None
        return self._place(inside, gains), pre_fader

    def _place(self, inside: Audio, gains: float | Float64s) -> Audio:
        placed = np.empty((2, inside.shape[1]))
        for side in (0, 1):
            source = inside[min(side, inside.shape[0] - 1)]
            fade(source, gains, self._sign * self._sides[side], placed[side])
        return placed
