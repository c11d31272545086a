"""Which signals of a mix are nodes, by what digest they are known, and a mix with what is known left out.

A node is a bus that goes into the mix, as it leaves its fader: everything that feeds it, and it itself, is in its
digest, and nothing else can change it. A mix in which some nodes are known is the same mix with each of these buses
played from its recording by a neutral strip, and without the tracks that only they needed. Samples between strips are
float32, a neutral strip changes no bit, and every sum keeps its order, so the result is the same to the last bit.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeVar

import tapelog_dsp as dsp
from tapelog_dsp.graph.plan import Edge, Plan, plan
from tapelog_dsp.graph.spec import MIX
from tapelog_dsp.processors.chain import Chain

from tapelog_desk.nodes.digest import digest_of

FORM: Final = "tapelog.node/1"
"""Part of every digest: another form of nodes has other digests."""

WORK_MIN: Final = 4
"""Tracks and inserts behind a bus; reading a recording costs about as much as making less than this."""

PLAYER: Final = "node:"
"""How the tracks begin that play a node; no recipe can name one."""
VOID: Final = "node:void"
"""A muted bus for the main way of a track whose bus is played."""

Strip = dsp.TrackSpec | dsp.BusSpec
_S = TypeVar("_S", dsp.TrackSpec, dsp.BusSpec)


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A bus whose signal is known by a digest."""

    bus: str
    key: str


def nodes_of(spec: dsp.MixSpec, sources: Mapping[str, str], length_frames: int) -> list[Node]:
    """Return the nodes of a mix.

    Parameters
    ----------
    spec : MixSpec
        The mix, with a declared tail.
    sources : mapping of str to str
        SHA-256 of each track's recording.
    length_frames : int
        Of the whole mix, tail included.

    Returns
    -------
    list of Node
        None with a solo, which changes what is heard everywhere.
    """
    everything: list[Strip] = [*spec.tracks, *spec.buses]
    if any(strip.solo for strip in everything):
        return []
    wiring = plan(spec)
    strips = {strip.id: strip for strip in _heard(wiring)}
    nodes = []
    for bus in wiring.buses:
        out = [edge for edge in wiring.edges if edge.source == bus.id]
        if not any(edge.target == MIX for edge in out) or any(edge.pre_fader for edge in out):
            continue
        within = {bus.id, *_behind(bus.id, wiring.edges)}
        if sum(1 + len(strips[name].processors) for name in within) <= WORK_MIN:
            continue
        # A latency may hide sound before the song's first frame, which a recording of the song does not have.
        if any(_latency_frames(strips[name], spec.sample_rate) for name in within):
            continue
        nodes.append(Node(bus.id, _key(spec, wiring, within, sources, length_frames)))
    return nodes


def _heard(wiring: Plan) -> list[Strip]:
    return [*wiring.tracks, *wiring.buses]


def _behind(name: str, edges: Iterable[Edge]) -> set[str]:
    """Return everything that can be heard, or listened to, in a strip."""
    listed = list(edges)
    found: set[str] = set()
    waiting = [name]
    while waiting:
        target = waiting.pop()
        for edge in listed:
            if edge.target == target and edge.source not in found:
                found.add(edge.source)
                waiting.append(edge.source)
    return found


def _latency_frames(strip: Strip, sample_rate: int) -> int:
    channels = strip.channels if isinstance(strip, dsp.TrackSpec) else 2
    return Chain(strip.processors, sample_rate, channels, strip.automation).latency_frames


def _key(
    spec: dsp.MixSpec, wiring: Plan, within: Collection[str], sources: Mapping[str, str], length_frames: int
) -> str:
    """Return the digest of all that a bus depends on; ways out of it, and other strips, are not in it."""
    parts: list[object] = [FORM, dsp.ENGINE_VERSION, spec.sample_rate, spec.pan_law_db, length_frames]
    for strip in _heard(wiring):
        if strip.id in within:
            own: Strip = dataclasses.replace(strip, sends=(), output_bus=MIX)
            parts += [own, sources.get(strip.id, "")]
    parts += [edge for edge in wiring.edges if edge.source in within and edge.target in within]
    for vca in spec.vcas:
        members = tuple(name for name in vca.members if name in within)
        if members:
            parts.append((members, vca.gain_db, vca.gain_automation))
    return digest_of(parts)


def spliced(spec: dsp.MixSpec, played: Collection[str], length_frames: int) -> dsp.MixSpec:
    """Return a mix in which some buses are played from their recordings.

    Parameters
    ----------
    spec : MixSpec
        The whole mix.
    played : collection of str
        The buses, all of them nodes; each is fed by the stereo track `PLAYER` + its id.
    length_frames : int
        Of the whole mix, tail included; the tail of what is played lies in its recording.
    """
    wiring = plan(spec)
    live = _behind(MIX, [edge for edge in wiring.edges if edge.target not in played])
    kept = live - set(played)
    tracks = [_rewired(track, kept, played) for track in wiring.tracks if track.id in kept]
    tracks += [dsp.TrackSpec(f"{PLAYER}{name}", channels=2, output_bus=name) for name in played]
    buses = []
    for bus in wiring.buses:
        if bus.id in played:
            plain = dsp.BusSpec(bus.id, sends=bus.sends, output_bus=bus.output_bus)
            buses.append(_rewired(plain, kept, played))
        elif bus.id in kept:
            buses.append(_rewired(bus, kept, played))
    vcas = tuple(
        dataclasses.replace(vca, members=tuple(name for name in vca.members if name in kept)) for vca in spec.vcas
    )
    return dataclasses.replace(
        spec,
        tracks=tuple(tracks),
        buses=(*buses, dsp.BusSpec(VOID, mute=True)),
        vcas=tuple(vca for vca in vcas if vca.members),
        length_frames=length_frames,
        tail_s=0.0,
    )


def _rewired(strip: _S, kept: Collection[str], played: Collection[str]) -> _S:
    """Return a strip without the ways into what is played, or not there."""
    targets = {MIX, *kept} - set(played)
    sends = tuple(send for send in strip.sends if send.bus in targets)
    output_bus = strip.output_bus if strip.output_bus in targets else VOID
    return dataclasses.replace(strip, sends=sends, output_bus=output_bus)
