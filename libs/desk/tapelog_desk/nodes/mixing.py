"""A mix that plays what is known of it, and keeps what it finds out."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Protocol

import tapelog_dsp as dsp

from tapelog_desk.files.streams import BlockReader
from tapelog_desk.nodes.splice import PLAYER, nodes_of, spliced
from tapelog_desk.nodes.store import NodeStore

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
    sources : mapping of str to str
        SHA-256 of each track's recording.
    """

    store: NodeStore
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A mix to be rendered instead of the whole one, with the same result.

    Attributes
    ----------
    spec : MixSpec
        Without what is played.
    readers : mapping of str to BlockReader
        Of its tracks.
    taps : tuple of str
        Buses that are to be kept.
    record : callable
        Given every block.
    """

    spec: dsp.MixSpec
    readers: Mapping[str, BlockReader]
    taps: tuple[str, ...] = ()
    record: Callable[[dsp.MixBlock], None] = field(default=lambda _block: None)


def prepare(spec: dsp.MixSpec, tape: Sources, use: NodeUse | None, stack: ExitStack) -> Prepared:
    """Return the mix without the buses that are known, and with those tapped that are not.

    Where the length of a mix is not known before it is read (MP3, other sample rates), nothing is played or kept.

    Parameters
    ----------
    spec : MixSpec
        The whole mix.
    tape : Sources
        Its recordings.
    use : NodeUse, optional
        The cache; without one the mix is what it is.
    stack : ExitStack
        Closes what is opened here; nodes are kept if it ends well.
    """
    whole = Prepared(spec, tape.readers)
    if use is None or spec.tail_s is None or tape.is_resampled or not EXACT.issuperset(tape.containers.values()):
        return whole
    length = tape.length_frames + round(spec.tail_s * spec.sample_rate)
    nodes = nodes_of(spec, use.sources, length)
    if not nodes or not tape.length_frames:
        return whole
    players = {node.bus: use.store.open(node.key) for node in nodes}
    known = {bus: stack.enter_context(player) for bus, player in players.items() if player is not None}
    readers = {**tape.readers, **{f"{PLAYER}{bus}": player for bus, player in known.items()}}
    missing = {node.bus: node.key for node in nodes if node.bus not in known}
    writers = stack.enter_context(use.store.writing(missing, 2))

    def record(block: dsp.MixBlock) -> None:
        for bus, writer in writers.items():
            writer.write(block.taps[bus])

    changed = spliced(spec, list(known), length) if known else spec
    return Prepared(changed, readers, tuple(writers), record)
