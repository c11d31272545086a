"""By what digests the signals of a mix are known: strips, what they give to a bus, and the sums of that.

A strip's digest covers all that its signal depends on: its settings, its recording or whatever feeds it, what it
listens to, its VCAs. What it gives to a bus is its digest with the level of the way. Sums are exact
(`tapelog_dsp.graph.grid`), so a sum is known by the set of what goes into it, in whatever order.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.graph.plan import Edge, Plan, plan
from tapelog_dsp.graph.spec import MIX
from tapelog_dsp.processors.chain import Chain

from tapelog_desk.nodes.digest import digest_of

FORM: Final = "tapelog.node/3"
"""Part of every digest: another form of nodes has other digests."""

Strip = dsp.TrackSpec | dsp.BusSpec


@dataclass(frozen=True, slots=True)
class Part:
    """What one strip gives to a bus.

    Attributes
    ----------
    digest : str
        By what it is known.
    edge : Edge
        The way that it takes.
    """

    digest: str
    edge: Edge


class MixKeys:
    """The digests of a mix.

    Parameters
    ----------
    spec : MixSpec
        The mix, without a solo.
    recipe : MixRecipe
        The resolved recipe that it is made of, with every source named by its content.
    length_frames : int
        Of the whole mix, tail included.

    Attributes
    ----------
    covered_frames : int
        Of the sums: as long as the mix, and what comes out of a latency at its end.
    """

    def __init__(self, spec: dsp.MixSpec, recipe: pb.MixRecipe, length_frames: int) -> None:
        self.wiring: Plan = plan(spec)
        self.length_frames = length_frames
        self._rate = spec.sample_rate
        self._settings = {name: settings_of(strip) for name, strip in owners(recipe).items()}
        self._vcas = [(vca.gain_db, settings_of(vca), frozenset(vca.members)) for vca in recipe.vcas]
        self._common = (FORM, dsp.ENGINE_VERSION, spec.sample_rate, spec.pan_law_db, recipe.tempo_bpm)
        self._strips: dict[str, str] = {}
        ways: dict[str, list[Edge]] = {}
        self.listening: dict[str, list[Edge]] = {}
        for edge in self.wiring.edges:
            (ways if edge.key_position is None else self.listening).setdefault(edge.target, []).append(edge)
        strips: list[Strip] = [*self.wiring.tracks, *self.wiring.buses]
        late = {strip.id for strip in strips if _is_late(strip, spec.sample_rate)}
        self.late = set[str]()
        for name in (*self.wiring.order, MIX):
            behind = [edge.source for edge in (*ways.get(name, ()), *self.listening.get(name, ()))]
            if late.intersection(behind) or self.late.intersection(behind):
                self.late.add(name)
        self._ways = ways
        latency = _latency(spec.processors, spec.sample_rate, 2, spec.automation)
        if late:
            latency = dsp.MixGraph(spec).latency_frames
        self.covered_frames = length_frames + latency

    @property
    def family(self) -> str:
        """What mixes have in common whose sums can be compared: rate, length, engine."""
        return digest_of([*self._common, self.length_frames, self.covered_frames])

    def strip(self, name: str) -> str:
        """Return the digest of a strip's signal."""
        if name not in self._strips:
            keys = [
                (edge.key_position, edge.pre_fader, self.strip(edge.source)) for edge in self.listening.get(name, ())
            ]
            vcas = sorted(settings for _, settings, members in self._vcas if name in members)
            fed = sorted(part.digest for part in self.parts(name))
            self._strips[name] = digest_of([*self._common, self._settings[name], vcas, keys, fed])
        return self._strips[name]

    def out_of(self, name: str) -> str:
        """Return by what that is known which a strip hands on."""
        return digest_of(["out", self.covered_frames, self.strip(name)])

    def listens(self, name: str) -> dict[str, str]:
        """Return the strips that a strip's processors listen to, and the digests of their signals."""
        return {edge.source: self.strip(edge.source) for edge in self.listening.get(name, ())}

    def parts(self, target: str) -> list[Part]:
        """Return what goes into a bus, or into `MIX`."""
        return [
            Part(digest_of([self.strip(edge.source), edge.gain_db, edge.pre_fader, edge.gain_automation]), edge)
            for edge in self._ways.get(target, ())
        ]

    def sum_of(self, digests: list[str]) -> str:
        """Return by what the sum of such parts is known."""
        return digest_of(["sum", self.covered_frames, sorted(digests)])


def settings_of(strip: pb.RecipeTrack | pb.RecipeBus | pb.RecipeVca) -> bytes:
    """Return what a strip does to its signal, without its name and its ways out."""
    own = type(strip).FromString(strip.SerializeToString())
    own.ClearField("id")
    for name in ("sends", "output_bus", "members"):
        if name in own.DESCRIPTOR.fields_by_name:
            own.ClearField(name)  # type: ignore[arg-type]  # one of the fields that it has
    return own.SerializeToString(deterministic=True)


def _is_late(strip: Strip, sample_rate: int) -> bool:
    """Tell whether a strip has a latency: a recording of the song lacks what sounds before its first frame."""
    channels = strip.channels if isinstance(strip, dsp.TrackSpec) else 2
    return _latency(strip.processors, sample_rate, channels, strip.automation) > 0


def _latency(
    processors: tuple[dsp.ProcessorSpec, ...],
    sample_rate: int,
    channels: int,
    automation: tuple[dsp.MovingSetting, ...],
) -> int:
    if any(isinstance(processor, dsp.ConvolutionReverb) for processor in processors):
        # Not remembered: its impulse response would stay in memory with it.
        return Chain(processors, sample_rate, channels, automation).latency_frames
    try:
        return _remembered_latency(processors, sample_rate, channels, automation)
    except TypeError:  # an insert that cannot be a key
        return Chain(processors, sample_rate, channels, automation).latency_frames


@functools.lru_cache(maxsize=1024)
def _remembered_latency(
    processors: tuple[dsp.ProcessorSpec, ...],
    sample_rate: int,
    channels: int,
    automation: tuple[dsp.MovingSetting, ...],
) -> int:
    return Chain(processors, sample_rate, channels, automation).latency_frames


def owners(recipe: pb.MixRecipe) -> Mapping[str, pb.RecipeTrack | pb.RecipeBus]:
    """Return a recipe's strips by their names."""
    strips: list[pb.RecipeTrack | pb.RecipeBus] = [*recipe.tracks, *recipe.buses]
    return {strip.id: strip for strip in strips}
