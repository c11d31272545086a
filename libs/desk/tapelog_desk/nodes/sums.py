"""Recordings of sums, both parts of each sample (`tapelog_dsp.split_sum`), and of what strips hand on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import tapelog_dsp as dsp

from tapelog_desk.files.decoders import Samples
from tapelog_desk.nodes.signals import NodeReader, NodeWriter

SPLIT_MAX: Final = 32.0
"""From this magnitude on (+30 dBFS) a sum does not fit into its two parts, and is not kept."""


class WholeWriter(NodeWriter):
    """A signal in the making, of exactly so many frames."""

    def __init__(self, folder: Path, key: str, frames: int, on_failure: Callable[[OSError], None]) -> None:
        super().__init__(folder, key, 2, on_failure)
        self._left = frames

    def commit(self, path: Path) -> None:
        """Give the signal its name, if all of its frames have come and fitted."""
        if self._left == 0:
            super().commit(path)


class OutWriter(WholeWriter):
    """What a strip hands on."""

    def write_line(self, line: npt.NDArray[np.float32]) -> None:
        """Append a block ``[2, frames]``; what is beyond the end is left out."""
        frames = min(line.shape[1], self._left)
        if frames and not self.is_over:
            self._left -= frames
            self.write_block(frames, tuple(row[:frames] for row in line))


class SumWriter(WholeWriter):
    """A sum: both of its parts."""

    def __init__(self, folder: Path, key: str, frames: int, on_failure: Callable[[OSError], None]) -> None:
        super().__init__(folder, key, frames, on_failure)
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
        self.write_block(frames, (*self._bed.high, *self._bed.low))


class _RowReader(NodeReader):
    """A signal whose rows are read into those of others, block by block."""

    def __init__(self, file: BinaryIO, key: str, path: Path) -> None:
        super().__init__(file, key, path)
        self._part: tuple[npt.NDArray[Any], ...] = ()
        self._at = self._part_frames = 0

    def read_rows(self, rows: Sequence[npt.NDArray[Any]]) -> None:
        """Fill rows of equal length with the next frames; behind the end with zeros."""
        filled, wanted = 0, rows[0].size
        while filled < wanted:
            left = self._part_frames - self._at
            if not left:
                frames = self.next_frames()
                if not frames:
                    break
                if frames <= wanted - filled:
                    # As it is while blocks are as long as those that were written.
                    self.read_parts(tuple(row[filled : filled + frames] for row in rows))
                    filled += frames
                    continue
                self._part = tuple(np.empty(frames, dtype=row.dtype) for row in rows)
                self._at, self._part_frames, left = 0, frames, frames
                self.read_parts(self._part)
            count = min(left, wanted - filled)
            for row, part in zip(rows, self._part, strict=True):
                row[filled : filled + count] = part[self._at : self._at + count]
            self._at += count
            filled += count
        for row in rows:
            row[filled:] = 0


class SumReader(_RowReader):
    """A sum read from its start to its end: a `BedReader`."""

    def read_bed(self, bed: dsp.Bed) -> None:
        """Fill a bed with the next frames."""
        self.read_rows((*bed.high, *bed.low))


class OutReader(_RowReader):
    """The exact negative of what a strip has handed on: a `LineReader` that takes it out of sums."""

    def read_line(self, line: npt.NDArray[np.float32]) -> None:
        """Fill a line with the next frames."""
        self.read_rows(tuple(line))
        np.negative(line, out=line)
