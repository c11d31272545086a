"""Where a recording lies while it is repaired: in memory, or in files for one that is longer than memory should be.

Every tool reads what it needs and writes what it makes, a block at a time, so the samples come out the same wherever
they lie, and an hour takes the memory of a minute.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.report import Finding, RepairReport

BLOCK_FRAMES: Final = 1 << 17
"""Read at a time where it does not matter how much: 2 MiB of stereo."""


class Store(Protocol):
    """Samples ``[channels, frames]`` that can be read anywhere, and written where they are the store's own."""

    channels: int
    frames: int
    block_frames: int
    """How much is read at a time where it does not matter; it cannot be heard."""

    def read(self, start: int, stop: int) -> Audio:
        """Return the frames from `start` to `stop`, all channels; not to be changed in place."""
        ...  # pragma: no cover

    def write(self, start: int, samples: Audio, *, channel: int = 0) -> None:
        """Replace frames from `start` on, of as many channels as given, from `channel` on."""
        ...  # pragma: no cover

    def new(self, channels: int) -> Self:
        """Return an empty store of the same length, lying where this one lies."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Give its place back."""
        ...  # pragma: no cover


class ArrayStore:
    """A store in memory.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Read as they are; written in place.
    block_frames : int
        How much is read at a time.
    """

    def __init__(self, samples: Audio, block_frames: int = BLOCK_FRAMES) -> None:
        self.samples = samples
        self.channels, self.frames = samples.shape
        self.block_frames = block_frames

    def read(self, start: int, stop: int) -> Audio:
        """Return a view; of everything, the array itself."""
        return self.samples if (start, stop) == (0, self.frames) else self.samples[:, start:stop]

    def write(self, start: int, samples: Audio, *, channel: int = 0) -> None:
        """Write in place."""
        self.samples[channel : channel + samples.shape[0], start : start + samples.shape[1]] = samples

    def new(self, channels: int) -> "ArrayStore":
        """Return silence."""
        return ArrayStore(np.zeros((channels, self.frames)), self.block_frames)

    def close(self) -> None:
        """Do nothing: memory goes by itself."""


def blocks(store: Store) -> Iterator[tuple[int, Audio]]:
    """Yield start and samples of every block, in order."""
    for start in range(0, store.frames, store.block_frames):
        yield start, store.read(start, min(start + store.block_frames, store.frames))


def padded(store: Store, start: int, stop: int) -> Audio:
    """Return frames from `start` to `stop`, silence where the recording is not."""
    first, last = min(max(start, 0), store.frames), max(min(stop, store.frames), 0)
    inner = store.read(first, max(first, last))
    if (first, last) == (start, stop):
        return inner
    result = np.zeros((store.channels, stop - start))
    result[:, first - start : first - start + inner.shape[1]] = inner
    return result


def copy(store: Store) -> Store:
    """Return a copy."""
    made = store.new(store.channels)
    for start, block in blocks(store):
        made.write(start, block)
    return made


def row_of(store: Store, channel: int, start: int, stop: int) -> Float64s:
    """Return frames of one channel, silence where the recording is not."""
    return np.ascontiguousarray(padded(store, start, stop)[channel])


def energy(store: Store) -> float:
    """Return the sum of all squares."""
    return math.fsum(float(np.square(block).sum()) for _, block in blocks(store))


@dataclass(frozen=True, slots=True)
class Difference:
    """What a repair changed.

    Parameters
    ----------
    frames : int
        Samples that differ, all channels together.
    removed, kept : float
        Energy of what was taken, and of what is left.
    peak : float
        Largest magnitude of what is left.
    """

    frames: int
    removed: float
    kept: float
    peak: float

    def report(self, finding: Finding, reason: str, *, spans: int = 0) -> RepairReport:
        """Return the report of the repair."""
        level_db = -math.inf
        if self.removed > 0.0:
            level_db = math.inf if self.kept == 0.0 else 10.0 * math.log10(self.removed / self.kept)
        return RepairReport(finding.tool, self.frames > 0, reason, finding, spans, self.frames, level_db)


def difference(before: Store, after: Store) -> Difference:
    """Compare two stores."""
    frames, removed, kept, peak = 0, 0.0, 0.0, 0.0
    for start, old in blocks(before):
        new = after.read(start, start + old.shape[1])
        taken = old - new
        frames += int(np.count_nonzero(taken))
        removed += float(np.square(taken).sum())
        kept += float(np.square(new).sum())
        peak = max(peak, float(np.abs(new).max(initial=0.0)))
    return Difference(frames, removed, kept, peak)


def as_store(samples: Audio, sample_rate: int) -> ArrayStore:
    """Return audio as a store, checked.

    Raises
    ------
    AudioError, ParameterError
        It is no audio, or its rate is outside what the core is made for.
    """
    valid_sample_rate(sample_rate)
    return ArrayStore(valid_audio(samples))


Mend = Callable[[Store, int, Finding], tuple[Store, RepairReport]]
"""Acts on a finding: the store that was given where nothing had to be done, else a new one."""


def mended(samples: Audio, sample_rate: int, finding: Finding, mend: Mend) -> tuple[Audio, RepairReport]:
    """Mend audio in memory; the very array that was given comes back where nothing was done."""
    after, report = mend(as_store(samples, sample_rate), sample_rate, finding)
    return after.read(0, after.frames), report
