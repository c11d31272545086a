"""How a mix is wired: ids, tags, buses that exist, and no loops."""

from collections.abc import Iterator
from typing import Final

from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.codec import ID_PATTERN, show
from tapelog_recipe.errors import Violation
from tapelog_recipe.naming import did_you_mean
from tapelog_recipe.parameters import PROCESSOR_KINDS
from tapelog_recipe.selectors import bus_paths, track_paths

MIX_BUS: Final = "mix"
"""Name of the last bus; no track or bus may use it."""

_ID_RULE: Final = "must be lower case, start with a letter and have at most 32 of [a-z0-9-]"


def _channels(recipe: pb.MixRecipe) -> Iterator[tuple[str, pb.RecipeTrack | pb.RecipeBus]]:
    yield from track_paths(recipe)
    yield from bus_paths(recipe)


def _ids(recipe: pb.MixRecipe) -> Iterator[Violation]:
    seen: dict[str, str] = {}
    for path, channel in _channels(recipe):
        if not ID_PATTERN.fullmatch(channel.id):
            yield Violation(f"{path}.id", f"{_ID_RULE}, got {show(channel.id)}")
        elif channel.id == MIX_BUS:
            yield Violation(f"{path}.id", f"{MIX_BUS!r} is the mix bus itself; choose another id")
        elif channel.id in seen:
            yield Violation(f"{path}.id", f"{channel.id!r} is already the id of {seen[channel.id]}")
        else:
            seen[channel.id] = path


def _words(recipe: pb.MixRecipe) -> Iterator[Violation]:
    for path, track in track_paths(recipe):
        for index, tag in enumerate(track.tags):
            if not ID_PATTERN.fullmatch(tag):
                yield Violation(f"{path}.tags[{index}]", f"{_ID_RULE}, got {show(tag)}")
        for index, kind in enumerate(track.printed_effects):
            if kind not in PROCESSOR_KINDS:
                hint = did_you_mean(kind, PROCESSOR_KINDS)
                yield Violation(f"{path}.printed_effects[{index}]", f"{show(kind)} is not a kind of insert; {hint}")


def _references(recipe: pb.MixRecipe) -> Iterator[Violation]:
    buses = [bus.id for bus in recipe.buses]
    for path, channel in _channels(recipe):
        named = [(f"{path}.sends[{index}].bus", send.bus) for index, send in enumerate(channel.sends)]
        if channel.output_bus:
            named.append((f"{path}.output_bus", channel.output_bus))
        for place, bus in named:
            if bus not in buses:
                hint = did_you_mean(bus, buses) if buses else "the recipe has no buses"
                yield Violation(place, f"there is no bus {show(bus)}; {hint}")


def _cycles(recipe: pb.MixRecipe) -> Iterator[Violation]:
    """Find loops of buses by taking away, again and again, the buses that feed no other."""
    feeds = {bus.id: {bus.output_bus, *(send.bus for send in bus.sends)} - {""} for bus in recipe.buses}
    open_ends = {bus for bus, into in feeds.items() if not into & feeds.keys()}
    while open_ends:
        feeds = {bus: into - open_ends for bus, into in feeds.items() if bus not in open_ends}
        open_ends = {bus for bus, into in feeds.items() if not into & feeds.keys()}
    if feeds:
        path = next(path for path, bus in bus_paths(recipe) if bus.id in feeds)
        yield Violation(path, f"buses feed one another in a loop: {', '.join(sorted(feeds))}; cut one of their sends")


def routing_violations(recipe: pb.MixRecipe) -> Iterator[Violation]:
    """Yield everything that is wrong with ids, tags, references and the order of buses."""
    yield from _ids(recipe)
    yield from _words(recipe)
    yield from _references(recipe)
    yield from _cycles(recipe)
