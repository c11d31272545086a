"""Render a whole mix from re-readable or one-way sources: constant memory, whatever the song's length."""

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import AudioError, GraphError
from tapelog_dsp.graph.mixgraph import MixBlock, MixGraph
from tapelog_dsp.graph.spec import TAIL_MAX_S, MixSpec, TrackSpec
from tapelog_dsp.graph.tail import TailCutter, cut

BLOCK_FRAMES: Final = 8_192
"""A stereo float64 block is 128 KiB, so that a strip stays in the second-level cache: fastest of 2,048 to 16,384."""


class BlockReader(Protocol):
    """A recording that is read from its start to its end."""

    def read(self, frames: int) -> Audio:
        """Return the next frames ``[channels, at most frames]``; fewer than asked for only at the end, then none."""
        ...  # pragma: no cover


class ArrayReader:
    """A `BlockReader` over samples in memory.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        The recording.
    """

    def __init__(self, samples: Audio) -> None:
        self._samples = samples
        self._position = 0

    def read(self, frames: int) -> Audio:
        """Return the next frames."""
        block = self._samples[:, self._position : self._position + frames]
        self._position += block.shape[1]
        return block


class _Feed:
    """A track's reader placed in song time, never read beyond the song's end."""

    def __init__(self, track: TrackSpec, reader: BlockReader, length_frames: int | None) -> None:
        self._track = track
        self._reader = reader
        self._clock = 0
        self._room = None if length_frames is None else max(length_frames - track.start_frame, 0)
        self._read_frames = 0
        self.ended = self._room == 0

    @property
    def end_frame(self) -> int:
        """Song time at which the recording ends, as far as it has been read."""
        return self._track.start_frame + self._read_frames

    def block(self, frames: int) -> Audio:
        """Return the next frames of song time, silence before the start and after the end."""
        block = np.zeros((self._track.channels, frames))
        filled = min(max(self._track.start_frame - self._clock, 0), frames)
        self._clock += frames
        while filled < frames and not self.ended:
            wanted = frames - filled if self._room is None else min(frames - filled, self._room - self._read_frames)
            got = self._reader.read(wanted)
            if got.ndim != 2 or got.shape[0] != self._track.channels or got.shape[1] > wanted:
                shape = f"[{self._track.channels}, at most {wanted}]"
                raise AudioError(f"track {self._track.id}: its reader must give the shape {shape}, got {got.shape}")
            block[:, filled : filled + got.shape[1]] = got
            filled += got.shape[1]
            self._read_frames += got.shape[1]
            self.ended = got.shape[1] == 0 or self._read_frames == self._room
        return block


def _feeds(spec: MixSpec, readers: Mapping[str, BlockReader]) -> dict[str, _Feed]:
    feeds = {}
    for track in spec.tracks:
        if track.mute:
            continue
        if track.id not in readers:
            raise GraphError(f"track {track.id!r} has no reader")
        feeds[track.id] = _Feed(track, readers[track.id], spec.length_frames)
    return feeds


def render(
    graph: MixGraph, readers: Mapping[str, BlockReader], *, block_frames: int = BLOCK_FRAMES
) -> Iterator[MixBlock]:
    """Render a mix from its first frame to the end of its tail.

    Parameters
    ----------
    graph : MixGraph
        A fresh or reset graph.
    readers : mapping of str to BlockReader
        One per track that is not muted, at the mix's sample rate.
    block_frames : int
        How much is read at a time; it cannot be seen in the samples.

    Yields
    ------
    MixBlock
        In song order from frame 0, without the graph's latency. The length is the song's length plus the tail: the
        declared one, or until it stays below -100 dBFS (see `tapelog_dsp.graph.tail`).

    Raises
    ------
    GraphError
        A track has no reader.
    AudioError
        A reader gives samples of the wrong shape, or not finite.
    """
    spec = graph.spec
    feeds = _feeds(spec, readers)
    declared = spec.tail_s is not None
    tail_frames = min(graph.tail_frames, round(TAIL_MAX_S * spec.sample_rate))
    if spec.tail_s is not None:
        tail_frames = round(spec.tail_s * spec.sample_rate)
    cutter = TailCutter()
    while True:
        block = graph.process({name: feed.block(block_frames) for name, feed in feeds.items()}, block_frames)
        ended = all(feed.ended for feed in feeds.values())
        song_end = spec.length_frames or max((feed.end_frame for feed in feeds.values()), default=0)
        if not ended:
            song_end = max(song_end, block.start_frame + block_frames)
        stop = song_end + tail_frames
        song = cut(block, 0, stop if declared else song_end)
        if song is not None:
            yield song
        tail = None if declared else cut(block, song_end, stop)
        if tail is not None:
            yield from cutter.audible(tail, song_end)
        if ended and block.start_frame + block_frames >= stop:
            yield from cutter.finish()
            return
