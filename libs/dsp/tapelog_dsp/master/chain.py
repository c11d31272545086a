"""The master's processors before the limiter, and the running of any processor over a stream without its latency."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tapelog_dsp.audio import Audio, round_to_float32, valid_audio, valid_sample_rate
from tapelog_dsp.processors.base import Processor, ProcessorSpec
from tapelog_dsp.processors.chain import Chain
from tapelog_dsp.processors.moving import MovingSetting


@dataclass(frozen=True, slots=True)
class MasterSpec:
    """What a master does before loudness and limiter.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    processors : tuple of ProcessorSpec
        In order; typically equaliser, glue compressor, width.
    channels : int
        1 or 2.
    automation : tuple of MovingSetting
        Settings of the processors that move, in song time of the mix.
    """

    sample_rate: int
    processors: tuple[ProcessorSpec, ...] = ()
    channels: int = 2
    automation: tuple[MovingSetting, ...] = ()

    def __post_init__(self) -> None:
        valid_sample_rate(self.sample_rate, name="MasterSpec.sample_rate")


class MasterChain:
    """The processors of a `MasterSpec` in motion.

    Parameters
    ----------
    spec : MasterSpec
        What to build.

    Raises
    ------
    ParameterError
        A processor does not fit the sample rate or the channel count, or a setting cannot move.
    """

    def __init__(self, spec: MasterSpec) -> None:
        self.spec = spec
        self._chain = Chain(spec.processors, spec.sample_rate, spec.channels, spec.automation)

    def blocks(self, source: Iterable[Audio]) -> Iterator[Audio]:
        """Process a whole mix.

        Parameters
        ----------
        source : iterable of ndarray [shape=(channels, frames)]
            The mix in order, blocks of any lengths.

        Yields
        ------
        ndarray [shape=(channels, frames)]
            As long as the mix in all, without latency, on the float32 grid: what a spill file keeps without loss.

        Raises
        ------
        AudioError
            A block has another channel count or is not finite.
        """
        checked = (valid_audio(block, name="mix block", channels=self.spec.channels) for block in source)
        for block in run_aligned(self._chain, checked):
            yield round_to_float32(block)

    def telemetry(self) -> Mapping[str, float]:
        """Return every processor's figures under ``<position>.<type>.<figure>``."""
        return self._chain.telemetry()


def run_aligned(processor: Processor, source: Iterable[Audio]) -> Iterator[Audio]:
    """Run a processor over a stream: its latency is dropped at the start and flushed at the end."""
    dropping = processor.latency_frames
    clock, channels = 0, 0
    for block in source:
        channels = block.shape[0]
        result = processor.process(block, clock)
        clock += block.shape[1]
        dropped = min(dropping, result.shape[1])
        dropping -= dropped
        if dropped < result.shape[1]:
            yield np.ascontiguousarray(result[:, dropped:])
    # What is left inside comes out behind silence; a stream shorter than the latency is still waiting for its start.
    if processor.latency_frames and channels:
        flushed = processor.process(np.zeros((channels, processor.latency_frames)), clock)
        yield np.ascontiguousarray(flushed[:, dropping:])
