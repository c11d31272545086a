"""Processors in series."""

from collections.abc import Iterable, Mapping

from tapelog_dsp.audio import Audio
from tapelog_dsp.processors.base import Processor, ProcessorSpec


class Chain(Processor):
    """Processors one after another; each sees song time shifted by the latency before it."""

    def __init__(self, specs: Iterable[ProcessorSpec], sample_rate: int, channels: int) -> None:
        self._stages = [(type(spec).__name__, spec.prepare(sample_rate, channels)) for spec in specs]
        self.latency_frames = sum(stage.latency_frames for _, stage in self._stages)
        self.tail_frames = sum(stage.tail_frames for _, stage in self._stages)

    def __repr__(self) -> str:
        return f"Chain({' -> '.join(name for name, _ in self._stages) or 'empty'})"

    def process(self, samples: Audio, start_frame: int) -> Audio:
        """Run the block through every stage in order."""
        for _, stage in self._stages:
            samples = stage.process(samples, start_frame)
            start_frame -= stage.latency_frames
        return samples

    def reset(self) -> None:
        """Reset every stage."""
        for _, stage in self._stages:
            stage.reset()

    def telemetry(self) -> Mapping[str, float]:
        """Return each stage's figures under ``<position>.<type>.<figure>``, positions counted from 0."""
        return {
            f"{position}.{name}.{figure}": value
            for position, (name, stage) in enumerate(self._stages)
            for figure, value in stage.telemetry().items()
        }
