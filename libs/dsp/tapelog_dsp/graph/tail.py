"""Where a mix ends: the tail is cut where it stays below -100 dBFS, on a grid that the block size cannot move."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from tapelog_dsp.graph.mixgraph import MixBlock

TAIL_THRESHOLD: Final = 1e-5
"""-100 dBFS."""

TAIL_GRID_FRAMES: Final = 1_024
"""A tail ends at a multiple of this after the song's end, or at its bound."""


def cut(block: MixBlock, start_frame: int, stop_frame: int) -> MixBlock | None:
    """Return the part of a block within [start, stop) of song time, or None when there is none."""
    first = max(start_frame - block.start_frame, 0)
    last = min(stop_frame - block.start_frame, block.mix.shape[1])
    if last <= first:
        return None
    if first == 0 and last == block.mix.shape[1]:
        return block
    taps = {name: part[:, first:last] for name, part in block.taps.items()}
    return MixBlock(block.start_frame + first, block.mix[:, first:last], taps)


class TailCutter:
    """Holds back silent windows; they are let go only when something audible follows."""

    def __init__(self) -> None:
        self._held: list[MixBlock] = []
        self._window_audible = False

    def audible(self, tail: MixBlock, song_end: int) -> Iterator[MixBlock]:
        """Take the next piece of the tail and yield what is now known to be heard.

        Parameters
        ----------
        tail : MixBlock
            Continues the piece before.
        song_end : int
            Song time at which the grid starts.
        """
        start, stop = tail.start_frame, tail.start_frame + tail.mix.shape[1]
        while start < stop:
            window_end = song_end + ((start - song_end) // TAIL_GRID_FRAMES + 1) * TAIL_GRID_FRAMES
            piece = cut(tail, start, min(window_end, stop))
            if piece is None:
                return
            self._held.append(piece)
            self._window_audible = self._window_audible or _peak(piece) >= TAIL_THRESHOLD
            start = min(window_end, stop)
            if start == window_end:
                yield from self.finish()

    def finish(self) -> Iterator[MixBlock]:
        """Close the window: yield everything held when it was audible, else keep it back."""
        if self._window_audible:
            yield from self._held
            self._held = []
        self._window_audible = False


def _peak(block: MixBlock) -> float:
    return max(float(np.abs(part).max(initial=0.0)) for part in (block.mix, *block.taps.values()))
