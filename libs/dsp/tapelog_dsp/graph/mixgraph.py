"""The running mix: tracks into buses into the mix, block by block, by sums that are exact."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.errors import GraphError
from tapelog_dsp.graph.lanes import LaneGroup, lane_groups
from tapelog_dsp.graph.lines import BlockLines
from tapelog_dsp.graph.plan import Edge, path_maximum, plan
from tapelog_dsp.graph.spec import MIX, BusSpec, MixSpec, TrackSpec
from tapelog_dsp.graph.strip import Strip
from tapelog_dsp.graph.sums import FrontSums
from tapelog_dsp.graph.ways import Way
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.console import Sums, add_split, weighted_sum
from tapelog_dsp.processors.delayline import DelayLine


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
    sums : mapping of str to ndarray [shape=(2, frames)]
        What goes into the buses that were asked for, before their processors: exact, in the song time of the lines
        that it was made from, and overwritten by the next block but one.
    outs : mapping of str to ndarray of float32 [shape=(2, frames)]
        What leaves the strips that were asked for, after their faders: in song time, and overwritten likewise.
    """

    start_frame: int
    mix: Audio
    taps: Mapping[str, Audio] = field(default_factory=dict)
    sums: Mapping[str, Audio] = field(default_factory=dict)
    outs: Mapping[str, Float32s] = field(default_factory=dict)


class MixGraph:
    """A mix in motion; feed it blocks in song order, of any lengths.

    Parameters
    ----------
    spec : MixSpec
        What to build.
    taps : tuple of str
        Ids of tracks and buses that are wanted alone beside the mix, for stems and measures. A muted one is silent.
    sums : tuple of str
        Buses whose input is wanted, or `MIX`.
    beds : mapping of str to str, optional
        For buses, or `MIX`, the bed that is added to their input: what was summed before (`BlockLines.beds`). Several
        may lie on one.
    outs : tuple of str
        Strips whose signal after the fader is wanted as it is handed on.
    played : tuple of str
        Tracks that do not run: what they would hand on is written into their lines (`BlockLines.post_fader`).

    Raises
    ------
    GraphError
        The spec cannot be wired.
    ParameterError
        A processor does not fit the sample rate or the channel count.
    """

    def __init__(
        self,
        spec: MixSpec,
        *,
        taps: tuple[str, ...] = (),
        sums: tuple[str, ...] = (),
        beds: Mapping[str, str] | None = None,
        outs: tuple[str, ...] = (),
        played: tuple[str, ...] = (),
    ) -> None:
        self.spec = spec
        self._outs_wanted = outs
        self._sums_wanted, self._beds = sums, dict(beds or {})
        wiring = plan(spec)
        known = {track.id for track in spec.tracks} | {bus.id for bus in spec.buses}
        for tap in taps:
            if tap not in known:
                raise GraphError(f"no track or bus is called {tap!r}; there are {', '.join(sorted(known))}")
        self._wanted = taps
        mix = BusSpec(
            "mix node", spec.gain_db, processors=spec.processors, gain_automation=spec.gain_automation,
            automation=spec.automation,
        )  # fmt: skip
        specs: dict[str, TrackSpec | BusSpec] = {track.id: track for track in wiring.tracks}
        specs |= {bus.id: bus for bus in wiring.buses}
        self._strips: dict[str, Strip] = {}
        for name in wiring.order:
            vcas = [vca for vca in spec.vcas if name in vca.members]
            self._strips[name] = Strip(specs[name], spec.sample_rate, spec.pan_law_db, vcas)
        self._strips[MIX] = Strip(mix, spec.sample_rate, spec.pan_law_db)
        self._channels = {track.id: track.channels for track in wiring.tracks if track.id not in played}
        self._even_out(wiring.edges)
        keyed = {edge.target for edge in wiring.edges if edge.key_position is not None}
        front = [self._strips[track.id] for track in wiring.tracks if track.id not in keyed.union(played)]
        front = [strip for strip in front if not self._arrival[strip.spec.id]]
        self._groups, self._alone = lane_groups(front)
        first = {strip.spec.id for group in self._groups for strip in group.strips}.union(played)
        first |= {strip.spec.id for strip in self._alone}
        self._sums = FrontSums(self._ways, first)
        self._later = [name for name in self._strips if name not in first]
        self._spare: list[BlockLines] = []
        self._clock = 0

    def _even_out(self, edges: list[Edge]) -> None:
        latencies = {name: strip.chain.latency_frames for name, strip in self._strips.items()}
        tails = {name: strip.chain.tail_frames for name, strip in self._strips.items()}
        before = {
            edge: self._strips[edge.target].chain.latency_before(edge.key_position)
            for edge in edges
            if edge.key_position is not None
        }
        self._arrival = path_maximum(latencies, edges, before)
        self.latency_frames: int = self._arrival[MIX] + latencies[MIX]
        self.tail_frames: int = path_maximum(tails, edges)[MIX] + tails[MIX]
        leaving = {name: self._arrival[name] + latency for name, latency in latencies.items()}
        self._ways: dict[str, list[Way]] = {name: [] for name in self._strips}
        self._keys: dict[str, list[tuple[Edge, DelayLine]]] = {name: [] for name in self._strips}
        for edge in edges:
            delay = self._arrival[edge.target] + before.get(edge, 0) - leaving[edge.source]
            if edge.key_position is None:
                way = Way(edge, delay, self._arrival[edge.target], self.spec.sample_rate)
                self._ways[edge.target].append(way)
            else:
                self._keys[edge.target].append((edge, DelayLine(2, delay)))
        self._waits = {
            name: DelayLine(count, self._arrival[name]) for name, count in self._channels.items() if self._arrival[name]
        }
        self._tap_delays = {
            tap: DelayLine(2, self.latency_frames - leaving[tap]) for tap in self._wanted if tap in self._strips
        }

    def __repr__(self) -> str:
        return f"MixGraph({len(self._strips)} nodes, latency {self.latency_frames} frames)"

    @property
    def track_channels(self) -> Mapping[str, int]:
        """Channels of every track that is heard."""
        return self._channels

    @property
    def packable(self) -> Mapping[str, int]:
        """Channels of the tracks whose samples may be given as they stand in a file."""
        return {strip.spec.id: strip.channels for group in self._groups for strip in group.strips}

    def lines(self, frames: int, packed: Mapping[str, int] | None = None) -> BlockLines:
        """Return the lines of the next block, to be given back by `finish`; song time moves on.

        ``packed`` says of how many bytes the samples are that come as whole numbers, for tracks of `packable`.
        """
        packed = packed or {}
        fitting = [line for line in self._spare if line.fits(frames, packed)]
        self._spare = fitting[1:]
        if fitting:
            block = fitting[0]
        else:
            tapped = {edge.source for keys in self._keys.values() for edge, _ in keys if edge.pre_fader}
            wanted = {name: strip.has_pre_fader_send or name in tapped for name, strip in self._strips.items()}
            block = BlockLines(self._channels, wanted, frames, packed, set(self._beds.values()))
        block.start_frame = self._clock
        self._clock += frames
        return block

    def front_work(self, block: BlockLines) -> list[tuple[list[str], Callable[[], None]]]:
        """Return what can be done side by side before `finish`: the tracks that it needs, and the work itself.

        Each piece must have ended before the same piece of the next block begins.
        """
        work: list[tuple[list[str], Callable[[], None]]] = []
        for group in self._groups:
            names = [strip.spec.id for strip in group.strips]

            def run_group(group: LaneGroup = group) -> None:
                group.process(block)

            work.append((names, run_group))
        for strip in self._alone:

            def run_strip(strip: Strip = strip) -> None:
                name = strip.spec.id
                strip.process(block.inputs[name], block.start_frame, block.post_fader[name], block.pre_fader.get(name))

            work.append(([strip.spec.id], run_strip))
        return work

    def finish(self, block: BlockLines) -> MixBlock:
        """Do what waits for the tracks: keyed tracks, buses, the mix node; blocks in order, after their front work."""
        start, frames = block.start_frame, block.frames
        summed = self._sums.run(block)
        sums: dict[str, Audio] = {}
        for name in self._later:
            strip = self._strips[name]
            inside = summed[name] if name in summed else self._inside(name, block)
            if name in self._beds:
                bed = block.beds[self._beds[name]]
                add_split(bed.high, bed.low, inside)
            if name in self._sums_wanted:
                sums[name] = inside
            keys = {
                edge.key_position: line.process(block.tapped(edge)).astype(np.float64)
                for edge, line in self._keys[name]
                if edge.key_position is not None
            }
            strip.process(inside, start - self._arrival[name], block.post_fader[name], block.pre_fader.get(name), keys)
        taps = {tap: line.process(block.post_fader[tap]).astype(np.float64) for tap, line in self._tap_delays.items()}
        for tap in self._wanted:
            taps.setdefault(tap, np.zeros((2, frames)))
        mix = block.post_fader[MIX].astype(np.float64)
        self._spare = [*self._spare[-1:], block]
        outs = {name: block.post_fader[name] for name in self._outs_wanted}
        return MixBlock(start - self.latency_frames, mix, taps, sums, outs)

    def _inside(self, name: str, block: BlockLines) -> Audio:
        if name in self._channels:
            samples = block.inputs[name]
            return self._waits[name].process(samples) if name in self._waits else samples
        ways = self._ways[name]
        if all(way.still for way in ways):
            return self._still_sum(name, ways, block)
        inside = np.empty((2, block.frames))
        signals = [way.process(block.tapped(way.edge), block.start_frame) for way in ways]
        gains = np.array([way.gain for way in ways])
        for side in (0, 1):
            weighted_sum([signal[side] for signal in signals], gains, inside[side])
        return inside

    @staticmethod
    def _still_sum(name: str, ways: Sequence[Way], block: BlockLines) -> Audio:
        """Return the sum of ways whose signals stand in the lines as they are: where, is looked up once."""
        kept: tuple[Audio, Sums] | None = block.kept.get(("inside", name))
        if kept is None:
            inside = np.zeros((2, block.frames))
            gains = [way.gain for way in ways]
            rows = [([block.tapped(way.edge)[side] for way in ways], gains, inside[side]) for side in (0, 1)]
            kept = block.kept["inside", name] = inside, Sums(rows)
        inside, sums = kept
        sums.run()
        return inside

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
        given = {
            name: valid_audio(blocks[name], name=f"track {name}", channels=channels, frames=frames)
            for name, channels in self._channels.items()
            if name in blocks
        }
        block = self.lines(frames)
        for name, line in block.inputs.items():
            line[:] = given.get(name, 0.0)
        for _, work in self.front_work(block):
            work()
        return self.finish(block)

    def reset(self) -> None:
        """Go back to the song's start with everything silent."""
        self._clock = 0
        for strip in self._strips.values():
            strip.chain.reset()
        for group in self._groups:
            group.reset()
        lines = [way.delay for ways in self._ways.values() for way in ways]
        lines += [line for keys in self._keys.values() for _, line in keys]
        for line in (*lines, *self._waits.values(), *self._tap_delays.values()):
            line.reset()

    def telemetry(self) -> dict[str, float]:
        """Return every processor's figures under ``<strip>.<position>.<type>.<figure>``."""
        for group in self._groups:
            group.settle()
        return {
            f"{name}.{figure}": value
            for name, strip in self._strips.items()
            for figure, value in strip.chain.telemetry().items()
        }
