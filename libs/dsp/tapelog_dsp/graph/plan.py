"""Wiring a mix: names checked, solos and mutes resolved, an order in which every strip comes after what it hears."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tapelog_dsp.errors import GraphError
from tapelog_dsp.graph.grid import WAYS_MAX
from tapelog_dsp.graph.spec import MIX, BusSpec, GainPoint, MixSpec, TrackSpec, VcaSpec
from tapelog_dsp.processors.base import Key

StripSpec = TrackSpec | BusSpec


@dataclass(frozen=True, slots=True)
class Edge:
    """One way from a strip into another.

    Parameters
    ----------
    source, target : str
        Ids of the nodes.
    gain_db : float
        Level of a send; 0 for the main way out.
    pre_fader : bool
        Whether the signal is taken before the fader.
    gain_automation : tuple of GainPoint
        Added to the level.
    key_position : int or None
        For a sidechain: the place in the target's chain of the processor that listens. It is heard there, not summed.
    """

    source: str
    target: str
    gain_db: float = 0.0
    pre_fader: bool = False
    gain_automation: tuple[GainPoint, ...] = ()
    key_position: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A mix ready to be built.

    Parameters
    ----------
    tracks, buses : list
        What is heard: tracks as given, buses in an order in which each follows its feeds.
    order : list of str
        All of them in an order in which each follows its feeds and its keys, without the mix node.
    edges : list of Edge
        In the order of the strips; sums are exact, so the order is not heard.
    """

    tracks: list[TrackSpec]
    buses: list[BusSpec]
    order: list[str]
    edges: list[Edge]


def plan(spec: MixSpec) -> Plan:
    """Wire a mix.

    Raises
    ------
    GraphError
        A name is used twice, a target or key does not exist, strips feed one another in a circle, or more than
        `WAYS_MAX` ways lead into one.
    """
    _check_names(spec)
    tracks: list[TrackSpec] = [track for track in spec.tracks if not track.mute and not _vca_muted(track, spec.vcas)]
    buses: list[BusSpec] = [bus for bus in spec.buses if not bus.mute and not _vca_muted(bus, spec.vcas)]
    strips: list[StripSpec] = [*tracks, *buses]
    alive = {strip.id for strip in strips} | {MIX}
    edges = [edge for strip in strips for edge in edges_of(strip) if edge.target in alive]
    sounding = _after_solos(strips, edges)
    edges = [edge for edge in edges if edge in sounding]
    _check_ways(edges)
    buses = [bus for name in sorted_by_feeds([bus.id for bus in buses], edges) for bus in buses if bus.id == name]
    strips = [*tracks, *buses]
    rank = {strip.id: place for place, strip in enumerate(strips)}
    edges.sort(key=lambda edge: rank[edge.source])
    keys = [edge for strip in strips for edge in key_edges(strip) if edge.source in alive]
    order = sorted_by_feeds(list(rank), [*edges, *keys])
    return Plan(tracks, buses, order, [*edges, *keys])


def sorted_by_feeds(names: list[str], edges: Iterable[Edge]) -> list[str]:
    """Return names in an order in which each comes after its sources, otherwise as given.

    Raises
    ------
    GraphError
        Some feed one another in a circle.
    """
    feeds = {name: {edge.source for edge in edges if edge.target == name} & set(names) for name in names}
    waiting, ordered = list(names), list[str]()
    while waiting:
        ready = next((name for name in waiting if feeds[name] <= set(ordered)), None)
        if ready is None:
            raise GraphError(f"these buses feed one another in a circle: {', '.join(waiting)}")
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def edges_of(strip: StripSpec) -> list[Edge]:
    """Return the ways out of a strip: main first, then the sends."""
    main = Edge(strip.id, strip.output_bus)
    sends = (Edge(strip.id, send.bus, send.gain_db, send.pre_fader, send.gain_automation) for send in strip.sends)
    return [main, *sends]


def key_edges(strip: StripSpec) -> list[Edge]:
    """Return the sidechains into a strip's processors."""
    keys = ((place, getattr(processor, "key", None)) for place, processor in enumerate(strip.processors))
    return [
        Edge(key.source, strip.id, pre_fader=key.pre_fader, key_position=place)
        for place, key in keys
        if isinstance(key, Key)
    ]


def path_maximum(
    own: Mapping[str, int], edges: Iterable[Edge], before: Mapping[Edge, int] | None = None
) -> dict[str, int]:
    """Return for every node the largest sum of ``own`` over all paths that end before it.

    Parameters
    ----------
    own : mapping
        Latency or tail of each node in frames, in processing order.
    edges : iterable of Edge
        Every way between the nodes.
    before : mapping of Edge to int, optional
        For sidechains, how much later than the strip's input they are heard.
    """
    arriving = dict.fromkeys(own, 0)
    outgoing: dict[str, list[Edge]] = {node: [] for node in own}
    for edge in edges:
        outgoing[edge.source].append(edge)
    for node, length in own.items():
        for edge in outgoing[node]:
            later = before.get(edge, 0) if before is not None else 0
            arriving[edge.target] = max(arriving[edge.target], arriving[node] + length - later)
    return arriving


def _vca_muted(strip: StripSpec, vcas: Iterable[VcaSpec]) -> bool:
    return any(vca.mute and strip.id in vca.members for vca in vcas)


def _reached(start: set[str], steps: Iterable[tuple[str, str]]) -> set[str]:
    found, pairs = set(start), list(steps)
    while more := {target for source, target in pairs if source in found} - found:
        found |= more
    return found


def _after_solos(strips: list[StripSpec], edges: list[Edge]) -> set[Edge]:
    """Return the ways that are open: with solos, those that lie on a way through a soloed strip."""
    soloed = {strip.id for strip in strips if strip.solo}
    if not soloed:
        return set(edges)
    downstream = _reached(soloed, ((edge.source, edge.target) for edge in edges))
    upstream = _reached(soloed, ((edge.target, edge.source) for edge in edges))
    return {edge for edge in edges if edge.source in downstream or edge.target in upstream}


def _check_ways(edges: Iterable[Edge]) -> None:
    for target, count in Counter(edge.target for edge in edges).items():
        if count > WAYS_MAX:
            raise GraphError(f"{count} ways lead into {target!r}, at most {WAYS_MAX} can; put some through a bus")


def _check_names(spec: MixSpec) -> None:
    seen: set[str] = set()
    strips: list[StripSpec] = [*spec.tracks, *spec.buses]
    for name in (*(strip.id for strip in strips), *(vca.id for vca in spec.vcas)):
        if name in seen:
            raise GraphError(f"two strips are called {name!r}; every track and bus needs its own id")
        seen.add(name)
    sources = {strip.id for strip in strips}
    targets = {bus.id for bus in spec.buses}
    known = ", ".join(sorted(targets)) or "none"
    for strip in strips:
        for edge in edges_of(strip):
            if edge.target not in targets and not (edge.target == MIX and edge.gain_db == 0.0 and not edge.pre_fader):
                raise GraphError(f"{strip.id!r} sends to {edge.target!r}, which is no bus; buses: {known}")
        for edge in key_edges(strip):
            if edge.source not in sources or edge.source == strip.id:
                others = ", ".join(sorted(sources - {strip.id})) or "none"
                raise GraphError(f"{strip.id!r} is keyed by {edge.source!r}; a key is another track or bus: {others}")
    for vca in spec.vcas:
        missing = sorted(set(vca.members) - sources)
        if missing:
            raise GraphError(f"VCA {vca.id!r} holds {', '.join(missing)}, which is no track or bus")
    if any(isinstance(getattr(processor, "key", None), Key) for processor in spec.processors):
        raise GraphError("a processor of the mix node cannot be keyed: everything is in it already")
