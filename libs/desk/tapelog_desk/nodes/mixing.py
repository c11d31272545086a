"""A mix that takes what is known of it from kept sums, and keeps what it finds out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.graph.plan import edges_of

from tapelog_desk.files.readers import AudioReader, open_audio
from tapelog_desk.files.streams import BlockReader, shared
from tapelog_desk.impulses import ImpulseOf
from tapelog_desk.nodes.keys import MixKeys, Strip
from tapelog_desk.nodes.reuse import Reuse
from tapelog_desk.nodes.splice import spliced
from tapelog_desk.nodes.store import NodeStore
from tapelog_desk.nodes.sums import OutWriter, SumWriter
from tapelog_desk.nodes.versions import OldPart, OldSum, Version, remember, remembered
from tapelog_desk.sources import Resolve

EXACT: Final = frozenset({"wav", "aiff", "flac"})
"""Containers whose declared length is the length, or an error."""


class Sources(Protocol):
    """The sources of a mix, open and ready to roll."""

    readers: dict[str, BlockReader]
    channels: dict[str, int]
    containers: dict[str, str]
    length_frames: int
    is_resampled: bool


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A cache, and what a mix is made of.

    Attributes
    ----------
    store : NodeStore
        Where nodes are.
    recipe : MixRecipe
        Resolved, every source named by its content.
    resolve : callable
        Finds the file of a source.
    """

    store: NodeStore
    recipe: pb.MixRecipe
    resolve: Resolve


@dataclass(frozen=True, slots=True)
class Prepared:
    """A mix to be rendered instead of the whole one, with the same result.

    Attributes
    ----------
    spec : MixSpec
        What has to run.
    readers : mapping of str to BlockReader
        Of its tracks.
    lies_on : mapping of str to str
        The kept sum that lies under the sum of a bus.
    beds : mapping of str to BedReader
        These kept sums.
    played : mapping of str to LineReader
        Tracks that need not run.
    sums, outs : tuple of str
        Buses, or the mix, whose input is to be kept, and buses of which it is what they hand on.
    keep : callable
        Given each block, to keep this of it.
    """

    spec: dsp.MixSpec
    readers: Mapping[str, BlockReader]
    lies_on: Mapping[str, str] = field(default_factory=dict)
    beds: Mapping[str, dsp.BedReader] = field(default_factory=dict)
    played: Mapping[str, dsp.LineReader] = field(default_factory=dict)
    sums: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    keep: Callable[[dsp.MixBlock], None] | None = None


def prepare(spec: dsp.MixSpec, tape: Sources, use: NodeUse | None, stack: ExitStack, impulse_of: ImpulseOf) -> Prepared:
    """Return what has to run of a mix.

    Where the length of a mix is not known before it is read (MP3, other sample rates), and with a solo, which changes
    what is heard everywhere, nothing is taken or kept.

    Parameters
    ----------
    spec : MixSpec
        The whole mix.
    tape : Sources
        Its recordings.
    use : NodeUse, optional
        The cache; without one the mix is what it is.
    stack : ExitStack
        Closes what is opened here; sums are kept if it ends well.
    impulse_of : callable
        Reads impulse responses.
    """
    whole = Prepared(spec, tape.readers)
    if use is None or spec.tail_s is None or tape.is_resampled or not EXACT.issuperset(tape.containers.values()):
        return whole
    if not tape.length_frames or any(track.solo for track in spec.tracks) or any(bus.solo for bus in spec.buses):
        return whole
    keys = MixKeys(spec, use.recipe, tape.length_frames + round(spec.tail_s * spec.sample_rate))
    tracks = {track.source.asset_sha256: track.id for track in use.recipe.tracks}
    reuse = Reuse(keys, use.store, remembered(use.store, keys.family), set(tracks))
    decision = reuse.decision
    stack.callback(reuse.close)
    keep = _keeper(reuse, keys, use, stack)
    if not decision.beds:
        return Prepared(spec, tape.readers, sums=tuple(keep.sums), outs=tuple(keep.outs), keep=keep.write)
    part = spliced(spec, keys, decision, lambda sha256: tape.channels[tracks[sha256]], impulse_of)
    readers = dict(tape.readers)
    running = [track for track in use.recipe.tracks if track.id in decision.strips and not track.mute]
    for name, old in part.recordings.items():
        twin = next((track for track in running if _in_step(track, old)), None)
        reader = None if twin is None else readers[twin.id]
        if twin is not None and isinstance(reader, AudioReader):
            readers[twin.id], readers[name] = shared(reader)
            continue
        sha256 = old.source.asset_sha256
        readers[name] = stack.enter_context(open_audio(use.resolve(old.source), name=f"an earlier {sha256[:12]}..."))
    lies_on = {bus: reader.key for bus, reader in part.beds.items()}
    beds = {reader.key: reader for reader in part.beds.values()}
    return Prepared(part.spec, readers, lies_on, beds, part.played, tuple(keep.sums), tuple(keep.outs), keep.write)


def _in_step(track: pb.RecipeTrack, old: pb.RecipeTrack) -> bool:
    """Tell whether two tracks play the same recording at the same time."""
    return track.source.asset_sha256 == old.source.asset_sha256 and track.start_frame == old.start_frame


@dataclass(frozen=True, slots=True)
class _Writers:
    """What is kept of a mix while it is made."""

    sums: Mapping[str, SumWriter] = field(default_factory=dict)
    outs: Mapping[str, OutWriter] = field(default_factory=dict)

    def write(self, block: dsp.MixBlock) -> None:
        """Keep what is wanted of a block."""
        for target, total in self.sums.items():
            total.write_sum(block.sums[target])
        for name, out in self.outs.items():
            out.write_line(block.outs[name])


@contextmanager
def _keeping(use: NodeUse, keys: MixKeys, fresh: Mapping[str, str], version: Version) -> Iterator[_Writers]:
    """Keep sums and what buses hand on, and what they are made of, if the mix ends well."""
    left = {bus: key for bus, key in version.outs.items() if bus in fresh}
    with use.store.writing_mix(fresh, left, keys.covered_frames) as (sums, outs):
        yield _Writers(sums, outs)
    if sums:
        remember(use.store, keys.family, version)


def _keeper(reuse: Reuse, keys: MixKeys, use: NodeUse, stack: ExitStack) -> _Writers:
    """Return the writers of the sums that are made anew and worth keeping."""
    sums: dict[str, OldSum] = {}
    strips: list[Strip] = [*keys.wiring.tracks, *keys.wiring.buses]
    places = {strip.id: edges_of(strip) for strip in strips}
    for target in reuse.settled:
        parts = keys.parts(target)
        old = {
            part.digest: OldPart(
                part.edge.source, places[part.edge.source].index(part.edge), keys.listens(part.edge.source)
            )
            for part in parts
        }
        if len(old) == len(parts):  # of two equal parts one could not be taken out
            sums[target] = OldSum(keys.sum_of(list(old)), old)
    fresh = {target: sums[target].key for target in sums if target in reuse.decision.fresh}
    if not fresh:
        return _Writers()
    outs = {bus.id: keys.out_of(bus.id) for bus in keys.wiring.buses if bus.id in sums and is_costly(bus)}
    if keys.covered_frames > keys.length_frames:
        outs = {}  # `Reuse` does not play them then
    version = Version(use.recipe.SerializeToString(deterministic=True), sums, outs)
    return stack.enter_context(_keeping(use, keys, fresh, version))


def is_costly(bus: dsp.BusSpec) -> bool:
    """Tell whether reading what a bus has handed on is less work than making it again."""
    return bool(bus.processors)
