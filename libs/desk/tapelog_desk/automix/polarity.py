"""Microphones of one source that oppose one another."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from tapelog_desk.automix.bands import Floats
from tapelog_desk.automix.strip import Strip

OPPOSED: Final = -0.3
"""Correlation at and below which the second of a pair is inverted."""

PAIRS_MAX: Final = 64
"""Pairs compared in one mix."""


class PairMeter:
    """Correlation of pairs of tracks, without delay between them.

    Parameters
    ----------
    pairs : collection of tuple of str
        Which tracks.
    """

    def __init__(self, pairs: Collection[tuple[str, str]]) -> None:
        self._sums = {pair: [0.0, 0.0, 0.0] for pair in pairs}

    def add(self, blocks: Mapping[str, Floats]) -> None:
        """Measure the next block of every track ``[2, frames]``."""
        for (one, other), sums in self._sums.items():
            left, right = blocks[one].sum(axis=0), blocks[other].sum(axis=0)
            sums[0] += float((left * right).sum())
            sums[1] += float((left * left).sum())
            sums[2] += float((right * right).sum())

    def result(self) -> list[tuple[str, str, float]]:
        """Return the pairs with their correlation."""
        return [
            (one, other, cross / (first * second) ** 0.5 if first > 0.0 and second > 0.0 else 0.0)
            for (one, other), (cross, first, second) in self._sums.items()
        ]


def pairs_of(strips: Sequence[Strip]) -> list[tuple[str, str]]:
    """Return the pairs worth comparing: mono stems of one role that play."""
    mono = [strip for strip in strips if strip.is_mono and not strip.heard.is_silent and strip.role.name != "unknown"]
    pairs = [(one.id, other.id) for index, one in enumerate(mono) for other in mono[index + 1 :]
             if one.role is other.role]  # fmt: skip
    return pairs[:PAIRS_MAX]


def align(strips: Sequence[Strip], compared: Sequence[tuple[str, str, float]]) -> None:
    """Invert the second of each opposed pair, in the order of the tracks."""
    by_id = {strip.id: strip for strip in strips}
    for one, other, correlation in compared:
        first, second = by_id[one], by_id[other]
        sign = -1.0 if first.is_inverted != second.is_inverted else 1.0
        if correlation * sign > OPPOSED:
            continue
        second.is_inverted = not second.is_inverted
        second.note("polarity inverted", f"its correlation with {one} is {correlation:.2f}", "polarity.pair",
                    correlation=correlation)  # fmt: skip
