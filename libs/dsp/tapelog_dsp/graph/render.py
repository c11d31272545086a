"""Render a whole mix from re-readable or one-way sources: constant memory, whatever the song's length."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, runtime_checkable

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import AudioError, GraphError
from tapelog_dsp.graph.lines import Bed, BlockLines, Packed
from tapelog_dsp.graph.mixgraph import MixBlock, MixGraph
from tapelog_dsp.graph.spec import TAIL_MAX_S, MixSpec, TrackSpec
from tapelog_dsp.graph.tail import TailCutter, cut
from tapelog_dsp.kernels.call import Float32s
from tapelog_dsp.kernels.console import magnitude

BLOCK_FRAMES: Final = 16_384
"""At most. What 32 tracks read and write takes 11 MB, so that it stays in the last cache; half as many frames cost a
tenth more processor time, twice as many save nothing."""

MEASURED_TOGETHER_S: Final = 0.08
"""Blocks are whole numbers of this, where that is a whole number of frames: whoever meters them has no rest to keep."""

THREADS_MAX: Final = 64
"""More threads than this have nothing to do: a mix has at most 256 tracks, eight to a piece of work."""


class BlockReader(Protocol):
    """A recording that is read from its start to its end."""

    def read(self, frames: int) -> Audio:
        """Return the next frames ``[channels, at most frames]``; fewer than asked for only at the end, then none."""
        ...  # pragma: no cover


@runtime_checkable
class DirectReader(Protocol):
    """A recording that can write into memory of the mix, which saves a copy of every sample."""

    def read_into(self, block: Audio) -> int:
        """Fill a block with finite samples and return how many frames came; fewer only at the end."""
        ...  # pragma: no cover


@runtime_checkable
class PackedReader(Protocol):
    """A recording whose samples can go to the kernels as they stand in its file, which saves two copies of each."""

    @property
    def packed_bytes(self) -> int:
        """Bytes of a whole number, 2 to 4, little-endian; 0 where the samples are something else."""
        ...  # pragma: no cover

    def read_packed(self, memory: Packed) -> int:
        """Fill memory with whole frames, their channels beside each other, and return how many; fewer at the end."""
        ...  # pragma: no cover


class BedReader(Protocol):
    """A sum that was made before, read from its start to its end."""

    def read_bed(self, bed: Bed) -> None:
        """Fill a bed with the next frames; behind the end with zeros."""
        ...  # pragma: no cover


class LineReader(Protocol):
    """What a strip has handed on before, read from its start to its end."""

    def read_line(self, line: Float32s) -> None:
        """Fill a line ``[2, frames]`` with the next frames on the grid; behind the end with zeros."""
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

    def __init__(self, track: TrackSpec, reader: BlockReader | DirectReader, length_frames: int | None) -> None:
        self._track = track
        self._reader = reader
        self._direct = reader if isinstance(reader, DirectReader) else None
        self._packed = reader if isinstance(reader, PackedReader) else None
        self._clock = 0
        self._room = None if length_frames is None else max(length_frames - track.start_frame, 0)
        self._read_frames = 0
        self.ended = self._room == 0

    @property
    def end_frame(self) -> int:
        """Song time at which the recording ends, as far as it has been read."""
        return self._track.start_frame + self._read_frames

    @property
    def packed_bytes(self) -> int:
        """Bytes of a sample where they can be had as they stand in the file, else 0."""
        return 0 if self._packed is None else self._packed.packed_bytes

    def fill(self, block: Audio) -> None:
        """Write the next frames of song time, silence before the start and after the end."""
        first, last = self._roll(block.shape[1], lambda start, stop: self._read(block[:, start:stop]))
        block[:, :first] = 0.0
        block[:, last:] = 0.0

    def fill_packed(self, memory: Packed) -> None:
        """Write the next frames of song time as whole numbers."""
        reader, size = self._packed, self.packed_bytes * self._track.channels
        assert reader is not None  # noqa: S101  # whoever asks has seen `packed_bytes`
        first, last = self._roll(
            memory.size // size, lambda start, stop: reader.read_packed(memory[start * size : stop * size])
        )
        memory[: first * size] = 0
        memory[last * size :] = 0

    def _roll(self, frames: int, read: Callable[[int, int], int]) -> tuple[int, int]:
        """Read what of the next frames is within the recording; return where it starts and where it ends."""
        first = filled = min(max(self._track.start_frame - self._clock, 0), frames)
        self._clock += frames
        while filled < frames and not self.ended:
            wanted = frames - filled if self._room is None else min(frames - filled, self._room - self._read_frames)
            got = read(filled, filled + wanted)
            filled += got
            self._read_frames += got
            self.ended = got == 0 or self._read_frames == self._room
        return first, filled

    def skip(self, frames: int) -> None:
        """Read on without keeping anything: the track counts for the song's length and is not heard."""
        self.fill(np.empty((self._track.channels, frames)))

    def _read(self, part: Audio) -> int:
        wanted = part.shape[1]
        if self._direct is not None:
            return self._direct.read_into(part)
        assert not isinstance(self._reader, DirectReader)  # noqa: S101  # settled when it was made
        got = self._reader.read(wanted)
        if got.ndim != 2 or got.shape[0] != self._track.channels or got.shape[1] > wanted:
            shape = f"[{self._track.channels}, at most {wanted}]"
            raise AudioError(f"track {self._track.id}: its reader must give the shape {shape}, got {got.shape}")
        part[:, : got.shape[1]] = got
        for row in part:
            if magnitude(row[: got.shape[1]]) == np.inf:
                raise AudioError(f"track {self._track.id}: samples are not finite everywhere")
        return int(got.shape[1])


def _feeds(
    spec: MixSpec, readers: Mapping[str, BlockReader | DirectReader], played: Collection[str]
) -> dict[str, _Feed]:
    feeds = {}
    for track in spec.tracks:
        if track.mute or track.id in played:
            continue
        if track.id not in readers:
            raise GraphError(f"track {track.id!r} has no reader")
        feeds[track.id] = _Feed(track, readers[track.id], spec.length_frames)
    return feeds


class _Transport:
    """Reads and runs the tracks of each block, in threads while the block before is finished.

    Every piece of work touches its own tracks, so nothing depends on the threads' timing.
    """

    def __init__(
        self,
        graph: MixGraph,
        feeds: dict[str, _Feed],
        beds: Mapping[str, BedReader],
        played: Mapping[str, LineReader],
        pool: ThreadPoolExecutor | None,
    ) -> None:
        self._graph = graph
        self._beds = beds
        self._played = played
        self._feeds = feeds
        self._pool = pool
        heard = graph.track_channels
        self._packed = {name: feeds[name].packed_bytes for name in graph.packable if feeds[name].packed_bytes}
        self._unheard = {name: feed for name, feed in feeds.items() if name not in heard}

    def start(self, frames: int) -> tuple[BlockLines, list[Future[None]]]:
        """Begin a block; without threads it is done when this returns."""
        block = self._graph.lines(frames, self._packed)
        pieces = self._graph.front_work(block)
        early = {name for names, _ in pieces for name in names}
        pieces += [([name], _nothing) for name in block.inputs if name not in early]
        jobs = [self._job(block, names, work) for names, work in pieces]
        jobs += [self._skip(feed, frames) for feed in self._unheard.values()]
        jobs += [self._lay(reader, block.beds[name]) for name, reader in self._beds.items()]
        jobs += [self._play(reader, block.post_fader[name]) for name, reader in self._played.items()]
        if self._pool is None:
            for job in jobs:
                job()
            return block, []
        return block, [self._pool.submit(job) for job in jobs]

    def _job(self, block: BlockLines, names: list[str], work: Callable[[], None]) -> Callable[[], None]:
        def job() -> None:
            for name in names:
                if name in block.packed:
                    self._feeds[name].fill_packed(block.packed[name])
                else:
                    self._feeds[name].fill(block.inputs[name])
            work()

        return job

    @staticmethod
    def _skip(feed: _Feed, frames: int) -> Callable[[], None]:
        return lambda: feed.skip(frames)

    @staticmethod
    def _lay(reader: BedReader, bed: Bed) -> Callable[[], None]:
        return lambda: reader.read_bed(bed)

    @staticmethod
    def _play(reader: LineReader, line: Float32s) -> Callable[[], None]:
        return lambda: reader.read_line(line)

    def song_end(self) -> tuple[bool, int]:
        """Return whether every recording has ended, and where the last one did, as far as they have been read."""
        ended = all(feed.ended for feed in self._feeds.values())
        return ended, max((feed.end_frame for feed in self._feeds.values()), default=0)


def _nothing() -> None:
    """Do nothing more than reading: the track runs later."""


def render(
    graph: MixGraph,
    readers: Mapping[str, BlockReader | DirectReader],
    *,
    beds: Mapping[str, BedReader] | None = None,
    played: Mapping[str, LineReader] | None = None,
    keep: Callable[[MixBlock], None] | None = None,
    block_frames: int = 0,
    threads: int = 1,
) -> Generator[MixBlock, None, None]:
    """Render a mix from its first frame to the end of its tail.

    Parameters
    ----------
    graph : MixGraph
        A fresh or reset graph.
    readers : mapping of str to BlockReader or DirectReader
        One per track that is not muted, at the mix's sample rate.
    beds : mapping of str to BedReader, optional
        One for each of the graph's beds.
    played : mapping of str to LineReader, optional
        One for each of the graph's played tracks.
    keep : callable, optional
        Given each block, with the sums and signals that the graph was asked for, from the song's first frame on and
        beyond its end.
    block_frames : int
        How much is read at a time, 0 for about a third of a second; it cannot be seen in the samples.
    threads : int
        With more than one, tracks are read and run in so many threads while buses and the caller work on the block
        before; it cannot be seen in the samples either.

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
    feeds = _feeds(graph.spec, readers, played or {})
    pool: AbstractContextManager[ThreadPoolExecutor | None] = nullcontext()
    if threads > 1:
        pool = ThreadPoolExecutor(min(threads, THREADS_MAX), thread_name_prefix="strips")
    with pool as executor:
        yield from _blocks(
            graph,
            _Transport(graph, feeds, beds or {}, played or {}, executor),
            block_frames or usual_block(graph.spec.sample_rate),
            keep,
        )


def usual_block(sample_rate: int) -> int:
    """Return how many frames are read at a time."""
    unit = round(MEASURED_TOGETHER_S * sample_rate)
    return BLOCK_FRAMES // unit * unit if unit <= BLOCK_FRAMES else BLOCK_FRAMES


def _blocks(
    graph: MixGraph,
    transport: _Transport,
    block_frames: int,
    keep: Callable[[MixBlock], None] | None,
) -> Iterator[MixBlock]:
    spec = graph.spec
    declared = spec.tail_s is not None
    tail_frames = min(graph.tail_frames, round(TAIL_MAX_S * spec.sample_rate))
    if spec.tail_s is not None:
        tail_frames = round(spec.tail_s * spec.sample_rate)
    cutter = TailCutter()
    lines, jobs = transport.start(block_frames)
    while True:
        for job in jobs:
            job.result()
        ended, last = transport.song_end()
        song_end = spec.length_frames or last
        start = lines.start_frame - graph.latency_frames
        if not ended:
            song_end = max(song_end, start + block_frames)
        stop = song_end + tail_frames
        done = ended and start + block_frames >= stop
        present = lines
        if not done:
            lines, jobs = transport.start(block_frames)
        block = graph.finish(present)
        if keep is not None:
            keep(block)
        song = cut(block, 0, stop if declared else song_end)
        if song is not None:
            yield song
        tail = None if declared else cut(block, song_end, stop)
        if tail is not None:
            yield from cutter.audible(tail, song_end)
        if done:
            yield from cutter.finish()
            return
