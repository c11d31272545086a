"""What every processor is: frozen settings that are checked when made, and a running instance with its own state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from tapelog_dsp.audio import Audio


class Processor(ABC):
    """A running processor; it keeps what it needs between blocks, so that the cutting into blocks cannot be heard.

    Attributes
    ----------
    latency_frames : int
        How far the output lags the input; the mix graph evens it out.
    tail_frames : int
        How long the output can stay above -100 dB of full scale after the input has ended.
    """

    latency_frames: int = 0
    tail_frames: int = 0

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

    @abstractmethod
    def reset(self) -> None:
        """Forget the past, as if no sample had been processed."""

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
