"""The sums into buses that wait for tracks alone, made in one pass over the tracks' signals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.graph.lines import BlockLines
from tapelog_dsp.graph.ways import Way
from tapelog_dsp.kernels.console import Sums


@dataclass(frozen=True, slots=True)
class _Rows:
    """The sums of one block's lines."""

    insides: dict[str, Audio]
    sums: Sums


class FrontSums:
    """What enters the buses that are fed by tracks only, without delay and at fixed levels.

    Parameters
    ----------
    ways : mapping of str to sequence of Way
        Into each strip.
    front : set of str
        The strips that have run before any bus.
    """

    def __init__(self, ways: Mapping[str, Sequence[Way]], front: set[str]) -> None:
        self._ways = {
            target: own
            for target, own in ways.items()
            if own and all(way.still and way.edge.source in front for way in own)
        }

    def run(self, block: BlockLines) -> Mapping[str, Audio]:
        """Return the input ``[2, frames]`` of each such bus; it is overwritten when the lines are used again."""
        rows: _Rows | None = block.kept.get(self)
        if rows is None:
            rows = block.kept[self] = self._rows(block)
        rows.sums.run()
        return rows.insides

    def _rows(self, block: BlockLines) -> _Rows:
        insides = {target: np.empty((2, block.frames)) for target in self._ways}
        parts = [
            ([block.tapped(way.edge)[side] for way in own], [way.gain for way in own], insides[target][side])
            for target, own in self._ways.items()
            for side in (0, 1)
        ]
        return _Rows(insides, Sums(parts))
