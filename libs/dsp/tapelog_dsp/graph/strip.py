"""One running channel strip: polarity, processors, fader with automation, pan, and the ways out."""

from collections.abc import Iterable, Mapping

from tapelog_dsp.audio import Audio
from tapelog_dsp.automation import Fader, compiled
from tapelog_dsp.graph.spec import BusSpec, TrackSpec, VcaSpec
from tapelog_dsp.kernels.call import Float32s, Float64s
from tapelog_dsp.kernels.console import fade
from tapelog_dsp.processors.chain import Chain
from tapelog_dsp.processors.pan import DualPan, PanCurve, pan_gains


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
    vcas : iterable of VcaSpec
        Those that hold it.
    """

    def __init__(
        self, spec: TrackSpec | BusSpec, sample_rate: int, pan_law_db: float, vcas: Iterable[VcaSpec] = ()
    ) -> None:
        self.spec = spec
        self.channels = spec.channels if isinstance(spec, TrackSpec) else 2
        self.chain = Chain(spec.processors, sample_rate, self.channels, spec.automation)
        held = list(vcas)
        offset_db = sum(vca.gain_db for vca in held)
        automations = [spec.gain_automation, *(vca.gain_automation for vca in held)]
        self.fader = Fader(spec.gain_db + offset_db, automations, sample_rate)
        sign = -1.0 if spec.polarity_inverted else 1.0
        self.placement: PanCurve | DualPan | None = None
        if spec.pan_automation:
            curve = compiled(spec.pan_automation, sample_rate)
            self.placement = PanCurve(curve, pan_law_db, channels=self.channels)
        elif isinstance(spec, TrackSpec) and spec.pan_right is not None:
            self.placement = DualPan(spec.pan, spec.pan_right, pan_law_db)
        sides = (1.0, 1.0) if self.placement else pan_gains(spec.pan, pan_law_db, channels=self.channels)
        self.sides = sign * sides[0], sign * sides[1]
        self.has_pre_fader_send = any(send.pre_fader for send in spec.sends)

    def __repr__(self) -> str:
        return f"Strip({self.spec.id}: {self.chain!r})"

    def process(
        self,
        samples: Audio,
        start_frame: int,
        post_fader: Float32s,
        pre_fader: Float32s | None,
        keys: Mapping[int, Audio] | None = None,
    ) -> None:
        """Process one block into stereo float32 rows.

        Parameters
        ----------
        samples : ndarray [shape=(1 or 2, frames)]
            What enters the strip.
        start_frame : int
            Song time of the block's first sample.
        post_fader, pre_fader : ndarray [shape=(2, frames)]
            Where the signal after and before the fader goes.
        keys : mapping of int to ndarray, optional
            What the processors at these places of the chain listen to.
        """
        frames = samples.shape[1]
        inside = self.chain.process(samples, start_frame, keys)
        now = start_frame - self.chain.latency_frames
        if self.placement is not None:
            inside = self.placement.process(inside, now)
        self._place(inside, self.fader.gains(now, frames), post_fader)
        if pre_fader is not None:
            self._place(inside, 1.0, pre_fader)

    def _place(self, inside: Audio, gains: float | Float64s, out: Float32s) -> None:
        fade(inside[0], gains, self.sides[0], out[0])
        fade(inside[-1], gains, self.sides[1], out[1])
