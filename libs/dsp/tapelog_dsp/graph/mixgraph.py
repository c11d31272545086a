"""The running mix: tracks into buses into the mix, block by block, in one fixed order of summation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.errors import GraphError
from tapelog_dsp.graph.plan import Edge, active_strips, edges_of, path_maximum
from tapelog_dsp.graph.spec import MIX, BusSpec, MixSpec, TrackSpec
from tapelog_dsp.graph.strip import Strip
from tapelog_dsp.kernels.console import accumulate
from tapelog_dsp.processors.delayline import DelayLine
from tapelog_dsp.units import db_to_gain


@dataclass(frozen=True, slots=True)
class MixBlock:
    """One block of a mix.

    Parameters
    ----------
    start_frame : int
        Song time of the first sample.
    mix : ndarray [shape=(2, frames)]
        float64 holding float32 values.
    taps : mapping of str to ndarray [shape=(2, frames)]
        The tracks and buses that were asked for, after fader and pan, in time with the mix.
    """

    start_frame: int
    mix: Audio
    taps: Mapping[str, Audio] = field(default_factory=dict)


class MixGraph:
    """A mix in motion; feed it blocks in song order, of any lengths.

    Parameters
    ----------
    spec : MixSpec
        What to build.
    taps : tuple of str
        Ids of tracks and buses that are wanted alone beside the mix, for stems and measures. A muted one is silent.

    Raises
    ------
    GraphError
        The spec cannot be wired.
    ParameterError
        A processor does not fit the sample rate or the channel count.
    """

    def __init__(self, spec: MixSpec, *, taps: tuple[str, ...] = ()) -> None:
        self.spec = spec
        tracks, buses = active_strips(spec)
        known = {track.id for track in spec.tracks} | {bus.id for bus in spec.buses}
        for tap in taps:
            if tap not in known:
                raise GraphError(f"no track or bus is called {tap!r}; there are {', '.join(sorted(known))}")
        self._wanted = taps
        mix = BusSpec("mix node", spec.gain_db, processors=spec.processors, gain_automation=spec.gain_automation)
        strips: list[TrackSpec | BusSpec] = [*tracks, *buses]
        self._strips = {strip.id: Strip(strip, spec.sample_rate, spec.pan_law_db) for strip in strips}
        self._strips[MIX] = Strip(mix, spec.sample_rate, spec.pan_law_db)
        self._channels = {track.id: track.channels for track in tracks}
        self._edges = {strip.id: [edge for edge in edges_of(strip) if edge.target in self._strips] for strip in strips}
        self._even_out()
        self._clock = 0

    def _even_out(self) -> None:
        edges = [edge for ways in self._edges.values() for edge in ways]
        latencies = {name: strip.chain.latency_frames for name, strip in self._strips.items()}
        tails = {name: strip.chain.tail_frames for name, strip in self._strips.items()}
        self._arrival = path_maximum(latencies, edges)
        self.latency_frames: int = self._arrival[MIX] + latencies[MIX]
        self.tail_frames: int = path_maximum(tails, edges)[MIX] + tails[MIX]
        leaving = {name: self._arrival[name] + latency for name, latency in latencies.items()}
        self._delays = {edge: DelayLine(2, self._arrival[edge.target] - leaving[edge.source]) for edge in edges}
        self._tap_delays = {
            tap: DelayLine(2, self.latency_frames - leaving[tap]) for tap in self._wanted if tap in self._strips
        }

    def __repr__(self) -> str:
        return f"MixGraph({len(self._strips)} nodes, latency {self.latency_frames} frames)"

    def process(self, blocks: Mapping[str, Audio], frames: int) -> MixBlock:
        """Mix the next ``frames`` frames.

        Parameters
        ----------
        blocks : mapping of str to ndarray [shape=(channels, frames)]
            Each track's samples at song time (its start already applied); a track that is absent is silent.
        frames : int
            Length of the block.

        Returns
        -------
        MixBlock
            Late by `latency_frames`: its ``start_frame`` is negative while the graph fills up.

        Raises
        ------
        AudioError
            A block has the wrong shape or is not finite.
        GraphError
            A block is given for a track that does not exist.
        """
        unknown = set(blocks) - {track.id for track in self.spec.tracks}
        if unknown:
            raise GraphError(f"no track is called {', '.join(sorted(unknown))}")
        start = self._clock
        sums: dict[str, Audio] = {}
        taps: dict[str, Audio] = {}
        for name, strip in self._strips.items():
            if name in self._channels:
                inside = self._track_input(name, blocks, frames)
            else:
                inside = sums.pop(name) if name in sums else np.zeros((2, frames))
            post_fader, pre_fader = strip.process(inside, start - self._arrival[name])
            if name == MIX:
                break
            for edge in self._edges[name]:
                source = pre_fader if edge.pre_fader and pre_fader is not None else post_fader
                self._add(edge, source, sums)
            if name in self._tap_delays:
                taps[name] = self._tap_delays[name].process(post_fader)
        self._clock += frames
        for tap in self._wanted:
            taps.setdefault(tap, np.zeros((2, frames)))
        return MixBlock(start - self.latency_frames, post_fader, taps)

    def _track_input(self, name: str, blocks: Mapping[str, Audio], frames: int) -> Audio:
        channels = self._channels[name]
        if name not in blocks:
            return np.zeros((channels, frames))
        return valid_audio(blocks[name], name=f"track {name}", channels=channels, frames=frames)

    def _add(self, edge: Edge, source: Audio, sums: dict[str, Audio]) -> None:
        total = sums.get(edge.target)
        if total is None:
            total = sums[edge.target] = np.zeros_like(source)
        accumulate(self._delays[edge].process(source), db_to_gain(edge.gain_db), total)

    def reset(self) -> None:
        """Go back to the song's start with everything silent."""
        self._clock = 0
        for strip in self._strips.values():
            strip.chain.reset()
        for line in (*self._delays.values(), *self._tap_delays.values()):
            line.reset()

    def telemetry(self) -> dict[str, float]:
        """Return every processor's figures under ``<strip>.<position>.<type>.<figure>``."""
        return {
            f"{name}.{figure}": value
            for name, strip in self._strips.items()
            for figure, value in strip.chain.telemetry().items()
        }
