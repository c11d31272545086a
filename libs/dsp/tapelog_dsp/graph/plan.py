"""Wiring a mix: names checked, buses in an order that feeds no loop, latencies evened out."""

from collections.abc import Iterable
from dataclasses import dataclass

from tapelog_dsp.errors import GraphError
from tapelog_dsp.graph.spec import MIX, BusSpec, MixSpec, TrackSpec


@dataclass(frozen=True, slots=True)
class Edge:
    """One way out of a strip.

    Parameters
    ----------
    source, target : str
        Ids of the nodes.
    gain_db : float
        Level of a send; 0 for the main way out.
    pre_fader : bool
        Whether the signal is taken before the fader.
    """

    source: str
    target: str
    gain_db: float = 0.0
    pre_fader: bool = False


def active_strips(spec: MixSpec) -> tuple[list[TrackSpec], list[BusSpec]]:
    """Return the strips that are not muted, tracks as given, buses in an order in which each comes after its feeds.

    Raises
    ------
    GraphError
        A name is used twice, a target does not exist, or buses feed one another in a circle.
    """
    _check_names(spec)
    tracks = [track for track in spec.tracks if not track.mute]
    waiting = [bus for bus in spec.buses if not bus.mute]
    ordered: list[BusSpec] = []
    while waiting:
        fed_by_waiting = {edge.target for bus in waiting for edge in edges_of(bus)}
        ready = next((bus for bus in waiting if bus.id not in fed_by_waiting), None)
        if ready is None:
            circle = ", ".join(bus.id for bus in waiting)
            raise GraphError(f"these buses feed one another in a circle: {circle}")
        waiting.remove(ready)
        ordered.append(ready)
    return tracks, ordered


def edges_of(strip: TrackSpec | BusSpec) -> list[Edge]:
    """Return the ways out of a strip in the order in which they are summed: main first, then the sends."""
    main = Edge(strip.id, strip.output_bus)
    return [main, *(Edge(strip.id, send.bus, send.gain_db, send.pre_fader) for send in strip.sends)]


def path_maximum(own: dict[str, int], edges: Iterable[Edge]) -> dict[str, int]:
    """Return for every node the largest sum of ``own`` over all paths that end before it.

    Parameters
    ----------
    own : dict
        Latency or tail of each node in frames, in processing order.
    edges : iterable of Edge
        Every way between the nodes.
    """
    arriving = dict.fromkeys(own, 0)
    outgoing: dict[str, list[Edge]] = {node: [] for node in own}
    for edge in edges:
        outgoing[edge.source].append(edge)
    for node, length in own.items():
        for edge in outgoing[node]:
            arriving[edge.target] = max(arriving[edge.target], arriving[node] + length)
    return arriving


def _check_names(spec: MixSpec) -> None:
    seen: set[str] = set()
    strips: list[TrackSpec | BusSpec] = [*spec.tracks, *spec.buses]
    for strip in strips:
        if strip.id in seen:
            raise GraphError(f"two strips are called {strip.id!r}; every track and bus needs its own id")
        seen.add(strip.id)
    targets = {bus.id for bus in spec.buses}
    for strip in strips:
        for edge in edges_of(strip):
            if edge.target not in targets and not (edge.target == MIX and edge.gain_db == 0.0 and not edge.pre_fader):
                known = ", ".join(sorted(targets)) or "none"
                raise GraphError(f"{strip.id!r} sends to {edge.target!r}, which is no bus; buses: {known}")
