"""Recordings of sums: both parts of each sample (`tapelog_dsp.split_sum`), checked block by block as all nodes are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy.typing as npt
import tapelog_dsp as dsp

from tapelog_desk.files.decoders import Samples
from tapelog_desk.nodes.signals import NodeReader, NodeWriter

SPLIT_MAX: Final = 32.0
"""From this magnitude on (+30 dBFS) a sum does not fit into its two parts, and is not kept."""


class SumWriter(NodeWriter):
    """A sum in the making, of exactly so many frames."""

    def __init__(self, folder: Path, key: str, frames: int, on_failure: Callable[[OSError], None]) -> None:
        super().__init__(folder, key, 2, on_failure)
        self._left = frames
        self._bed = dsp.Bed(0)

    def write_sum(self, total: Samples) -> None:
        """Append a block ``[2, frames]``; what is beyond the end is left out."""
        frames = min(total.shape[1], self._left)
        if self.is_over or not frames:
            return
        if self._bed.frames != frames:
            self._bed = dsp.Bed(frames)
        most = 0.0
        for side in (0, 1):
            part = total[side, :frames]
            most = max(most, dsp.split_sum(part, self._bed.high[side], self._bed.low[side]))
        if most >= SPLIT_MAX:
            self.discard()
            return
        self._left -= frames
        self.write_block(frames, _rows(self._bed, 0, frames))

    def commit(self, path: Path) -> None:
        """Give the sum its name, if all of its frames have come and fitted."""
        if self._left == 0:
            super().commit(path)


class SumReader(NodeReader):
    """A sum read from its start to its end: a `BedReader`."""

    def __init__(self, file: BinaryIO, key: str, path: Path) -> None:
        super().__init__(file, key, path)
        self._part = dsp.Bed(0)
        self._at = 0

    def read_bed(self, bed: dsp.Bed) -> None:
        """Fill a bed with the next frames; behind the end with zeros."""
        filled = 0
        while filled < bed.frames:
            left = self._part.frames - self._at
            if not left:
                frames = self.next_frames()
                if not frames:
                    break
                if frames <= bed.frames - filled:
                    # As it is while blocks are as long as those that were written.
                    self.read_parts(_rows(bed, filled, filled + frames))
                    filled += frames
                    continue
                self._part, self._at, left = dsp.Bed(frames), 0, frames
                self.read_parts(_rows(self._part, 0, frames))
            count = min(left, bed.frames - filled)
            bed.high[:, filled : filled + count] = self._part.high[:, self._at : self._at + count]
            bed.low[:, filled : filled + count] = self._part.low[:, self._at : self._at + count]
            self._at += count
            filled += count
        bed.high[:, filled:] = 0.0
        bed.low[:, filled:] = 0


def _rows(bed: dsp.Bed, first: int, last: int) -> tuple[npt.NDArray[Any], ...]:
    """Return the rows of some frames in the order that they are kept in."""
    return tuple(row[first:last] for part in (bed.high, bed.low) for row in part)
