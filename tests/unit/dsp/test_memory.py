"""Memory does not grow with the song: what is held is the blocks, the delay lines and the meter's hops."""

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
from tapelog_dsp import (
    Audio,
    BusSpec,
    Compressor,
    HighPass,
    MasterChain,
    MasterSpec,
    MixGraph,
    MixSpec,
    PlateReverb,
    SendSpec,
    TrackSpec,
    limit_blocks,
    render,
    solve_drive,
)

RATE = 8_000


class Endless:
    """A recording made while it is read, of a given length."""

    def __init__(self, frames: int, seed: int) -> None:
        self._left = frames
        self._samples = np.random.default_rng(seed).uniform(-0.2, 0.2, (2, 8_192))

    def read(self, frames: int) -> Audio:
        """Return the same noise again and again."""
        frames = min(frames, self._left)
        self._left -= frames
        return self._samples[:, :frames]


def mix_blocks(seconds: int) -> Iterator[Audio]:
    """Render a song of eight tracks, block by block."""
    processors = (HighPass(60.0), Compressor(-30.0, 3.0, lookahead_ms=2.0))
    tracks = tuple(TrackSpec(f"t{k}", processors=processors, sends=(SendSpec("fx", -9.0),)) for k in range(8))
    graph = MixGraph(MixSpec(RATE, tracks, (BusSpec("fx", processors=(PlateReverb(decay_s=0.5),)),)))
    readers = {track.id: Endless(seconds * RATE, seed) for seed, track in enumerate(tracks)}
    for block in render(graph, readers):
        yield block.mix


def peak_bytes(work: Callable[[], None]) -> int:
    """Return the most memory that was held at a time."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_mix_of_any_length_needs_the_same_memory() -> None:
    """Eight tracks through the console, a bus and the master chain: ten times the song, the same memory to 2 %."""

    def work(seconds: int) -> None:
        chain = MasterChain(MasterSpec(RATE, (Compressor(-10.0, 2.0),)))
        for _ in limit_blocks(chain.blocks(mix_blocks(seconds)), sample_rate=RATE):
            pass

    work(2)
    assert peak_bytes(lambda: work(200)) <= 1.02 * peak_bytes(lambda: work(20))


def test_solving_the_drive_needs_only_the_meters_hops() -> None:
    """The drive search holds no audio: ten times the master adds less than 100 bytes per 10 ms of it."""

    def source(seconds: int) -> Iterator[Audio]:
        reader = Endless(seconds * RATE, 1)
        while (block := reader.read(4_096)).shape[1]:
            yield block

    def work(seconds: int) -> None:
        solve_drive(lambda: source(seconds), sample_rate=RATE, target_lufs=-12.0)

    work(2)
    grown = peak_bytes(lambda: work(300)) - peak_bytes(lambda: work(30))
    assert grown <= 270 * 100 * 100
