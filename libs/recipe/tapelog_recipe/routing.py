"""How a mix is wired: ids, tags, buses that exist, and no loops."""

from collections.abc import Iterator
from typing import Final

from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.codec import ID_PATTERN, show
from tapelog_recipe.errors import Violation
from tapelog_recipe.naming import did_you_mean
from tapelog_recipe.parameters import PARAMETERS, PROCESSOR_KINDS
from tapelog_recipe.selectors import bus_paths, track_paths

MIX_BUS: Final = "mix"
"""Name of the last bus; no track or bus may use it."""

KEYED_KINDS: Final = ("compressor", "gate", "dynamic_eq")
"""Inserts that can listen to another channel."""

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


def _keys_and_members(recipe: pb.MixRecipe) -> Iterator[Violation]:
    ids = [channel.id for _, channel in _channels(recipe)]
    chains = [(path, channel.id, channel.chain) for path, channel in _channels(recipe)]
    for path, own, chain in [*chains, ("", MIX_BUS, recipe.mix_chain)]:
        for index, insert in enumerate(chain):
            kind = insert.WhichOneof("kind") or ""
            if kind not in KEYED_KINDS:
                continue
            source = getattr(insert, kind).sidechain.source
            where = f"{path}.chain[{index}].{kind}.sidechain.source" if path else f"mix_chain[{index}].{kind}.sidechain"
            if source and insert.channels in (pb.INSERT_CHANNELS_MID, pb.INSERT_CHANNELS_SIDE):
                yield Violation(where, "an insert on the middle or the sides hears itself; take it on both channels")
            if source and (source not in ids or source == own or not path):
                others = [name for name in ids if name != own]
                yield Violation(
                    where, f"no other track or bus is called {show(source)}; {did_you_mean(source, others)}"
                )
    seen: set[str] = set()
    for index, vca in enumerate(recipe.vcas):
        if not ID_PATTERN.fullmatch(vca.id) or vca.id in ids or vca.id in seen:
            yield Violation(f"vcas[{index}].id", f"{_ID_RULE}, and must be its own, got {show(vca.id)}")
        seen.add(vca.id)
        for place, member in enumerate(vca.members):
            if member not in ids:
                hint = did_you_mean(member, ids)
                yield Violation(f"vcas[{index}].members[{place}]", f"there is no track or bus {show(member)}; {hint}")


def _tempo(recipe: pb.MixRecipe) -> Iterator[Violation]:
    chains = [(f"{path}.chain", channel.chain) for path, channel in _channels(recipe)]
    for path, chain in [*chains, ("mix_chain", recipe.mix_chain)]:
        for index, insert in enumerate(chain):
            beats, where = insert.delay.beats, f"{path}[{index}].delay.beats"
            if beats <= 0:
                continue
            if recipe.tempo_bpm <= 0:
                yield Violation(where, "counts in the mix's tempo; write tempo_bpm as well")
                continue
            time_ms, entry = beats * 60_000.0 / recipe.tempo_bpm, PARAMETERS["Delay"]["time_ms"]
            if not entry.allows(time_ms):
                yield Violation(where, f"is {time_ms:g} ms at this tempo, must be {entry.range_text()}")


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
    yield from _keys_and_members(recipe)
    yield from _tempo(recipe)
    yield from _cycles(recipe)
