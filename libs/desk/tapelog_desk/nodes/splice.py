"""A mix of what has to run, with the same result as the whole one.

Samples between strips are float32 on the grid, sums on the grid are exact, and a strip with inverted polarity gives the
exact negative: so the result is the same to the last bit.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeVar

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.graph.plan import Edge, edges_of

from tapelog_desk.console import bus_spec, track_spec, vca_spec
from tapelog_desk.impulses import ImpulseOf
from tapelog_desk.nodes.keys import MixKeys, Strip, owners
from tapelog_desk.nodes.reuse import Decision, Taken
from tapelog_desk.nodes.sums import OutReader, SumReader

VOID: Final = "node:void"
"""A muted bus for the main way of a strip that is not summed where it goes; no recipe can name one."""
TAKEN: Final = "node:taken"
"""How the strips begin that are taken out of a sum."""

_S = TypeVar("_S", dsp.TrackSpec, dsp.BusSpec)


@dataclasses.dataclass(frozen=True, slots=True)
class Spliced:
    """A mix of what has to run.

    Attributes
    ----------
    spec : MixSpec
        The mix.
    recordings : mapping of str to RecipeTrack
        The old tracks in it, as they were written, every source named by its content.
    beds : mapping of str to SumReader
        What lies under the sums, by their buses.
    played : mapping of str to OutReader
        Old buses that need not run, by the tracks that stand for them.
    """

    spec: dsp.MixSpec
    recordings: Mapping[str, pb.RecipeTrack]
    beds: Mapping[str, SumReader]
    played: Mapping[str, OutReader]


def spliced(
    spec: dsp.MixSpec,
    keys: MixKeys,
    decision: Decision,
    channels_of: Callable[[str], int],
    impulse_of: ImpulseOf,
) -> Spliced:
    """Return the mix that a decision asks for.

    Parameters
    ----------
    spec : MixSpec
        The whole mix.
    keys : MixKeys
        Its digests.
    decision : Decision
        What runs.
    channels_of : callable
        Channels of a recording by its SHA-256.
    impulse_of : callable
        Reads impulse responses.
    """
    tracks = [_kept(track, decision.edges) for track in keys.wiring.tracks if track.id in decision.strips]
    buses = [_kept(bus, decision.edges) for bus in keys.wiring.buses if bus.id in decision.strips]
    vcas = [_held(vca, decision.strips) for vca in spec.vcas]
    beds: dict[str, SumReader] = dict(decision.beds)
    recordings: dict[str, pb.RecipeTrack] = {}
    played: dict[str, OutReader] = {}
    for number, taken in enumerate(decision.taken):
        recipe = taken.version.mix_recipe()
        strip = owners(recipe)[taken.strip]
        name = f"{TAKEN}:{number}"
        if isinstance(strip, pb.RecipeTrack) and strip.mute:
            continue  # it gave silence
        if isinstance(strip, pb.RecipeTrack):
            recordings[name] = strip
            sha256 = strip.source.asset_sha256
            tracks.append(_inverted(track_spec(strip, channels_of(sha256), recipe.tempo_bpm, impulse_of), name, taken))
        elif isinstance(taken.kept, OutReader):
            sends = bus_spec(strip, recipe.tempo_bpm, impulse_of).sends
            tracks.append(_inverted(dsp.TrackSpec(taken.strip, channels=2, sends=sends), name, taken))
            played[name] = taken.kept
            continue
        else:
            buses.append(_inverted(bus_spec(strip, recipe.tempo_bpm, impulse_of), name, taken))
            if taken.kept is not None:
                beds[name] = taken.kept
        for place, vca in enumerate(recipe.vcas):
            if taken.strip in vca.members:
                vcas.append(dataclasses.replace(vca_spec(vca), id=f"{name}:{place}", members=(name,)))
    whole = dataclasses.replace(
        spec,
        tracks=tuple(tracks),
        buses=(*buses, dsp.BusSpec(VOID, mute=True)),
        vcas=tuple(vca for vca in vcas if vca.members),
        length_frames=keys.length_frames,
        tail_s=0.0,
    )
    return Spliced(whole, recordings, beds, played)


def _kept(strip: _S, edges: Collection[Edge]) -> _S:
    """Return a strip with those of its ways that are summed."""
    main, *sends = edges_of(strip)
    kept = tuple(send for send, edge in zip(strip.sends, sends, strict=True) if edge in edges)
    return dataclasses.replace(strip, output_bus=strip.output_bus if main in edges else VOID, sends=kept)


def _held(vca: dsp.VcaSpec, strips: Collection[str]) -> dsp.VcaSpec:
    return dataclasses.replace(vca, members=tuple(name for name in vca.members if name in strips))


def _inverted(strip: _S, name: str, taken: Taken) -> _S:
    """Return an old strip under another name, its polarity inverted, on the ways that are taken out."""
    old: Strip = strip
    main = next((target for way, target in taken.ways if way == 0), VOID)
    sends = [dataclasses.replace(old.sends[way - 1], bus=target) for way, target in taken.ways if way]
    return dataclasses.replace(
        strip,
        id=name,
        polarity_inverted=not strip.polarity_inverted,
        output_bus=main,
        sends=tuple(sends),
        mute=False,
        solo=False,
    )
