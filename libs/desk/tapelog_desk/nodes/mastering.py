"""A master's signal before its drive: as it leaves the chain, so that another target costs no chain."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import tapelog_dsp as dsp

from tapelog_desk.files.decoders import Samples
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.nodes.digest import digest_of
from tapelog_desk.nodes.keys import FORM
from tapelog_desk.nodes.signals import NodeCorrupt
from tapelog_desk.nodes.store import NodeStore


@dataclass(frozen=True, slots=True)
class ChainNode:
    """A cache, and the digest of a chain's output in it."""

    store: NodeStore
    key: str


def chain_node(store: NodeStore, source_sha256: str, source_hz: int, spec: dsp.MasterSpec) -> ChainNode:
    """Return the place of a chain's output: known by all that it depends on."""
    parts = [FORM, "master chain", dsp.ENGINE_VERSION, source_sha256, source_hz, spec]
    return ChainNode(store, digest_of(parts))


def play(node: ChainNode, write: Callable[[Samples], None]) -> dict[str, float] | None:
    """Write what is kept of a chain and return its processors' figures.

    Returns
    -------
    dict of str to float, optional
        None where nothing is kept, or it is damaged: then what has been written is worth nothing.
    """
    reader = node.store.open(node.key)
    if reader is None:
        return None
    with reader:
        try:
            while (block := reader.read(BLOCK_FRAMES)).shape[1]:
                write(block)
        except NodeCorrupt:
            return None
        return {str(name): float(value) for name, value in json.loads(reader.note or b"{}").items()}


def keep(
    node: ChainNode, channels: int, blocks: Iterable[Samples], telemetry: Callable[[], Mapping[str, float]]
) -> Iterator[Samples]:
    """Yield a chain's blocks, and keep them with its processors' figures if all of them were taken."""
    with node.store.writing({"chain": node.key}, channels) as writers:
        for block in blocks:
            for writer in writers.values():
                writer.write(block)
            yield block
        for writer in writers.values():
            writer.note = json.dumps(dict(telemetry()), sort_keys=True).encode()
