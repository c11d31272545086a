"""What a track's sound passes on its way to the mix: its own inserts, and every bus that it reaches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tapelog.common.v1 import recipe_pb2
from tapelog_recipe import Insert, bus_paths, chain_inserts, kinds_of, track_paths


@dataclasses.dataclass(frozen=True, slots=True)
class Tap:
    """A way into a bus: how loud, and the place in the recipe that lets the sound in.

    Attributes
    ----------
    bus : str
    level_db : float
        Sum of the send levels on the loudest way, without faders and automation; a bus assignment counts as 0 dB.
    path : str
        Such as `tracks[lead-vox].sends[0]`.
    """

    bus: str
    level_db: float
    path: str


class Routing:
    """The wiring of a valid mix recipe (no unknown buses, no loops).

    Parameters
    ----------
    recipe : MixRecipe
    tracks_of : Mapping[str, frozenset[str]]
        The song's track ids by the SHA-256 of their takes' assets.
    """

    def __init__(self, recipe: recipe_pb2.MixRecipe, tracks_of: Mapping[str, frozenset[str]]) -> None:
        self.recipe = recipe
        self._tracks_of = tracks_of
        self._path_of_track = {track.id: path for path, track in track_paths(recipe)}
        self._path_of_bus = {bus.id: path for path, bus in bus_paths(recipe)}
        self._buses = {bus.id: bus for bus in recipe.buses}
        self._order = _upstream_first(recipe.buses)

    def words(self, track: recipe_pb2.RecipeTrack) -> frozenset[str]:
        """Return everything a rule may call a track: its id, its tags, and the song's tracks its sound comes from."""
        return frozenset((track.id, *track.tags)) | self._tracks_of.get(track.source.asset_sha256, frozenset())

    def selected(self, selectors: Sequence[str]) -> list[recipe_pb2.RecipeTrack]:
        """Return the tracks that a rule is about; no selectors mean all."""
        wanted = frozenset(selectors)
        return [track for track in self.recipe.tracks if not wanted or wanted & self.words(track)]

    def sounding(self, selectors: Sequence[str]) -> list[recipe_pb2.RecipeTrack]:
        """Return the tracks that a rule is about and that can be heard."""
        return [track for track in self.selected(selectors) if not track.mute]

    def path(self, track: recipe_pb2.RecipeTrack) -> str:
        """Return a track's place in the recipe."""
        return self._path_of_track[track.id]

    def inserts(self, track: recipe_pb2.RecipeTrack) -> list[Insert]:
        """Return the active inserts that a track's sound passes before the mix bus."""
        found = list(_active(track.chain, f"{self.path(track)}.chain"))
        for tap in self.taps(track):
            found += _active(self._buses[tap.bus].chain, f"{self._path_of_bus[tap.bus]}.chain")
        return found

    def mix_inserts(self) -> list[Insert]:
        """Return the active inserts of the mix bus."""
        return list(_active(self.recipe.mix_chain, "mix_chain"))

    def printed(self, track: recipe_pb2.RecipeTrack) -> list[tuple[str, str]]:
        """Return place and kind of the effects declared to be printed into a track's source."""
        return [(f"{self.path(track)}.printed_effects[{n}]", kind) for n, kind in enumerate(track.printed_effects)]

    def has_effect(self, bus: str, effect: str) -> bool:
        """Say whether a bus carries an active effect that a rule's word stands for."""
        kinds = kinds_of([effect])
        return any(insert.kind in kinds for insert in _active(self._buses[bus].chain, ""))

    def taps(self, track: recipe_pb2.RecipeTrack) -> list[Tap]:
        """Return the loudest way into every bus that the track's sound reaches, muted buses left out."""
        loudest: dict[str, Tap] = {}
        for tap in _feeds(track, self.path(track), 0.0):
            self._keep(loudest, tap)
        for bus in self._order:
            if (reached := loudest.get(bus)) is not None:
                for tap in _feeds(self._buses[bus], self._path_of_bus[bus], reached.level_db):
                    self._keep(loudest, tap)
        return [loudest[bus] for bus in self._order if bus in loudest]

    def muted_on_the_way(self, track: recipe_pb2.RecipeTrack) -> str:
        """Return the place of what silences a track's main way to the mix, or the empty string."""
        if track.mute:
            return f"{self.path(track)}.mute"
        bus = track.output_bus
        while bus:
            if self._buses[bus].mute:
                return f"{self._path_of_bus[bus]}.mute"
            bus = self._buses[bus].output_bus
        return ""

    def _keep(self, loudest: dict[str, Tap], tap: Tap) -> None:
        known = loudest.get(tap.bus)
        if not self._buses[tap.bus].mute and (known is None or known.level_db < tap.level_db):
            loudest[tap.bus] = tap


def _feeds(channel: recipe_pb2.RecipeTrack | recipe_pb2.RecipeBus, path: str, level_db: float) -> Iterator[Tap]:
    if channel.output_bus:
        yield Tap(channel.output_bus, level_db, f"{path}.output_bus")
    for index, send in enumerate(channel.sends):
        yield Tap(send.bus, level_db + send.gain_db, f"{path}.sends[{index}]")


def _active(chain: Iterable[recipe_pb2.Processor], path: str) -> Iterator[Insert]:
    return (insert for insert in chain_inserts(chain, path) if not insert.processor.bypass)


def _upstream_first(buses: Iterable[recipe_pb2.RecipeBus]) -> list[str]:
    """Order buses so that each comes before those it feeds."""
    feeds = {bus.id: {bus.output_bus, *(send.bus for send in bus.sends)} - {""} for bus in buses}
    order: list[str] = []
    while feeds:
        ends = [bus for bus, into in feeds.items() if not into & feeds.keys()]
        order += ends
        for bus in ends:
            del feeds[bus]
    return order[::-1]
