"""Which tracks a word selects, and which inserts a track's sound passes."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_recipe.codec import item_labels
from tapelog_recipe.naming import MessageType


def matches(track: pb.RecipeTrack, selectors: Iterable[str]) -> bool:
    """Return whether a track's id or one of its tags is among the selectors; no selectors select nothing."""
    words = set(selectors)
    return track.id in words or not words.isdisjoint(track.tags)


@dataclass(frozen=True, slots=True)
class Insert:
    """An insert with its place in the recipe.

    Attributes
    ----------
    path : str
        Such as ``tracks[lead-vox].chain[2].delay``.
    kind : str
        One of `PROCESSOR_KINDS`; empty where none is set.
    processor : Processor
        The insert itself.
    """

    path: str
    kind: str
    processor: pb.Processor


def chain_inserts(chain: Iterable[pb.Processor], path: str) -> Iterator[Insert]:
    """Yield the inserts of a chain in order, bypassed ones too."""
    for index, processor in enumerate(chain):
        kind = processor.WhichOneof("kind") or ""
        place = f"{path}[{index}]"
        yield Insert(f"{place}.{kind}" if kind else place, kind, processor)


def track_paths(recipe: pb.MixRecipe) -> Iterator[tuple[str, pb.RecipeTrack]]:
    """Yield every track with its path, such as ``tracks[lead-vox]``."""
    tracks = list(recipe.tracks)
    for label, track in zip(item_labels(tracks), tracks, strict=True):
        yield f"tracks[{label}]", track


def bus_paths(recipe: pb.MixRecipe) -> Iterator[tuple[str, pb.RecipeBus]]:
    """Yield every bus with its path, such as ``buses[plate]``."""
    buses = list(recipe.buses)
    for label, bus in zip(item_labels(buses), buses, strict=True):
        yield f"buses[{label}]", bus


def inserts(recipe: pb.MixRecipe) -> Iterator[Insert]:
    """Yield every insert of a mix: tracks, then buses, then the mix bus."""
    for path, track in track_paths(recipe):
        yield from chain_inserts(track.chain, f"{path}.chain")
    for path, bus in bus_paths(recipe):
        yield from chain_inserts(bus.chain, f"{path}.chain")
    yield from chain_inserts(recipe.mix_chain, "mix_chain")


def sources_of(message: Message) -> Iterator[pb.RecipeSource]:
    """Yield every source that a recipe names: recordings, the mix of a master, impulse responses of inserts."""
    if isinstance(message, pb.RecipeSource):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None and _may_name_a_source(field.message_type):
            for part in value if field.is_repeated else [value]:
                yield from sources_of(part)


@functools.cache
def _may_name_a_source(kind: MessageType) -> bool:
    """Tell whether a message of this type can hold a source; breakpoints cannot, and there are thousands of them."""
    inner = [field.message_type for field in kind.fields if field.message_type is not None]
    return kind is pb.RecipeSource.DESCRIPTOR or any(_may_name_a_source(other) for other in inner if other is not kind)
