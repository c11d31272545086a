"""What every processor is: frozen settings that are checked when made, and a running instance with its own state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s

GRID_FRAMES: Final = 32
"""0.67 ms at 48 kHz: finer than an ear or a hand, and coarse enough to compute filters anew at each."""


@dataclass(frozen=True, slots=True, eq=False)
class LaneStage:
    """A running processor as one stage of a channel strip that runs beside others (`tapelog_dsp.kernels.lanes`).

    Parameters
    ----------
    kind : int
        ``SECTIONS``, ``COMPRESS`` or ``SCALE``.
    numbers : ndarray
        What the stage needs: sections ``[sections, 5]``, a compressor's eight settings, one gain.
    state : ndarray
        The processor's own memory, which the lanes write back into: ``[channels, sections, 2]``, five numbers, nothing.
    """

    kind: int
    numbers: Float64s
    state: Float64s


@dataclass(frozen=True, slots=True)
class Course:
    """Where a setting goes during one cell of song time: in a straight line, or it stands still.

    Parameters
    ----------
    start, end : float
        Its value at the cell's first frame, and at the first frame after it.
    first_frame, frames : int
        Song time and length of the cell.
    """

    start: float
    end: float
    first_frame: int = 0
    frames: int = 1

    def place(self, start_frame: int) -> tuple[int, int]:
        """Return how many frames of the cell have passed at a song time, and how many it has."""
        return start_frame - self.first_frame, self.frames

    def values(self, start_frame: int, frames: int) -> Float64s:
        """Return the value at each frame of a block within the cell."""
        if self.start == self.end:
            return np.full(frames, self.start)
        offsets = np.arange(frames, dtype=np.float64) + float(start_frame - self.first_frame)
        return self.start + (self.end - self.start) * (offsets / float(self.frames))


@dataclass(frozen=True, slots=True)
class Key:
    """What a processor listens to instead of its own input.

    Parameters
    ----------
    source : str
        Id of another track or bus of the mix.
    pre_fader : bool
        Whether it is heard before that strip's fader; then a strip whose fader is down still keys.
    """

    source: str
    pre_fader: bool = False


class Processor(ABC):
    """A running processor; it keeps what it needs between blocks, so that the cutting into blocks cannot be heard.

    Attributes
    ----------
    latency_frames : int
        How far the output lags the input; the mix graph evens it out.
    tail_frames : int
        How long the output can stay above -100 dB of full scale after the input has ended.
    step_frames : int
        Length of the cells in which settings move (see `tapelog_dsp.processors.moving`).
    """

    latency_frames: int = 0
    tail_frames: int = 0
    step_frames: int = GRID_FRAMES

    @abstractmethod
    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Process one block of any length.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)]
            Float64; never changed in place.
        start_frame : int
            Song time of the block's first sample; blocks follow each other without a gap.

        Returns
        -------
        ndarray [shape=(channels, frames)]
            A new array, or the same one when nothing had to be done.
        """

    def process_keyed(self, samples: Audio, key: Audio, start_frame: int) -> Audio:
        """Process one block while listening to another signal of the same length; without a detector it is not heard.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)]
            As for `process`.
        key : ndarray [shape=(2, frames)]
            What the detector hears, in time with the samples.
        start_frame : int
            As for `process`.
        """
        del key
        return self.process(samples, start_frame)

    def move(self, name: str, course: Course) -> None:
        """Let a setting go from one value to another over the next cell; called between blocks only.

        Raises
        ------
        ParameterError
            This processor has no such setting that can move, or not that far.
        """
        raise ParameterError(
            f"{type(self).__name__}.{name}", f"{course.start:g} to {course.end:g}", "a setting that can move in time"
        )

    @abstractmethod
    def reset(self) -> None:
        """Forget the past, as if no sample had been processed."""

    def lane_stages(self) -> tuple[LaneStage, ...] | None:
        """Return what this processor does as stages that can run in lanes, or None where it cannot."""
        return None

    def lanes_ran(self, frames: int) -> None:  # noqa: B027  # most processors count nothing
        """Take note that so many frames were processed in lanes, the state written back."""

    def telemetry(self) -> Mapping[str, float]:
        """Return what happened so far in plain figures, for example the largest gain reduction; empty when nothing."""
        return {}


class ProcessorSpec(Protocol):
    """Settings of a processor: a frozen dataclass, valid from the moment it exists."""

    def prepare(self, sample_rate: int, channels: int) -> Processor:
        """Make a running processor.

        Raises
        ------
        ParameterError
            A setting does not fit this sample rate or channel count.
        """
        ...  # pragma: no cover
