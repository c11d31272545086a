"""Processors in series."""

from collections.abc import Iterable, Mapping, Sequence

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.processors.base import LaneStage, Processor, ProcessorSpec
from tapelog_dsp.processors.moving import MovingSetting, MovingStage


class Chain(Processor):
    """Processors one after another; each sees song time shifted by the latency before it.

    Parameters
    ----------
    specs : iterable of ProcessorSpec
        In order.
    sample_rate, channels : int
        Of every block.
    automation : sequence of MovingSetting
        Settings that move.
    """

    def __init__(
        self,
        specs: Iterable[ProcessorSpec],
        sample_rate: int,
        channels: int,
        automation: Sequence[MovingSetting] = (),
    ) -> None:
        self._stages: list[tuple[str, Processor]] = []
        listed = list(specs)
        for moving in automation:
            if not 0 <= moving.position < len(listed):
                limit = f"0 to {len(listed) - 1}, the places of the chain"
                raise ParameterError(f"MovingSetting({moving.name}).position", moving.position, limit)
        for position, spec in enumerate(listed):
            curves = {moving.name: moving.curve(sample_rate) for moving in automation if moving.position == position}
            if curves:
                prepare = getattr(spec, "prepare_moving", spec.prepare)
                running: Processor = MovingStage(prepare(sample_rate, channels), curves)
            else:
                running = spec.prepare(sample_rate, channels)
            self._stages.append((type(spec).__name__, running))
        self.latency_frames = sum(stage.latency_frames for _, stage in self._stages)
        self.tail_frames = sum(stage.tail_frames for _, stage in self._stages)

    def __repr__(self) -> str:
        return f"Chain({' -> '.join(name for name, _ in self._stages) or 'empty'})"

    def latency_before(self, position: int) -> int:
        """Return by how many frames the input of the processor at a place lags the chain's own."""
        return sum(stage.latency_frames for _, stage in self._stages[:position])

    def process(self, samples: Audio, start_frame: int, keys: Mapping[int, Audio] | None = None) -> Audio:
        """Run the block through every stage in order; ``keys`` are what the stages at these places listen to."""
        for position, (_, stage) in enumerate(self._stages):
            if keys and position in keys:
                samples = stage.process_keyed(samples, keys[position], start_frame)
            else:
                samples = stage.process(samples, start_frame)
            start_frame -= stage.latency_frames
        return samples

    def reset(self) -> None:
        """Reset every stage."""
        for _, stage in self._stages:
            stage.reset()

    def lane_stages(self) -> tuple[LaneStage, ...] | None:
        """Return the stages of all processors, or None where one of them cannot run in lanes."""
        stages: list[LaneStage] = []
        for _, stage in self._stages:
            own = stage.lane_stages()
            if own is None:
                return None
            stages += own
        return tuple(stages)

    def lanes_ran(self, frames: int) -> None:
        """Pass it on to every stage."""
        for _, stage in self._stages:
            stage.lanes_ran(frames)

    def telemetry(self) -> Mapping[str, float]:
        """Return each stage's figures under ``<position>.<type>.<figure>``, positions counted from 0."""
        return {
            f"{position}.{name}.{figure}": value
            for position, (name, stage) in enumerate(self._stages)
            for figure, value in stage.telemetry().items()
        }
